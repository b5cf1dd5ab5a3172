"""The rule of ``stop: peaked``: when the test accuracy, or another metric, of a point is past its best."""

from collections.abc import MutableSequence, Sequence
from math import isfinite

from search_spaces.sections.metric import TEST_ACCURACY, Metric

Record = MutableSequence[tuple[float, float]]
"""(score, decay time) of the measurements that were better than all before them, in order; larger scores are better."""

ACCURACY_TOLERANCE = 0.005  # by which t* may stay below the maximum, as in the paper
# A maximum counts as passed when the decay time is STOPPING_FACTOR times that of t*, and at least MINIMUM_DECAY_TIME:
# κ is 0.4 to 0.7 wherever the law holds, and twice that at small λ (Figure S4). The rule was tried on 276 recorded
# curves of small siblings of the paper's grids, which ran on for longer. In fully connected networks, CNNs and wide
# ResNets, with and without batch norm, what was cut off held at most 0.005 more accuracy. Where the accuracy
# fluctuates, its maximum is the largest of many values and may come at any time: small batches with μ = 0.9 lost more
# than 0.005 on 49 of 175 curves, up to 0.07 (benchmarks/search.py, MNIST and CNN).
STOPPING_FACTOR = 2.5
MINIMUM_DECAY_TIME = 1.0
TAIL_START = 0.9  # share of a run at which its last tenth starts, as in the analysis
EXPECTED_DECAY_TIME = 1.25  # decay time at which a point is stopped when κ = 0.5


def record_if_best(record: Record, score: float, decay_time: float) -> None:
    """Append a measurement to a record if it is better than all before.

    Args:
        record: the best measurements so far; it is changed.
        score: score of the metric, larger is better; NaN of a point that has diverged.
        decay_time: decay time s of the measurement.
    """
    if (not record and isfinite(score)) or (record and score > record[-1][0]):
        record.append((score, decay_time))


def peak_of(
    record: Sequence[tuple[float, float]], tolerance: float = ACCURACY_TOLERANCE, metric: Metric = TEST_ACCURACY
) -> tuple[float, float]:
    """Return (best score, decay time at t*) of a record that is not empty.

    t* is the earliest measurement within ``tolerance`` of the best. It is in the record: it is better than all
    before it, or one of those would be t*.
    """
    best, margin = record[-1][0], metric.margin(tolerance, record[-1][0], record[0][0])
    return best, next(s for score, s in record if score >= best - margin)


def decay_time_at_peak(
    record: Sequence[tuple[float, float]], last: float, tolerance: float, metric: Metric = TEST_ACCURACY
) -> float | None:
    """Return the decay time at t*; None where it is only a lower bound, as the best came in the last tenth.

    Args:
        record: the best measurements of the whole run.
        last: decay time of its last measurement.
        tolerance: of ``analysis.tolerance``.
        metric: the quantity by which points are judged.
    """
    return peak_of(record, tolerance, metric)[1] if record and record[-1][1] < TAIL_START * last else None


def is_past(record: Sequence[tuple[float, float]], decay_time: float, metric: Metric = TEST_ACCURACY) -> bool:
    """Return whether a point is past its best for certain.

    Args:
        record: the best measurements up to ``decay_time``.
        decay_time: decay time s of the latest measurement.
        metric: the quantity by which points are judged.
    """
    if not record:
        return False
    return decay_time >= max(MINIMUM_DECAY_TIME, STOPPING_FACTOR * peak_of(record, metric=metric)[1])
