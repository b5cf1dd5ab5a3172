import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from results.analysis.peaks import find_peaks
from results.analysis.selection import in_law
from search_spaces.sections.metric import Metric

LOSS = Metric(name="test_loss")
RISE_FALL = [0.1, 0.5, 0.9, 0.95, 0.952, 0.94, 0.8, 0.7, 0.6, 0.5]
ACCURACIES = hnp.arrays(np.float32, st.integers(1, 40), elements=st.integers(0, 100).map(lambda i: i / 100))
SHARED_FIXTURES = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_earliest_measurement_within_tolerance_of_the_maximum(point_rows, points_of):
    rows = point_rows("a", RISE_FALL, eta=0.5, lam=0.02, steps_per_epoch=2, train_acc=[0.5, 0.9, *[1.0] * 8])
    peak = find_peaks(rows, points_of(rows)).iloc[0]
    assert (peak.t_star_step, peak.t_star) == (4, 2.0)
    assert peak.kappa == pytest.approx(4 * 0.5 * 0.02)
    assert peak.best_test_acc == pytest.approx(0.952)
    assert (peak.best_epoch, peak.t_train1, peak.best_train_acc) == (2.5, 1.5, 1.0)
    assert (peak.last_epoch, peak.last_step, peak.measurements) == (5.0, 10, 10)
    assert peak.last_decay_time == pytest.approx(0.1)
    assert not peak.censored
    assert peak.censored_why == ""


def test_accuracy_when_the_training_set_is_fitted_and_when_its_loss_turns(point_rows, points_of):
    loss = [3.0, 2.0, 1.0, 0.5, np.nan, 0.4, 0.6, 0.7, 0.8, 0.9]
    rows = point_rows("a", RISE_FALL, steps_per_epoch=2, train_acc=[0.5, 0.9, *[1.0] * 8], train_loss=loss)
    peak = find_peaks(rows, points_of(rows.drop(columns="train_loss"))).iloc[0]
    assert peak.acc_train1 == pytest.approx(0.9)
    assert (peak.t_min_loss, peak.min_train_loss) == (3.0, pytest.approx(0.4))
    assert peak.last_train_loss == pytest.approx(0.85)  # mean of the last tenth, from epoch 4.5 of 5
    never = find_peaks(
        rows.drop(columns="train_loss").assign(train_acc=0.9), points_of(rows.drop(columns="train_loss"))
    )
    assert never[["acc_train1", "t_min_loss", "min_train_loss", "last_train_loss"]].isna().all(axis=None)


def test_a_tie_at_the_tolerance_counts_as_within_in_float32(point_rows, points_of):
    for images in range(9000, 9500, 50):  # of 10 000; 0.005 is 50 images
        rows = point_rows("a", [0.1, (images - 50) / 1e4, images / 1e4, 0.5, 0.4])
        assert find_peaks(rows, points_of(rows)).t_star_step[0] == 2


def test_no_decay_time_without_l2_and_t_train1_is_missing_if_never(point_rows, points_of):
    rows = point_rows("a", RISE_FALL, lam=0.0, train_acc=0.99)
    peak = find_peaks(rows, points_of(rows)).iloc[0]
    assert np.isnan(peak.kappa)
    assert np.isnan(peak.t_train1)
    assert peak.t_star == 4


@pytest.mark.parametrize(
    ("curve", "why"),
    [
        (np.linspace(0.1, 0.9, 30), "maximum in the last tenth"),
        ([0.1, 0.5, *[0.9] * 40], "not seen to fall"),
        ([0.1, 0.5, *[0.9, 0.896] * 20], "maximum in the last tenth|not seen to fall"),
        ([0.1] * 40, "not seen to fall"),
        ([0.9], "maximum in the last tenth"),
        ([*[0.1] * 18, 0.9, 0.905], "last tenth"),
    ],
)
def test_a_run_not_seen_to_fall_is_censored(point_rows, points_of, curve, why):
    rows = point_rows("a", curve)
    peak = find_peaks(rows, points_of(rows)).iloc[0]
    assert peak.censored
    assert pd.Series([peak.censored_why]).str.contains(why).all()


