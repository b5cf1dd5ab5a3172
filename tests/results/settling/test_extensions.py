"""Extensions of a grid: new values of one axis, with the points and the cost that they make."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from results.settling.extensions import extensions
from search_spaces.points import make_points
from search_spaces.reading.load import load_grid

TEXT = """
name: t
trainable: {model: {name: fc, width: 8}, data: {name: digits, train: 64}, batch: full}
axes: {eta: [0.3, 3], lam: [0, 1.0e-3, 1.0e-2], seed: [0, 4]}
budget: {rule: inverse_eta_lam, constant: 2, zero_lam: 100}
measure: {log: 10}
"""


@pytest.fixture
def grid():
    return load_grid(TEXT, "t.yaml")


def peaks_of(grid, **changes) -> pd.DataFrame:
    points = make_points(grid)
    frame = pd.DataFrame([point.axes() | {"point": point.id, "budget": point.budget} for point in points])
    rate = frame["eta"] * frame["lam"]
    star = 0.5 / rate.where(rate > 0, 1e-2)
    frame = frame.assign(
        outcome="completed", t_star=star, t_star_step=star, kappa=0.5, best_test_acc=0.9, censored=False, mu=0.0
    )
    return frame.assign(last_epoch=frame["budget"], **changes)


def values_of(grid, lack, **changes):
    return [extension.values for extension in extensions(grid, peaks_of(grid, **changes), lack)]


def test_seeds_go_on_after_the_largest(grid):
    assert values_of(grid, "seeds")[:2] == [(5,), (5, 6)]


def test_lam_goes_on_in_the_ratio_of_the_grid(grid):
    assert values_of(grid, "smaller_lam")[:2] == [(1e-4,), (1e-4, 1e-5)]
    assert values_of(grid, "larger_lam") == [(0.1,)]
    assert values_of(grid, "finer_lam") == [(pytest.approx(10**-2.5, rel=1e-5),)]


def test_no_larger_lam_where_the_largest_keeps_the_network_from_learning(grid):
    learned = peaks_of(grid)
    low = learned["best_test_acc"].where(learned["lam"] < 1e-2, 0.2)
    assert list(extensions(grid, learned.assign(best_test_acc=low), "larger_lam")) == []


def test_no_larger_eta_where_the_largest_diverged(grid):
    assert (30.0,) in values_of(grid, "eta")
    peaks = peaks_of(grid)
    lost = peaks["outcome"].where(peaks["eta"] < 3, "diverged")
    assert (30.0,) not in [e.values for e in extensions(grid, peaks.assign(outcome=lost), "eta")]


def test_by_another_metric_a_larger_eta_follows_one_that_learned(grid):
    unknown = peaks_of(grid).assign(best_test_acc=np.nan)
    learned = unknown["eta"] < 3
    assert (30.0,) in [e.values for e in extensions(grid, unknown.assign(learned=True), "eta")]
    assert (30.0,) not in [e.values for e in extensions(grid, unknown.assign(learned=learned), "eta")]


def test_no_larger_eta_where_the_largest_learns_less(grid):
    peaks = peaks_of(grid)
    low = peaks["best_test_acc"].where(peaks["eta"] < 3, 0.5)
    assert (30.0,) not in [e.values for e in extensions(grid, peaks.assign(best_test_acc=low), "eta")]


def test_budgets_are_ten_times_an_observed_peak_and_within_the_runs(grid):
    (extension,) = extensions(grid, peaks_of(grid), "budgets")
    assert extension.points == 0
    assert extension.values[0] == pytest.approx(10 * 0.5 / 3e-2, rel=0.05)
    assert max(extension.values) <= 2 / 3e-4
    assert extension.setting == f"analysis.budgets=[{','.join(f'{v:.6g}' for v in extension.values)}]"


def test_an_extension_keeps_the_points_of_the_grid_and_counts_the_new_ones(grid):
    first = next(iter(extensions(grid, peaks_of(grid), "seeds")))
    new = {p.id for p in make_points(first.grid)} - {p.id for p in make_points(grid)}
    assert len(new) == first.points == 6
    assert len(make_points(first.grid)) == len(make_points(grid)) + 6
    assert first.epochs == pytest.approx(2 * 100 + 2 / 3e-4 + 2 / 3e-3 + 2 / 3e-3 + 2 / 3e-2)
    assert first.setting == "axes.seed=[0,4,5]"


def test_a_setting_gives_the_grid_of_the_extension(grid):
    for lack in ("seeds", "smaller_lam", "finer_lam", "eta", "budgets"):
        for extension in list(extensions(grid, peaks_of(grid), lack))[:2]:
            assert load_grid(TEXT, "t.yaml", [extension.setting]) == extension.grid


def test_longer_budgets_are_another_sweep(grid):
    assert list(extensions(grid, peaks_of(grid), "longer")) == []
    assert np.isfinite(peaks_of(grid)["kappa"]).all()


def test_a_grid_of_lam_0_alone_has_no_ratio_and_no_lam_to_add():
    grid = load_grid(TEXT, "t.yaml", ["axes.lam=[0]"])
    for lack in ("smaller_lam", "larger_lam", "finer_lam"):
        assert list(extensions(grid, peaks_of(grid), lack)) == []
    assert next(extensions(grid, peaks_of(grid), "seeds")).points == 2


def test_no_extension_that_a_grid_may_not_have():
    long = load_grid(TEXT, "t.yaml", ["axes.lam=[1e-9,1e-6]"])
    assert list(extensions(long, peaks_of(long), "smaller_lam")) == []  # budgets beyond 1e10 epochs
    kept = load_grid(TEXT, "t.yaml", ["budget.leave_out=10000"])
    assert list(extensions(kept, peaks_of(kept), "smaller_lam"))[-1].points == 2  # of 16, 14 would train too long


def test_the_cost_is_that_of_the_points_that_the_extended_grid_has(grid):
    known = {point.id for point in make_points(grid)}
    for lack in ("seeds", "smaller_lam", "larger_lam", "finer_lam", "eta"):
        for extension in extensions(grid, peaks_of(grid), lack):
            new = [point for point in make_points(extension.grid) if point.id not in known]
            assert extension.points == len(new)
            assert extension.epochs == pytest.approx(sum(point.budget for point in new))
            assert extension.cells == Counter((point.eta, point.lam) for point in new)
