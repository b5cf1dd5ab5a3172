from pathlib import Path

import pytest

from search_spaces.errors import InputError
from trainables.data.counts import used


def test_all_or_so_many_are_used():
    assert used("train", "all", 5000, "mnist", Path("/d")) == 5000
    assert used("train", 12, 5000, "mnist", Path("/d")) == 12


@pytest.mark.parametrize(("part", "word"), [("train", "training"), ("test", "test")])
def test_more_than_there_are_is_refused(part, word):
    message = f"trainable.data.{part}: 70000 is not allowed: mnist in /d has 5,000 {word} images"
    with pytest.raises(InputError, match=message):
        used(part, 70_000, 5000, "mnist", Path("/d"))
