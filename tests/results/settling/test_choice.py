"""The rule of the way out: the cheapest extension that should decide a claim."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.analysis.findings import find
from results.claims.judge import judge
from results.claims.verdict import Verdict
from results.settling.choice import cheapest, needed_share, ways_out
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


def test_needed_share_in_closed_form():
    assert needed_share(verdict_of(-1.0, (-1.2, -0.9), BAND)) == pytest.approx(0.5)
    assert needed_share(verdict_of(-0.95, (-1.05, -0.85), BAND)) == pytest.approx(0.5)
    assert needed_share(verdict_of(-0.85, (-0.95, -0.75), BAND)) == pytest.approx(0.5)
    assert needed_share(verdict_of(-1.0, None, BAND)) is None
    assert needed_share(verdict_of(0.005, (0.001, 0.013), (float("-inf"), 0.01))) == pytest.approx(0.625)


@given(st.floats(-1.5, -0.5), st.floats(0.01, 1), st.floats(0.01, 1))
def test_an_interval_of_that_share_is_decided_and_a_wider_one_is_not(value, below, above):
    verdict = verdict_of(value, (value - below, value + above), BAND)
    share = needed_share(verdict)

    def decided(by):
        low, high = value - below * by, value + above * by
        return (BAND[0] <= low and high <= BAND[1]) or high < BAND[0] or low > BAND[1]

    assert 0 <= share <= 1 or decided(1.0)
    if 1e-6 < share < 1:
        assert decided(share * 0.999)
        assert not decided(min(1.0, share * 1.001))


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


def test_of_extensions_that_suffice_the_cheapest_is_chosen(open_sweep):
    found, _, grid = open_sweep
    design = design_of(found.steady)
    candidates = list(extensions(grid, found.steady, ["seeds", "smaller_lam", "finer_lam"]))
    chosen, enough = cheapest(verdict_of(-1.0, (-1.12, -0.95), BAND), candidates, design)
    assert enough
    easier, _ = cheapest(verdict_of(-1.0, (-1.101, -0.95), BAND), candidates, design)
    assert easier.epochs <= chosen.epochs
    assert cheapest(verdict_of(-1.0, (-9.0, 9.0), BAND), candidates, design)[1] is False
    assert cheapest(verdict_of(None, None, None), [], design) == (None, False)


def test_kinds_that_did_not_decide_a_claim_are_left_out(open_sweep):
    found, verdicts, grid = open_sweep
    first = ways_out(verdicts, found.steady, grid, None)["scaling_eta"]
    again = ways_out(verdicts, found.steady, grid, None, [("scaling_eta", first.extension.lack)])["scaling_eta"]
    assert again.extension is None or again.extension.lack != first.extension.lack
    assert again.seconds is None
