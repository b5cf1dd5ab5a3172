import numpy as np
import pandas as pd
import pytest

from results.analysis.budgets import steady_rows, tuned_and_predicted, usual_budgets, within_budget
from results.analysis.curves import collapse_curves
from results.analysis.peaks import find_peaks
from results.analysis.regime import TrainingRegime
from search_spaces.sections.optimizer import Cosine, Piecewise

CURVE = [0.1, 0.5, 0.9, 0.8, 0.7, 0.65, 0.6, 0.5, 0.4, 0.3]


def test_maximum_up_to_each_budget(point_rows):
    rows = point_rows("a", CURVE, budget=10)
    table = within_budget(rows, [2, 3, 5, 100])
    assert table.acc.tolist() == pytest.approx([0.5, 0.9, 0.9, 0.9])
    assert table.reached.tolist() == [2, 3, 5, 10]
    assert list(table.columns) == ["point", "seed", "eta", "lam", "mu", "budget_at", "acc", "reached"]


def test_a_run_cut_short_counts_only_past_its_peak(point_rows):
    rising = point_rows("rising", CURVE[:3], budget=10)
    falling = point_rows("falling", CURVE[:6], budget=10)
    short = point_rows("short", CURVE[:3], budget=3)
    slow = point_rows("slow", CURVE[:3], budget=3).assign(decay_time=[0.4, 0.8, 1.2])
    table = within_budget(pd.concat([rising, falling, short, slow]), [2, 8]).set_index(["point", "budget_at"]).acc
    assert table["rising", 2] == pytest.approx(0.5)  # it went that far
    assert np.isnan(table["rising", 8])
    assert table["falling", 8] == pytest.approx(0.9)
    assert np.isnan(table["short", 8])  # its budget is over, but it could have risen until T
    assert table["slow", 8] == pytest.approx(0.9)  # it outlived any peak: s = 1.2


def test_no_measurement_within_the_budget_and_nan(point_rows):
    rows = point_rows("a", [np.nan, *CURVE])
    assert within_budget(rows, [1]).acc.isna().all()
    assert within_budget(rows.iloc[:1], [1]).empty
    assert within_budget(pd.DataFrame(), [1]).empty
    assert within_budget(rows, []).empty


SCHEDULED = TrainingRegime(schedule=Piecewise(name="piecewise"))


def test_with_a_schedule_only_runs_of_the_very_budget_count(point_rows):
    rows = pd.concat([point_rows("ten", CURVE, budget=10), point_rows("five", CURVE[:5], budget=5)])
    table = within_budget(rows, [5, 10], regime=SCHEDULED).set_index(["point", "budget_at"]).acc
    assert table["five", 5] == pytest.approx(0.9)
    assert table["ten", 10] == pytest.approx(0.9)
    assert np.isnan([table["ten", 5], table["five", 10]]).all()
    cut = within_budget(rows[rows.epoch <= 7], [10], regime=SCHEDULED).set_index("point").acc
    assert np.isnan(cut["ten"])  # it did not train its budget
    with pytest.raises(ValueError, match="rows lacks the columns budget"):
        within_budget(rows.drop(columns="budget"), [5], regime=SCHEDULED)


def test_steady_rows_end_with_the_first_decay_of_each_point(point_rows, points_of):
    rows = pd.concat([point_rows("ten", CURVE, budget=10), point_rows("twenty", CURVE, budget=20)])
    points = points_of(rows)
    assert steady_rows(rows, points, TrainingRegime()) is rows
    steady = steady_rows(rows, points, SCHEDULED)
    assert steady.groupby("point").epoch.max().to_dict() == {"ten": 3, "twenty": 6}
    assert steady_rows(rows, points, TrainingRegime(schedule=Cosine(name="cosine"))).empty
    of_one = rows[rows.point == "ten"].assign(point=lambda r: r.point.astype("category"))
    assert steady_rows(of_one, points, SCHEDULED).epoch.max() == 3


def test_further_axes_are_columns(point_rows):
    table = within_budget(point_rows("a", CURVE, width=64), [5])
    assert table.width.tolist() == [64]


