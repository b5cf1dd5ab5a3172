"""Rounds of settling, on a sweep that trains for real."""

from dataclasses import replace

import pytest
from rich.console import Console

from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from search_spaces.points import make_points
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.driver.run import run_sweep
from sweeper.settle.rounds import MAX_TRIES, choose_way, open_ways, settle

GRID = """
name: open
trainable: {model: {name: fc, width: 8, depth: 1}, data: {name: digits, train: 32}, batch: full}
axes: {eta: [0.3, 1], lam: [0.03, 0.1], seed: [0]}
budget: {rule: inverse_eta_lam, constant: 2}
measure: {log: 20}
"""
CLAIMS = ("scaling", "small_lambda_ratio")


@pytest.fixture
def run(tmp_path):
    grids = []

    def run(grid):
        grids.append(grid)
        return run_sweep(grid, tmp_path, InProcessBackend, None, Console(quiet=True))

    run.grids, run.root = grids, tmp_path / "open"
    return run


@pytest.fixture
def grid():
    return load_grid(GRID, "open.yaml")


def test_points_are_added_until_time_is_up_and_the_sweep_holds_them(run, grid):
    asked = []
    settlement = settle(grid, CLAIMS, 5.0, run, lambda ways, first: asked.append((ways, first)) or True)
    ((ways, first),) = asked
    assert first in ways
    assert {way.claim for way in ways} <= set(CLAIMS)
    assert settlement.rounds
    counts = [len(make_points(grid)) for grid in run.grids]
    assert counts == sorted(set(counts))
    last = run.grids[-1]
    state = read_state(SweepDir(run.root))
    assert state.grid == last
    assert not state.missing(make_points(last))
    tries = [(round_.way.claim, round_.way.extension.lack) for round_ in settlement.rounds]
    assert max(tries.count(pair) for pair in tries) <= MAX_TRIES
    still_open = {v.claim for v in settlement.result.analysis.verdicts if v.verdict == "inconclusive"} & set(CLAIMS)
    assert bool(settlement.stopped) == bool(still_open)
    assert {claim for round_ in settlement.rounds for claim in round_.decided}.isdisjoint(still_open)


def test_nothing_is_trained_against_a_no(run, grid):
    settlement = settle(grid, (), 600.0, run, lambda ways, first: False)
    assert settlement.stopped == "nothing was trained"
    assert len(run.grids) == 1


def test_no_round_begins_that_the_time_does_not_cover(run, grid):
    settlement = settle(grid, (), 0.0, run, lambda ways, first: True)
    assert settlement.stopped.startswith("time is up: the next points take about ")
    assert not settlement.rounds


def test_what_should_decide_goes_before_what_is_cheap(run, grid):
    ways = open_ways(run(grid).analysis, grid, (), ())
    passable = [way for way in ways if way.extension]
    assert passable
    sure = replace(max(passable, key=lambda way: way.extension.epochs), enough=True)
    others = [replace(way, enough=False) for way in passable if way.claim != sure.claim]
    assert choose_way([*others, sure], 1e9) == (sure, "")
    assert choose_way([], 1e9) == (None, "")
    assert choose_way([replace(sure, extension=None)], 1e9)[0] is None


def test_a_sweep_that_lacks_points_is_completed_first(run, grid):
    first = grid.model_copy(update={"axes": grid.axes | {"lam": (0.1,)}})
    run(first)
    settle(grid, (), 0.0, run, lambda ways, first: True)
    assert not read_state(SweepDir(run.root)).missing(make_points(grid))
