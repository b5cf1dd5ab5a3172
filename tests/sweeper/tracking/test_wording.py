"""Values and names as a tracker takes them."""

import math

import numpy as np
import pytest

from sweeper.tracking.wording import MAX_CHARACTERS, finite_or_none, format_value, tracker_key


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.0, "1"),
        (1e-5, "1e-05"),
        (np.float32(0.5), "0.5"),
        (0.0123456789, "0.0123456789"),
        (7, "7"),
        (True, "True"),
        (None, "null"),
        ("full", "full"),
        ([0.3, 1.0], "[0.3, 1]"),
        ([0, {"log": [5e-4, 3e-2], "num": 9}], "[0, {log: [0.0005, 0.03], num: 9}]"),
    ],
)
def test_show(value, shown):
    assert format_value(value) == shown


def test_a_long_list_shows_its_ends():
    assert format_value(list(range(1000))) == "[0, 1, 2, 3, 4, …, 999] (1000 values)"
    assert len(format_value(["x" * 300] * 9)) == MAX_CHARACTERS


@pytest.mark.parametrize(
    ("value", "number"), [(True, 1.0), (np.int64(3), 3.0), (math.inf, None), (None, None), ("3", None)]
)
def test_finite(value, number):
    assert finite_or_none(value) == number


def test_a_key_has_only_what_every_mlflow_takes():
    assert tracker_key("t*/κ:a b.c-d") == "t_/__a b.c-d"