def two_sided(eta, lam):
    """Best accuracy falls a little with lam, so that at a fixed budget an interior lam wins."""
    return 0.85 - 2 * lam


@pytest.fixture
def sweep(make_sweep):
    lams = tuple(np.geomspace(1e-4, 1e-1, 13))
    return make_sweep(etas=(0.05, 0.1), lams=lams, lift=two_sided, steps_per_epoch=10, measurements=400)


def test_prediction_from_a_probe_finds_the_tuned_lam(sweep, star_over_peak):
    rows, points = sweep
    peaks = find_peaks(rows, points)
    table = tuned_and_predicted(rows, peaks, [300, 1000])
    assert len(table) == 4
    assert (table.why == "").all()
    lams = np.unique(peaks.lam)
    for row in table.itertuples():
        probes = lams[row.eta * lams * row.budget_at >= 1]  # a decay time of 1 within T/10, at 10 steps an epoch
        early = np.exp(np.mean(np.log([star_over_peak(lift=two_sided(row.eta, lam)) for lam in probes])))
        assert row.c == pytest.approx(0.5 * early / row.eta / 10, rel=0.05)
    assert table.lam_pred.tolist() == pytest.approx((table.c / table.budget_at).tolist())
    assert table.ratio.between(0.3, 3).all()
    assert (table.gap.abs() < 0.01).all()
    assert (table.lam_tuned_low <= table.lam_tuned).all()
    assert (table.lam_tuned <= table.lam_tuned_high).all()
    assert (table.lams == 13).all()
    assert table.acc_zero.isna().all()
    for row in table.itertuples():
        probe = peaks[(peaks.eta == row.eta) & ~peaks.censored & (row.eta * peaks.lam * row.budget_at >= 1 - 1e-9)]
        assert 0 < row.probe_points <= len(probe)  # some of these are not yet seen to fall at T/10


def test_a_probe_knows_only_what_it_measured(point_rows, points_of):
    """The maximum at epoch 9 of 100 is past for the whole run, but not for a probe that ends with epoch 10."""
    curve = [*np.linspace(0.1, 0.9, 9), *np.linspace(0.899, 0.3, 91)]
    rows = point_rows("a", curve, lam=1.0, budget=100)  # a decay time of 1 at epoch 10
    peaks = find_peaks(rows, points_of(rows))
    known, unknown = (tuned_and_predicted(rows, peaks, [budget]).iloc[0] for budget in (200, 100))
    assert not peaks.censored[0]
    assert (known.probe_points, unknown.probe_points) == (1, 0)


def test_a_fall_in_the_first_epochs_of_a_probe_is_no_maximum_that_is_past(point_rows, points_of):
    """Test accuracy dips at epoch 5 and rises on until epoch 60: a probe of 20 epochs sees the dip alone."""
    curve = [
        *np.linspace(0.1, 0.6, 5),
        *np.linspace(0.5, 0.58, 15),
        *np.linspace(0.6, 0.9, 40),
        *np.linspace(0.89, 0.5, 140),
    ]
    rows = point_rows("a", curve, lam=0.1, budget=200)  # a decay time of 1 at epoch 100
    peaks = find_peaks(rows, points_of(rows))
    table = tuned_and_predicted(rows, peaks, [200, 1000]).set_index("budget_at")
    assert table.probe_points.to_dict() == {200: 0, 1000: 1}
    assert table.c[1000] == pytest.approx(60 * 0.1, rel=0.05)


def test_interpolated_accuracy_lies_between_the_neighbours(sweep):
    rows, points = sweep
    peaks = find_peaks(rows, points)
    row = tuned_and_predicted(rows, peaks, [300]).iloc[0]
    acc = within_budget(rows[rows.eta == row.eta], [300]).sort_values("lam")
    below, above = acc[acc.lam <= row.lam_pred].iloc[-1], acc[acc.lam > row.lam_pred].iloc[0]
    share = np.log(row.lam_pred / below.lam) / np.log(above.lam / below.lam)
    assert row.acc_pred == pytest.approx(below.acc + share * (above.acc - below.acc))


