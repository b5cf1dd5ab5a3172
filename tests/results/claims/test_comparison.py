import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.analysis.peaks import find_peaks
from results.claims.comparison import INCONCLUSIVE, Side, best_within, chosen_points, compare
from results.figures.comparison import comparison_data, draw_comparison
from results.figures.drawing import render

SEEDS = (0, 1, 2, 3)
LAMS = tuple(np.geomspace(1e-3, 3e-2, 5))


@pytest.fixture(scope="module")
def side(make_sweep):
    def make(name, accuracy=0.85, rng=0, scatter=0.002, **options):
        random = np.random.default_rng(rng)
        given = {"etas": (0.1,), "lams": LAMS, "seeds": SEEDS, "measurements": 120}
        lift = {"lift": lambda eta, lam: accuracy - 2 * lam + scatter * random.standard_normal()}
        rows, points = make_sweep(**(given | lift | options))
        return Side(name=name, rows=rows, peaks=find_peaks(rows, points), tolerance=0.005)

    return make


def contests(a, b, accuracy=None):
    return {contest.claim: contest for contest in compare(a, b, accuracy)}


def test_the_more_accurate_wins(side):
    found = contests(side("worse"), side("better", accuracy=0.88, rng=1))["best_accuracy"]
    assert found.winner == "better"
    assert found.interval[0] < found.value < found.interval[1]
    assert found.value == pytest.approx(0.03, abs=0.005)
    assert "over 4 seeds" in found.why


def test_equals_are_inconclusive(side):
    for contest in compare(side("one"), side("two", rng=1)):
        assert contest.winner == INCONCLUSIVE, contest


def test_the_faster_wins_in_epochs_and_steps(side):
    fast = {"peak_step": lambda eta, lam: 5.0 / (eta * lam) ** 0.5, "scatter": 0.0, "noise": 0.1}
    slow = {"peak_step": lambda eta, lam: 20.0 / (eta * lam) ** 0.5, "scatter": 0.0, "noise": 0.1}
    found = contests(side("slow", **slow), side("fast", rng=3, **fast))
    for claim in ("time_epochs", "time_steps"):
        assert found[claim].winner == "fast"
        assert found[claim].interval[1] < 1
    assert found["time_steps"].a == pytest.approx(10 * found["time_epochs"].a)


def test_a_given_accuracy_that_one_alone_reaches(side):
    a, b = side("low", accuracy=0.7), side("high", accuracy=0.85, rng=1)
    found = contests(a, b, accuracy=0.9)["time_epochs"]
    assert (found.winner, found.a, found.value) == ("high", None, None)
    assert "low not in every run" in found.why
    nobody = contests(a, b, accuracy=0.99)["time_epochs"]
    assert (nobody.winner, nobody.a, nobody.b) == (INCONCLUSIVE, None, None)


def test_a_shorter_sweep_is_compared_within_its_epochs(side):
    short, long = side("short", steps=400), side("long", steps=4000)
    found = contests(short, long)
    assert "within 40 epochs" in found["accuracy_within"].why
    assert found["accuracy_within"].b <= found["best_accuracy"].b
    assert "accuracy_within" not in contests(short, side("too", rng=1, steps=400))


def test_few_seeds_leave_it_open_unless_there_are_eta(side):
    two = {"seeds": (0, 1)}
    alone = contests(side("a", **two), side("b", accuracy=0.9, **two))["best_accuracy"]
    assert (alone.winner, alone.interval) == (INCONCLUSIVE, None)
    assert "it takes 3 seeds" in alone.why
    etas = {"seeds": (0,), "etas": (0.05, 0.1, 0.2, 0.4)}
    found = contests(side("a", **etas), side("b", accuracy=0.9, rng=1, **etas))["best_accuracy"]
    assert found.winner == "b"
    assert "over 4 cells of eta" in found.why


def test_the_best_lam_stands_for_a_sweep_of_lam(side):
    found = contests(side("tuned"), side("one lam", lams=(3e-2,), rng=1))["best_accuracy"]
    assert found.winner == "tuned"
    chosen = chosen_points(side("tuned"))
    assert chosen.lam.unique().tolist() == [LAMS[0]]
    assert sorted(chosen.seed) == list(SEEDS)


def test_best_within_rises_to_the_best(side):
    one = side("one")
    table = best_within(one)
    assert table["T"].is_monotonic_increasing
    assert table.acc.is_monotonic_increasing
    assert table.acc.iloc[-1] == pytest.approx(chosen_points(one).value.mean())
    assert set(table.lam) <= set(LAMS)
    assert table.lam.iloc[0] > table.lam.iloc[-1]  # strong lam is ahead early


def test_nothing_measured_is_inconclusive(side):
    one = side("one")
    blank = Side(name="blank", rows=one.rows.assign(test_acc=np.nan), peaks=one.peaks, tolerance=0.005)
    assert {c.winner for c in compare(one, blank)} == {INCONCLUSIVE}
    assert best_within(blank).empty


def test_contests_are_json(side):
    for contest in compare(side("one"), side("two", accuracy=0.7)):
        assert json.loads(json.dumps(contest.to_json(), allow_nan=False))["claim"] == contest.claim


def test_the_figure_shows_both_sweeps_and_its_numbers(side):
    a, b = side("one"), side("auto", lams=(1e-2,), rng=1)
    drawing = draw_comparison(a, b)
    assert render(drawing).svg == render(draw_comparison(a, b)).svg
    data = comparison_data((a, b))
    pd.testing.assert_frame_equal(drawing.data, data)
    assert set(data.panel) == {"curve", "within", "lam"}
    assert data.groupby(["panel", "sweep"]).ngroups == 6
    assert data[(data.panel == "lam") & (data.sweep == "auto")].x.tolist() == [1e-2]
    assert data[data.panel == "curve"].groupby("sweep").seed.nunique().tolist() == [4, 4]


@settings(max_examples=10, deadline=None)
@given(gain=st.floats(-0.1, 0.1))
def test_who_is_named_first_does_not_matter(side, gain):
    a, b = side("a"), side("b", accuracy=0.8 + gain, rng=1)
    there, back = contests(a, b), contests(b, a)
    for claim, found in there.items():
        assert found.winner == back[claim].winner
    assert there["best_accuracy"].value == pytest.approx(-back["best_accuracy"].value)