@pytest.mark.parametrize(
    ("plateau", "lam", "observed"),
    [(8, 1.0, True), (7, 1.0, True), (5, 1.0, False), (20, 0.1, False)],
    ids=["as long again", "just as long", "shorter", "before decay time 1"],
)
def test_a_plateau_as_long_as_t_star_shows_the_maximum_as_a_fall_does(point_rows, points_of, plateau, lam, observed):
    rows = point_rows("a", [*np.linspace(0.1, 0.8, 6), *[0.9, 0.898] * plateau][: 7 + plateau], lam=lam, eta=0.3)
    peak = find_peaks(rows, points_of(rows)).iloc[0]
    assert peak.t_star_step == 7
    assert peak.last_decay_time == pytest.approx(0.3 * lam * (7 + plateau))
    assert peak.censored != observed


def test_cut_short_before_or_after_the_peak(point_rows, points_of):
    rows = pd.concat([point_rows("before", RISE_FALL[:4]), point_rows("after", RISE_FALL[:8])])
    for outcome, said in {"failed": "failed: ", "stopped": "", "completed": ""}.items():
        peaks = find_peaks(rows, points_of(rows, outcome=outcome))
        assert peaks.censored.tolist() == [True, False]
        assert peaks.censored_why[0] == f"{said}maximum in the last tenth of the run"


def test_nan_is_never_a_maximum_nor_the_end_of_a_run(point_rows, points_of):
    rows = point_rows("a", [np.nan, *RISE_FALL, np.nan, np.nan])
    peak = find_peaks(rows, points_of(rows, outcome="diverged")).iloc[0]
    assert (peak.t_star_step, peak.last_step, peak.measurements) == (5, 11, 10)
    assert not peak.censored


def test_points_without_measurements_are_kept_in_order(point_rows, points_of):
    rows = pd.concat([point_rows("empty", [np.nan]), point_rows("b", RISE_FALL), point_rows("nan", [np.nan, np.nan])])
    points = points_of(rows)
    peaks = find_peaks(rows[rows.point == "b"], points)
    assert peaks.point.tolist() == ["empty", "b", "nan"]
    assert peaks.measurements.tolist() == [0, 10, 0]
    assert peaks.t_star.isna().tolist() == [True, False, True]
    assert peaks.censored.tolist() == [True, False, True]
    assert peaks.censored.dtype == bool
    assert peaks.censored_why[0] == "no measurement of test accuracy"


def test_empty_tables(point_rows, points_of):
    rows = point_rows("a", RISE_FALL)
    assert len(find_peaks(rows.iloc[:0], points_of(rows))) == 1
    assert len(find_peaks(pd.DataFrame(), points_of(rows))) == 1
    assert len(find_peaks(rows, points_of(rows).iloc[:0])) == 0


def test_axes_are_kept_and_bookkeeping_is_not(point_rows, points_of):
    rows = point_rows("a", RISE_FALL, **{"model.width": 64})
    peaks = find_peaks(rows, points_of(rows).assign(host="somewhere"))
    assert peaks["model.width"].tolist() == [64]
    assert "host" not in peaks


def test_bad_input_is_refused(point_rows, points_of):
    rows = point_rows("a", RISE_FALL)
    points = points_of(rows)
    with pytest.raises(ValueError, match=r"rows lacks the columns test_acc"):
        find_peaks(rows.drop(columns="test_acc"), points)
    with pytest.raises(ValueError, match=r"points has 'a' twice"):
        find_peaks(rows, pd.concat([points, points]))
    with pytest.raises(ValueError, match=r"between 0 and 1"):
        find_peaks(rows, points, tolerance=5)