def test_what_cannot_be_predicted_says_why(sweep):
    rows, points = sweep
    peaks = find_peaks(rows, points)
    early, late = tuned_and_predicted(rows[rows.eta == 0.05], peaks[peaks.eta == 0.05], [5, 1e6]).itertuples()
    assert np.isnan(early.lam_pred)
    assert early.why == "no maximum is past within a tenth of the budget of 5 epochs"
    assert (early.probe_points, np.isfinite(early.acc_tuned)) == (0, True)
    assert np.isfinite(late.lam_pred)
    assert np.isnan(late.acc_pred)
    assert "outside the grid" in late.why


def test_lam_zero_is_never_tuned_but_its_accuracy_is_shown(point_rows, points_of):
    rows = pd.concat([point_rows("zero", [0.1, 0.99, 0.5], lam=0.0), point_rows("some", [0.1, 0.9, 0.5], lam=0.1)])
    row = tuned_and_predicted(rows, find_peaks(rows, points_of(rows)), [3]).iloc[0]
    assert (row.lam_tuned, row.acc_tuned, row.acc_zero) == (0.1, pytest.approx(0.9), pytest.approx(0.99))


def test_spread_is_all_lam_within_a_thousandth(point_rows, points_of):
    accuracies = {1e-3: 0.9, 1e-2: 0.9005, 1e-1: 0.9012, 1.0: 0.8}
    rows = pd.concat([point_rows(str(lam), [0.1, acc, 0.5], lam=lam) for lam, acc in accuracies.items()])
    row = tuned_and_predicted(rows, find_peaks(rows, points_of(rows)), [3]).iloc[0]
    assert (row.lam_tuned_low, row.lam_tuned, row.lam_tuned_high) == (1e-2, 1e-1, 1e-1)


def test_no_points_and_no_budgets(sweep):
    rows, points = sweep
    peaks = find_peaks(rows, points)
    assert tuned_and_predicted(rows, peaks, []).empty
    empty = tuned_and_predicted(pd.DataFrame(), find_peaks(pd.DataFrame(), points.iloc[:0]), [1])
    assert empty.empty
    assert "lam_pred" in empty
    unmeasured = tuned_and_predicted(pd.DataFrame(), find_peaks(pd.DataFrame(), points), [1])
    assert unmeasured.acc_tuned.isna().all()


def test_collapse_keeps_first_best_and_last_of_at_most_400(point_rows, points_of):
    step = np.arange(0, 20_001)
    curve = 0.9 * np.exp(-(np.log((step + 1) / 7001) ** 2))
    rows = pd.concat([point_rows("a", curve, step), point_rows("b", CURVE), point_rows("zero", CURVE, lam=0.0)])
    peaks = find_peaks(rows, points_of(rows))
    curves = collapse_curves(rows, peaks)
    sizes = curves.groupby("point").size()
    assert 200 < sizes["a"] <= 400
    assert sizes["b"] == len(CURVE)
    assert "zero" not in sizes
    kept = curves[curves.point == "a"].step
    assert kept.is_monotonic_increasing
    assert {0, int(peaks.t_star_step[0]), 20_000} <= set(kept)
    assert list(curves.columns) == ["point", "seed", "eta", "lam", "mu", "step", "epoch", "decay_time", "test_acc"]
    assert collapse_curves(rows.iloc[:0], peaks).empty


def test_a_grid_without_budgets_has_the_longest_and_its_tenth_and_hundredth_or_those_of_a_schedule():
    points = pd.DataFrame({"point": list("abcd"), "eta": 0.1, "lam": 0.1, "mu": 0.0, "budget": [2.0, 5.0, 20.0, 20.0]})
    assert usual_budgets(points, TrainingRegime()) == (0.2, 2.0, 20.0)
    assert usual_budgets(points, TrainingRegime(schedule=Cosine(name="cosine"))) == (2.0, 5.0, 20.0)
    assert usual_budgets(points.iloc[:0], TrainingRegime()) == ()
