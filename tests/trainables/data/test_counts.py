from pathlib import Path

import pytest

from search_spaces.errors import InputError
from trainables.data.counts import requested_count, split_counts


def test_all_or_so_many_are_used():
    assert requested_count("train", "all", 5000, "mnist", Path("/d")) == 5000
    assert requested_count("train", 12, 5000, "mnist", Path("/d")) == 12


@pytest.mark.parametrize(("part", "word"), [("train", "training"), ("test", "test")])
def test_more_than_there_are_is_refused(part, word):
    message = f"trainable.data.{part}: 70000 is not allowed: mnist in /d has 5,000 {word} images"
    with pytest.raises(InputError, match=message):
        requested_count(part, 70_000, 5000, "mnist", Path("/d"))


def test_the_training_set_leaves_what_is_held_out():
    assert split_counts("all", None, 5000, "mnist", Path("/d")) == (5000, 0)
    assert split_counts("all", 1000, 5000, "mnist", Path("/d")) == (4000, 1000)
    assert split_counts(300, 1000, 5000, "mnist", Path("/d")) == (300, 1000)
    assert split_counts(4500, 1000, 5000, "mnist", Path("/d")) == (4000, 1000)


def test_to_hold_out_all_images_is_refused():
    message = "trainable.data.validation: 5000 is not allowed: mnist in /d has 5,000 training images"
    with pytest.raises(InputError, match=message):
        split_counts("all", 5000, 5000, "mnist", Path("/d"))
    with pytest.raises(InputError, match=r"trainable\.data\.train: 6000 is not allowed"):
        split_counts(6000, 10, 5000, "mnist", Path("/d"))
