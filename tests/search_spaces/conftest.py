"""A small grid, as text with settings, for every test of search spaces."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from search_spaces.load import load_grid

ROOT = Path(__file__).parents[2]

settings.register_profile("quick", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quick")


@pytest.fixture(scope="session")
def digits_text():
    return (ROOT / "grids" / "digits.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def digits(digits_text):
    """The default grid with settings: ``digits("axes.mu=[0, 0.9]")``."""
    return lambda *settings: load_grid(digits_text, "digits.yaml", settings)
