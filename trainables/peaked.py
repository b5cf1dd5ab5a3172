"""The rule of ``stop: peaked``: when the test accuracy of a point is past its maximum."""

from collections.abc import MutableSequence, Sequence
from math import isfinite

Record = MutableSequence[tuple[float, float]]
"""(test accuracy, decay time) of the measurements that were better than all before them, in order."""

ACCURACY_TOLERANCE = 0.005  # accuracy by which t* may stay below the maximum, as in the paper
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


def record_if_best(record: Record, accuracy: float, decay_time: float) -> None:
    """Append a measurement to a record if it is better than all before.

    Args:
        record: the best measurements so far; it is changed.
        accuracy: test accuracy, 0 to 1; NaN of a point that has diverged.
        decay_time: decay time s of the measurement.
    """
    if (not record and isfinite(accuracy)) or (record and accuracy > record[-1][0]):
        record.append((accuracy, decay_time))


def peak_of(record: Sequence[tuple[float, float]], tolerance: float = ACCURACY_TOLERANCE) -> tuple[float, float]:
    """Return (maximum test accuracy, decay time at t*) of a record that is not empty.

    t* is the earliest measurement within ``tolerance`` of the maximum. It is in the record: it is better than all
    before it, or one of those would be t*.
    """
    best = record[-1][0]
    return best, next(s for accuracy, s in record if accuracy >= best - tolerance)


def decay_time_at_peak(record: Sequence[tuple[float, float]], last: float, tolerance: float) -> float | None:
    """Return the decay time at t*; None where it is only a lower bound, as the maximum came in the last tenth.

    Args:
        record: the best measurements of the whole run.
        last: decay time of its last measurement.
        tolerance: accuracy by which t* may stay below the maximum.
    """
    return peak_of(record, tolerance)[1] if record and record[-1][1] < TAIL_START * last else None


def is_past(record: Sequence[tuple[float, float]], decay_time: float) -> bool:
    """Return whether a point is past its maximum for certain.

    Args:
        record: the best measurements up to ``decay_time``.
        decay_time: decay time s of the latest measurement.
    """
    return bool(record) and decay_time >= max(MINIMUM_DECAY_TIME, STOPPING_FACTOR * peak_of(record)[1])
