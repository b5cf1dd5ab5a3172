"""The rule of the way out: the cheapest extension that should decide a claim."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from results.analysis.findings import find
from results.claims.judge import judge
from results.claims.verdict import Verdict
from results.settling.choice import cheapest, decision_chance, ways_out
from results.settling.design import design_of
from results.settling.extensions import extensions
from search_spaces.reading.load import load_grid

TEXT = """
name: t
trainable: {model: {name: fc, width: 8}, data: {name: digits, train: 64}, batch: full}
axes: {eta: [0.05, 0.15], lam: [1.0e-4, 3.0e-4, 1.0e-3, 3.0e-3, 1.0e-2, 3.0e-2], seed: [0]}
budget: {rule: inverse_eta_lam, constant: 2}
measure: {log: 10}
"""


def verdict_of(value, interval, band, claim="scaling", lacks=("seeds",)) -> Verdict:
    return Verdict(
        claim=claim,
        value=value,
        interval=interval,
        threshold="",
        verdict="inconclusive",
        points_used=0,
        censored=0,
        why="",
        band=band,
        lacks=lacks,
    )


BAND = (-1.1, -0.9)


def test_an_interval_that_does_not_narrow_decides_nothing_and_a_point_decides_by_its_value():
    verdict = verdict_of(-0.95, (-1.05, -0.85), BAND)
    assert decision_chance(verdict, 1.0) == 0
    assert decision_chance(verdict, 0.0) == pytest.approx(1)


def test_the_chance_in_closed_form():
    """The value moves by 1.96 times a third of the width; the band is as wide as the narrowed interval and more."""
    verdict = verdict_of(-1.0, (-1.196, -0.804), BAND)  # standard error 0.1
    width, moved = 0.6, 0.08
    expected = stats.norm.cdf((-1.1 - 0.1176 + 1) / moved) * 2  # the narrowed interval is wider than the band
    assert decision_chance(verdict, width) == pytest.approx(expected, rel=1e-6)
    narrower = stats.norm.cdf((0.1 - 0.0392) / np.sqrt(0.0096)) * 2 - 1 + 2 * stats.norm.cdf(-0.1392 / np.sqrt(0.0096))
    assert decision_chance(verdict, 0.2) == pytest.approx(narrower, rel=1e-6)


@given(st.floats(-1.5, -0.5), st.floats(0.02, 1), st.floats(0.05, 0.95))
def test_the_chance_is_the_share_of_simulated_sweeps_that_are_decided(value, spread, width):
    verdict = verdict_of(value, (value - spread, value + spread), BAND)
    random = np.random.default_rng(0)
    values = random.normal(value, spread / 1.96 * np.sqrt(1 - width**2), size=4000)
    low, high = values - spread * width, values + spread * width
    decided = ((BAND[0] <= low) & (high <= BAND[1])) | (high < BAND[0]) | (low > BAND[1])
    assert decision_chance(verdict, width) == pytest.approx(decided.mean(), abs=0.04)


@pytest.fixture(scope="module")
def open_sweep(make_sweep):
    rows, points = make_sweep(noise=0.25, rng=3, lams=(1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2))
    found = find(rows, points, 0.005, ())
    return found, judge(found), load_grid(TEXT, "t.yaml")


def test_every_open_claim_has_a_way_out_with_a_setting_and_a_cost(open_sweep):
    found, verdicts, grid = open_sweep
    ways = ways_out(verdicts, found.steady, grid, 0.01)
    assert list(ways) == [v.claim for v in verdicts if v.verdict == "inconclusive"]
    assert "scaling_eta" in ways
    for way in ways.values():
        if way.extension is not None:
            assert load_grid(TEXT, "t.yaml", [way.extension.setting]) == way.extension.grid
            assert way.seconds == pytest.approx(0.01 * way.extension.epochs)
            assert str(way).startswith("Add ")


def test_what_is_harder_to_decide_takes_more_points(open_sweep):
    found, _, grid = open_sweep
    design = design_of(found.steady)
    kinds = ("seeds", "smaller_lam", "finer_lam")
    candidates = [extension for kind in kinds for extension in extensions(grid, found.steady, kind)]
    chosen, enough = cheapest(verdict_of(-1.0, (-1.1001, -0.95), BAND), candidates, design)
    assert enough
    harder, _ = cheapest(verdict_of(-1.0, (-1.3, -0.7), BAND), candidates, design)
    assert harder.epochs >= chosen.epochs
    assert cheapest(verdict_of(-1.0, (-9.0, 9.0), BAND), candidates, design)[1] is False
    assert cheapest(verdict_of(None, None, None), [], design) == (None, False)


def test_kinds_that_did_not_decide_a_claim_are_left_out(open_sweep):
    found, verdicts, grid = open_sweep
    first = ways_out(verdicts, found.steady, grid, None)["scaling_eta"]
    again = ways_out(verdicts, found.steady, grid, None, [("scaling_eta", first.extension.lack)])["scaling_eta"]
    assert again.extension is None or again.extension.lack != first.extension.lack
    assert again.seconds is None