@SHARED_FIXTURES
@given(curves=st.lists(ACCURACIES, min_size=1, max_size=4), order=st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(point_rows, points_of, curves, order):
    rows = pd.concat([point_rows(f"p{i}", curve) for i, curve in enumerate(curves)], ignore_index=True)
    shuffled = rows.iloc[order.sample(range(len(rows)), len(rows))]
    points = points_of(rows)
    pd.testing.assert_frame_equal(find_peaks(rows, points), find_peaks(shuffled, points))


@SHARED_FIXTURES
@given(curve=ACCURACIES, factor=st.integers(2, 50))
def test_stretched_time_stretches_t_star(point_rows, points_of, curve, factor):
    rows = point_rows("a", curve)
    slow = point_rows("a", curve, step=np.arange(1, len(curve) + 1) * factor)
    fast_peak, slow_peak = (find_peaks(r, points_of(r)).iloc[0] for r in (rows, slow))
    assert slow_peak.t_star == pytest.approx(factor * fast_peak.t_star)
    assert slow_peak.kappa == pytest.approx(factor * fast_peak.kappa)
    assert slow_peak.censored == fast_peak.censored


@SHARED_FIXTURES
@given(curve=ACCURACIES, tolerances=st.tuples(st.floats(0, 0.3), st.floats(0, 0.3)).map(sorted))
def test_a_larger_tolerance_is_reached_no_later(point_rows, points_of, curve, tolerances):
    rows = point_rows("a", curve)
    strict, loose = (find_peaks(rows, points_of(rows), tolerance).t_star[0] for tolerance in tolerances)
    assert loose <= strict


def test_a_million_rows_take_no_noticeable_time():
    n, p = 1_000_000, 500
    step = np.arange(n) // p  # interleaved, as packs write them
    point = np.array([f"p{i:04d}" for i in range(p)])[np.arange(n) % p]
    rows = pd.DataFrame({"point": point, "step": step, "epoch": step / 1.0, "decay_time": step * 1e-3})
    rows["test_acc"] = np.random.default_rng(0).random(n, dtype=np.float32)
    rows["train_acc"] = rows["test_acc"]
    points = pd.DataFrame({"point": np.unique(point), "eta": 1.0, "lam": 1e-3, "outcome": "completed"})
    assert len(find_peaks(rows, points)) == p


def parabola(step, best=0.3):
    """A loss with its minimum at step 100, to which it has gone a share 1 - p of its way at 100·exp(-√p·log 100)."""
    return best + np.log(step / 100) ** 2


def test_of_a_loss_t_star_is_the_first_measurement_that_went_nearly_all_the_way_to_the_minimum(point_rows, points_of):
    step = np.arange(1, 400)
    rows = point_rows("a", np.full(399, np.nan), step, eta=0.5, lam=0.02).assign(test_loss=parabola(step))
    points = points_of(rows.drop(columns="test_loss"))
    peak = find_peaks(rows, points, 0.005, LOSS).iloc[0]
    assert peak.t_star_step == np.ceil(100 * np.exp(-np.sqrt(0.005) * np.log(100)))
    assert (peak.best_test_loss, peak.best_epoch) == (pytest.approx(0.3), 100)
    assert peak.last_test_loss == pytest.approx(parabola(399))
    assert peak.kappa == pytest.approx(peak.t_star_step * 0.5 * 0.02)
    assert np.isnan(peak.best_test_acc)
    assert not peak.censored
    still = find_peaks(rows[rows.step < 99], points, 0.005, LOSS).iloc[0]
    assert still.censored_why == "minimum in the last tenth of the run"
    assert (
        find_peaks(rows.assign(test_loss=np.nan), points, 0.005, LOSS).censored_why[0] == "no measurement of test loss"
    )


def test_accuracies_stay_known_where_a_loss_is_the_metric(point_rows, points_of):
    rows = point_rows("a", RISE_FALL)
    points = points_of(rows)
    plain, judged = find_peaks(rows, points), find_peaks(rows.assign(test_loss=rows.test_acc), points, 0.005, LOSS)
    assert judged.best_test_acc[0] == plain.best_test_acc[0]
    assert "best_test_loss" not in plain
    assert judged.t_star_step[0] == 1  # the smallest is the first


def test_what_never_learned_is_told_by_the_way_from_the_first_loss_to_the_best(point_rows, points_of):
    curves = {
        "best": [2.0, 1.0, 0.2, 0.5],
        "half": [2.0, 1.2, 1.1, 1.3],
        "no": [2.0, 1.9, 1.8, 2.0],
        "far": [1e9, 1.5, 1.4, 2],
    }
    rows = pd.concat(
        [point_rows(name, np.full(4, np.nan)).assign(test_loss=losses) for name, losses in curves.items()],
        ignore_index=True,
    )
    peaks = find_peaks(rows, points_of(rows.drop(columns="test_loss")), 0.005, LOSS)
    assert peaks.learned.tolist() == [True, True, False, False]  # 1.1 lies half of the way from 2 to 0.2
    assert in_law(peaks).tolist() == [True, True, False, False]
