"""Which λ a probe trains, when it ends and what it costs: against points that follow the law to the letter."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from results.forecast.coefficient import LOG_DRIFT_STD
from results.forecast.measured_kappas import expected_kappa
from results.store.sweep_dir import SweepDir
from search_spaces.outcome import Outcome
from search_spaces.points import make_points
from search_spaces.reading.load import load_grid
from sweeper.predict.check import verify_forecast
from sweeper.predict.predict import predict
from sweeper.predict.probe import PointsFailedError

GRID = """
name: own
trainable:
  model: {name: fc, width: 8, depth: 1}
  data: {name: digits, train: 100}
axes: {eta: [1], lam: [0.01]}
budget: {rule: fixed, constant: 10}
"""
T = 100_000.0  # epochs of one step
KNOWN = expected_kappa("sgd", batch_norm=False)


class Law:
    """In place of training: points at κ(λ), ended as ``stop: peaked`` ends them."""

    def __init__(self, out, kappa, *, fitted=False, learns_below=np.inf, changed=None):
        self.out, self.kappa, self.fitted, self.learns_below = out, kappa, fitted, learns_below
        self.changed = changed or {}
        self.grids, self.reports = [], []

    def __call__(self, grid, *, report=True):
        self.reports.append(report)
        if grid not in self.grids:
            self.grids.append(grid)
        most = grid.budget.max or grid.budget.constant
        rows = [self._point(p.lam, p.seed, most) | {"point": p.id} for p in make_points(grid)]
        foreign = [self._point(1e-3, 0, most) | {"point": "of another set-up", "kappa": 9.0}]
        peaks = pd.DataFrame(rows + foreign).assign(**self.changed)
        folder = SweepDir(self.out / grid.name).analysis
        folder.mkdir(parents=True, exist_ok=True)
        peaks.to_parquet(folder / "peaks.parquet")
        self.rows = pd.concat([peaks.assign(step=n, test_acc=peaks["best_test_acc"] / n) for n in (1, 2)])
        ends = {str(i): SimpleNamespace(outcome=Outcome(o), why="") for i, o in enumerate(peaks["outcome"])}
        analysis = SimpleNamespace(findings=SimpleNamespace(peaks=peaks), seconds_per_epoch=1e-3)
        return SimpleNamespace(ends=ends, missing=0, analysis=analysis)

    def _point(self, lam, seed, most):
        kappa = self.kappa(lam) if callable(self.kappa) else self.kappa
        kappa = kappa if lam < self.learns_below else 0.3  # of noise
        steps = min(np.ceil(max(1, 2.5 * kappa) / lam), most)
        star = min(kappa / lam, steps)
        return {
            "lam": lam, "seed": seed, "kappa": star * lam, "t_star": star, "t_star_step": star, "last_step": steps,
            "last_decay_time": steps * lam, "outcome": "stopped" if steps < most else "completed", "censored": False,
            "best_test_acc": 0.9 if lam < self.learns_below else 0.1, "best_train_acc": 1.0 if self.fitted else 0.8,
        }  # fmt: skip

    @property
    def lams(self):
        return self.grids[-1].axes["lam"]


def probe(tmp_path, kappa, *settings, share=0.1, budget=T, **law):
    run = Law(tmp_path, kappa, **law)
    return predict(load_grid(GRID, "own.yaml", settings), [budget], share, tmp_path, run), run


def test_kappa_of_the_law_is_found_for_a_tenth_of_a_run(tmp_path):
    forecast, run = probe(tmp_path, 0.6)
    assert forecast.probe.kappa == pytest.approx(0.6, rel=0.01)
    assert 0.05 < forecast.cost <= 0.1
    assert forecast.lam == pytest.approx(forecast.kappa / T)
    assert 0.6 < forecast.kappa < KNOWN.kappa or KNOWN.kappa < forecast.kappa < 0.6  # weighed with the sweeps
    assert list(run.lams) == sorted(run.lams, reverse=True)
    assert forecast.lams == run.lams


def test_the_report_of_a_probe_is_drawn_once_and_only_where_it_is_kept(tmp_path):
    forecast, run = probe(tmp_path, 0.6)
    assert run.reports == [False] * len(run.grids) + [True]
    assert SweepDir(tmp_path / run.grids[0].name).prediction.is_file()
    assert forecast.run_seconds == pytest.approx(1e-3 * T)
    assert "one run takes about 100.0 s" in str(forecast)
    run = Law(tmp_path / "temporary", 0.6)
    predict(load_grid(GRID, "own.yaml"), [T], 0.1, tmp_path / "temporary", run, pages=False)
    assert True not in run.reports
    assert not SweepDir(tmp_path / "temporary" / run.grids[0].name).prediction.exists()


def test_two_lam_that_fit_the_training_set_are_enough(tmp_path):
    forecast, run = probe(tmp_path, 0.6, fitted=True)
    assert len(run.grids) == 1
    assert forecast.cost < 0.02
    assert not forecast.warnings


def test_lam_that_do_not_agree_are_told(tmp_path):
    forecast, _ = probe(tmp_path, lambda lam: 0.4 * (0.01 / lam) ** 0.4)
    assert not forecast.probe.steady
    assert any("it may go on changing" in warning for warning in forecast.warnings)


def test_three_lam_that_agree_are_enough_and_two_are_not(tmp_path):
    _, run = probe(tmp_path, 0.6, share=0.8)
    assert [len(grid.axes["lam"]) for grid in run.grids] == [2, 3]


def test_a_share_is_spent_in_stages_each_twice_the_last(tmp_path):
    """κ that grows towards small λ never settles."""
    forecast, run = probe(tmp_path, lambda lam: 0.5 * (0.01 / lam) ** 0.3, share=0.8)
    assert [len(grid.axes["lam"]) for grid in run.grids] == [2, 3, 4]
    spent = [0.0]
    for grid in run.grids:
        spent.append(sum(max(1, 2.5 * run.kappa(lam)) / lam for lam in grid.axes["lam"]) / T)
    assert forecast.cost == pytest.approx(spent[-1], rel=0.01)
    assert spent == sorted(spent)


def test_what_the_probe_costs_is_for_each_seed(tmp_path):
    one, _ = probe(tmp_path, 0.6)
    three, _ = probe(tmp_path, 0.6, "axes.seed=[0, 1, 2]", "name=three")
    assert three.cost == pytest.approx(one.cost)
    assert three.seeds == 3


def test_large_lam_that_learn_nothing_do_not_count(tmp_path):
    forecast, run = probe(tmp_path, 0.6, learns_below=1e-3)
    (smallest,) = forecast.probe.lams
    assert smallest == run.lams[-1] < 1e-3


def test_a_large_kappa_that_the_probe_cannot_see_raises_the_guess(tmp_path):
    forecast, run = probe(tmp_path, 30.0, learns_below=1e-3)
    assert forecast.probe is None
    assert KNOWN.kappa < forecast.kappa < 30
    assert forecast.low == KNOWN.low
    assert "no λ of the probe has learned and then been seen past its peak" in forecast.warnings[0]
    assert "weighed with a lower bound of" in forecast.warnings[1]
    assert all(grid.budget.max == 0.1 * T for grid in run.grids)  # no point costs more than the share


def test_a_small_kappa_of_large_lam_is_not_believed_against_a_bound(tmp_path):
    forecast, _ = probe(tmp_path, lambda lam: 0.1 if lam > 1e-3 else 30.0)
    assert forecast.probe is None
    assert "far below what its smallest shows" in forecast.warnings[0]


def test_the_probe_trains_at_constant_eta_whatever_the_schedule(tmp_path):
    constant, run = probe(tmp_path, 0.6)
    falling, cosine = probe(tmp_path, 0.6, "schedule={name: cosine}", "name=falling")
    assert {grid.schedule.name for grid in cosine.grids} == {"constant"}
    assert cosine.lams == run.lams
    assert falling.lam == pytest.approx(2 * constant.lam, rel=0.01)


def test_a_training_set_that_is_not_fitted_near_lam_pred_is_told(tmp_path):
    near, _ = probe(tmp_path, 0.6, share=0.8, learns_below=5e-5)
    assert near.probe.lams[0] < 10 * near.lam
    assert any("the training set is not fitted" in warning for warning in near.warnings)
    far, _ = probe(tmp_path, 0.6, "name=far")
    assert far.probe.lams[0] > 10 * far.lam
    assert not far.warnings


def test_norms_and_divergence_are_told(tmp_path):
    normed = "trainable.model={name: cnn, channels: 2, dense: 4, pool: 2, batch_norm: batch}"
    forecast, _ = probe(tmp_path, 1.0, normed)
    assert any("followed by a norm" in warning for warning in forecast.warnings)
    diverged, _ = probe(tmp_path, 0.6, "name=diverged", changed={"outcome": "diverged"})
    assert diverged.probe is None
    assert "points of the probe diverged: η is too large" in diverged.warnings[-1]


def test_points_that_fail_are_no_probe_and_no_verification(tmp_path):
    with pytest.raises(PointsFailedError, match=r"own-probe-100000-0\.1: 3 points could not be trained"):
        probe(tmp_path, 0.6, changed={"outcome": "failed"})
    forecast, _ = probe(tmp_path, 0.6)
    grid = load_grid(GRID, "own.yaml", [])
    with pytest.raises(PointsFailedError, match="own-verify-100000: 4 points"):
        verify_forecast(grid, forecast, tmp_path, Law(tmp_path, 0.6, changed={"outcome": "failed"}))
    unsure = verify_forecast(grid, forecast, tmp_path, Law(tmp_path, 0.6, changed={"outcome": "diverged"}))
    assert unsure.checks == ()
    assert "was not verified: points diverged" in unsure.warnings[-1]


def test_a_verification_compares_a_third_and_three_times(tmp_path, monkeypatch):
    forecast, run = probe(tmp_path, 0.6)
    monkeypatch.setattr("sweeper.predict.check.read_rows", lambda directory, columns: run.rows[columns])
    (check,) = verify_forecast(load_grid(GRID, "own.yaml", []), forecast, tmp_path, run).checks
    assert np.array(check.lams) / forecast.lam == pytest.approx([1 / 3, 1, 3], rel=0.01)
    assert check.held
    assert check.finals == pytest.approx([accuracy / 2 for accuracy in check.accuracies])


def test_the_interval_of_a_single_lam_is_that_of_its_drift_twice(tmp_path):
    forecast, _ = probe(tmp_path, 0.6, learns_below=1e-3)
    assert np.log(forecast.probe.high / forecast.probe.kappa) == pytest.approx(1.96 * np.sqrt(2) * LOG_DRIFT_STD)
