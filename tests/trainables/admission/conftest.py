import pytest

from trainables.admission import forget_admissions


@pytest.fixture(autouse=True)
def _forget():
    forget_admissions()
