"""Which λ a probe trains, for how long and what it costs, on real networks."""

import io

import pytest
from rich.console import Console

from results.store.sweep_dir import SweepDir
from results.store.tables import read_rows
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.driver.run import run_sweep
from sweeper.predict.predict import guess, predict
from sweeper.predict.probe import PointsFailedError, run_probe
from sweeper.predict.target import target_of

GRID = """
name: own
trainable:
  model: {name: fc, width: 32, depth: 2}
  data: {name: digits, train: 256}
  batch: 64
axes: {eta: [0.2], lam: [0.01]}
budget: {rule: fixed, constant: 10}
"""


def grid_of(*settings):
    return load_grid(GRID, "own.yaml", settings)


def runner(out):
    console = Console(file=io.StringIO())
    return lambda grid, *, report=True: run_sweep(grid, out, InProcessBackend, None, console, report=report)


def probed(tmp_path, *settings, longest=40.0, runs=1.5):
    return run_probe(target_of(grid_of(*settings)), longest, runs, tmp_path, runner(tmp_path))


def test_a_probe_trains_four_lam_around_the_typical_one_for_a_part_of_the_run(tmp_path):
    found = probed(tmp_path)
    typical = target_of(grid_of()).typical_lam(40.0)
    assert [t.lam / typical for t in found.trials] == pytest.approx([0.5, 2, 8, 32], rel=0.01)
    assert {t.length for t in found.trials} == {5.0}
    assert found.cost == pytest.approx(0.5)
    rows = read_rows(SweepDir(found.sweep), ["lam", "step", "test_acc"])
    one = rows[rows["lam"] == found.trials[1].lam]
    tail = one.loc[one["step"] >= 0.9 * 20, "test_acc"]
    assert found.trials[1].value == pytest.approx(tail.mean())
    assert 0.5 < found.trials[1].value < 1


def test_the_cost_is_for_each_seed_and_trials_are_means_over_them(tmp_path):
    one, two = probed(tmp_path), probed(tmp_path / "two", "axes.seed=[0, 1]")
    assert (two.cost, two.seeds) == (one.cost, 2)
    assert all(b.noise < a.noise for a, b in zip(one.trials, two.trials, strict=True))


def test_a_trial_has_the_whole_schedule_of_the_run_to_come(tmp_path):
    found = probed(tmp_path, "schedule={name: cosine}")
    rows = read_rows(SweepDir(found.sweep), ["lam", "step", "eta"])
    assert found.grid.schedule.name == "cosine"
    assert rows["step"].max() == 20


def test_measurements_are_a_bounded_share_of_the_arithmetic(tmp_path):
    """A step reads 64 samples three times; a measurement 256 + 1541 once."""
    found = probed(tmp_path, longest=800.0)
    rows = read_rows(SweepDir(found.sweep), ["point", "step"])
    measurements = rows.groupby("point", observed=True).size().max()
    assert measurements * (256 + 1541) < 0.25 * 400 * 64 * 3


def test_diverged_trials_do_not_count_and_where_all_do_it_is_a_guess(tmp_path):
    forecast = predict(grid_of("axes.eta=[1e8]"), [40.0], 1.5, tmp_path, runner(tmp_path))
    assert forecast.lam == guess(grid_of("axes.eta=[1e8]"), [40.0]).lam
    assert not forecast.trials
    assert any("all trials diverged" in warning for warning in forecast.warnings)
    assert any("η is too large" in warning for warning in forecast.warnings)


def test_points_that_fail_are_no_probe(tmp_path):
    grid = grid_of("trainable={function: 'models_support:failing', batch: full}")
    with pytest.raises(PointsFailedError, match=r"own-probe-400-1\.5: 4 points could not be trained: .*out of order"):
        predict(grid, [400.0], 1.5, tmp_path / "runs", runner(tmp_path / "runs"))


def test_norms_are_told(tmp_path):
    model = "trainable.model={name: cnn, channels: 2, dense: 4, pool: 2, batch_norm: running}"
    assert any("are followed by a norm" in warning for warning in guess(grid_of(model), [40.0]).warnings)
    assert not any("followed by a norm" in warning for warning in guess(grid_of(), [40.0]).warnings)
