"""The rule that ends a point once it is past its maximum, on recorded curves and on curves made up."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.sections.metric import Metric
from trainables.peaked import (
    ACCURACY_TOLERANCE,
    MINIMUM_DECAY_TIME,
    STOPPING_FACTOR,
    decay_time_at_peak,
    is_past,
    peak_of,
    record_if_best,
)

CURVES = Path(__file__).parent / "curves" / "small.parquet"  # of the small siblings of the paper's grids, λ > 0
# Accuracy flickers: a CNN with batch norm at a large step, and mini-batches with momentum 0.9, of benchmarks/search.py.
FLICKERING = {"fig1c-constants", "search-mnist", "search-cnn"}


def stopped_at(accuracy, decay_time):
    """Position of the last measurement that is made of a curve."""
    record = []
    for i, (acc, s) in enumerate(zip(accuracy, decay_time, strict=True)):
        record_if_best(record, acc, s)
        if is_past(record, s):
            return i
    return len(accuracy) - 1


@pytest.fixture(scope="module")
def curves():
    table = pq.read_table(CURVES).to_pandas()
    return {
        (grid, point): (own["test_acc"].to_numpy(), own["decay_time"].to_numpy())
        for (grid, point), own in table.groupby(["grid", "point"], observed=True)
    }


def lost(curve):
    accuracy, decay_time = curve
    return accuracy.max() - accuracy[: stopped_at(accuracy, decay_time) + 1].max()


def test_on_recorded_curves_less_than_the_tolerance_of_t_star_is_lost(curves):
    losses = {key: lost(curve) for key, curve in curves.items() if key[0] not in FLICKERING}
    assert len(losses) > 70
    assert max(losses.values()) < ACCURACY_TOLERANCE
    assert np.quantile(list(losses.values()), 0.9) <= 0.002


def test_where_accuracy_flickers_more_is_lost(curves):
    losses = {key: lost(curve) for key, curve in curves.items() if key[0] in FLICKERING}
    assert ACCURACY_TOLERANCE < max(losses.values()) < 0.07
    assert 0.2 < np.mean([loss > ACCURACY_TOLERANCE for key, loss in losses.items() if key[0] == "search-mnist"]) < 0.5


def test_the_saving_is_real(curves):
    shares = [s[stopped_at(acc, s)] / s[-1] for acc, s in curves.values()]
    assert np.median(shares) < 0.75


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_record_is_of_what_was_better_than_all_before(accuracies, step):
    record = []
    for i, acc in enumerate(accuracies):
        record_if_best(record, acc, (i + 1) * step)
    best, star = peak_of(record)
    assert best == max(accuracies)
    first = next(i for i, acc in enumerate(accuracies) if acc >= best - ACCURACY_TOLERANCE)
    assert star == (first + 1) * step
    now = len(accuracies) * step
    assert is_past(record, now) == (now >= max(MINIMUM_DECAY_TIME, STOPPING_FACTOR * star))


def test_what_cannot_be_measured_is_no_maximum():
    record = []
    record_if_best(record, float("nan"), 5.0)
    assert record == []
    assert not is_past(record, 100.0)


@pytest.mark.parametrize(
    ("record", "last", "expected"),
    [
        ([], 1.0, None),
        ([(0.5, 0.1), (0.75, 0.5)], 1.0, 0.5),
        ([(0.5, 0.1), (0.75, 0.5)], 0.5 / 0.9, None),  # the maximum lies at the start of the last tenth
        ([(0.748, 0.2), (0.75, 0.95)], 1.0, None),  # t* was seen long before, but accuracy may still rise
        ([(0.748, 0.2), (0.75, 0.8)], 1.0, 0.2),
        ([(0.1, 0.0)], 0.0, None),
    ],
)
def test_a_decay_time_at_the_peak_is_told_only_where_it_is_no_bound(record, last, expected):
    assert decay_time_at_peak(record, last, ACCURACY_TOLERANCE) == expected


def test_of_a_loss_the_minimum_is_the_best_and_the_tolerance_a_share_of_the_way_to_it():
    loss = Metric(name="test_loss")
    values = [2.0, 1.0, 0.507, 0.5, 0.6, 0.7]
    record = []
    for i, value in enumerate(values):
        record_if_best(record, loss.score(value), (i + 1) / 10)
    assert peak_of(record, metric=loss) == (-0.5, 0.3)  # 0.507 is within 0.5 % of 2.0 - 0.5
    assert peak_of(record, 0.001, loss) == (-0.5, 0.4)
    assert not is_past(record, 0.99, loss)
    assert is_past(record, 1.0, loss)
    assert decay_time_at_peak(record, 0.6, 0.005, loss) == 0.3
