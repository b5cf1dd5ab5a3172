import math

import numpy as np
import pandas as pd
import pytest
from searches.picture import Curve, curves, draw, markdown


@pytest.fixture
def incumbents():
    """Two searches of one method, one λ of another."""
    rows = [
        ("digits", "random", 0, 0, 1.0, 1e-4, 0.02),
        ("digits", "random", 0, 0, 3.0, 1e-3, 0.0),
        ("digits", "random", 0, 1, 1.0, 1e-3, 0.0),
        ("digits", "random", 0, 1, 2.0, 1e-5, 0.03),
        ("digits", "random", 0, 1, 5.0, 1e-3, 0.002),
        ("digits", "sweeper predict", 0, 0, 1.1, 1e-3, 0.001),
    ]
    frame = pd.DataFrame(rows, columns=["setup", "method", "seed", "state", "spent", "lam", "gap"])
    return frame.assign(gap_last=2 * frame["gap"])


def test_a_curve_holds_the_gaps_of_all_searches(incumbents):
    curve = Curve(incumbents[incumbents.method == "random"])
    assert curve.spent.tolist() == [1, 2, 3, 5]
    assert curve.middle.tolist() == [0.0, 0.02, 0.0, 0.0]
    assert curve.high.tolist() == [0.02, 0.03, 0.03, 0.002]
    assert curve.good_from() == (3.0, 5.0)
    assert curve.at(4) == (0.0, 0.0, 0.03)
    assert curve.at(0.5) == (math.inf,) * 3


def test_the_table_says_when_and_how_good(incumbents):
    lines = markdown(incumbents, {"digits": "Digits"}).splitlines()
    assert lines[3] == (
        "| random | 3 | 5 | 0.00 [0.00, 2.00] | 2.00 [2.00, 3.00] | 0.00 [0.00, 3.00] | 0.00 [0.00, 0.20] | 0.20 | 2 |"
    )
    assert lines[4].startswith("| sweeper predict | 1.1 | 1.1 | 0.10 | 0.10 |")


def test_every_method_is_in_the_figure(incumbents, tmp_path):
    draw(incumbents, {"digits": "Digits"}, 16, tmp_path / "search.png")
    assert (tmp_path / "search.png").stat().st_size > 10_000
    assert list(curves(incumbents, "digits")) == ["random", "sweeper predict"]
    assert np.isfinite(Curve(incumbents[incumbents.method == "sweeper predict"]).high).all()
