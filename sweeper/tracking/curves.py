"""Thinned curves: few measurements of a point, spread over decades of steps, the best included."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# The curves that a tracker shows, with their best value: the greatest, the smallest, or none.
CURVES: dict[str, str] = {
    "test_acc": "max",
    "train_acc": "max",
    "test_loss": "min",
    "train_loss": "min",
    "weight_norm": "",
    "decay_time": "",
}

# A tracker on SQLite takes 0.11 ms a metric: six curves of 60 measurements cost 40 ms a point, whole curves of 800
# cost 530 ms, and a thousand points would keep it busy for nine minutes. The table of rows has every measurement.
MAX_POINT_MEASUREMENTS = 60
MIN_POINT_MEASUREMENTS = 12  # landmarks of six curves are 10 at most
MAX_SWEEP_MEASUREMENTS = 60_000  # measurements of a whole sweep: from 1,000 points on each has fewer


def measurements_for(points: int) -> int:
    """Return the most measurements that a tracker gets of each point of a sweep.

    They are 60 up to 1,000 points, and 12 from 5,000 points on.
    """
    return min(MAX_POINT_MEASUREMENTS, max(MIN_POINT_MEASUREMENTS, MAX_SWEEP_MEASUREMENTS // max(points, 1)))


def thin(steps: Ints, curves: Mapping[str, Floats], most: int = MAX_POINT_MEASUREMENTS) -> Ints:
    """Return the positions of the measurements to send, the same for all curves, so that they can be plotted together.

    The first and last finite measurement and the best one (its first occurrence) of every curve are kept. The rest is
    spread evenly over log(1 + step), because t* is looked for over decades of steps.

    Args:
        steps: (N,) steps in ascending order.
        curves: name to (N,) values, which may hold NaN and infinities.
        most: maximum number of measurements, of which those that must be kept may use up 18.

    Returns:
        (M,) ascending positions; all N of them if N <= ``most``.
    """
    if len(steps) <= most:
        return np.arange(len(steps))
    kept = {0, len(steps) - 1}
    for name, values in curves.items():
        kept |= landmarks(values, CURVES.get(name, ""))
    time = np.log1p(steps.astype(np.float64))
    targets = np.linspace(time[0], time[-1], max(most - len(kept), 0))
    spread = np.searchsorted(time, targets).clip(max=len(steps) - 1)
    return np.array(sorted(kept | set(spread.tolist())), dtype=np.int64)


def landmarks(values: Floats, best: str = "") -> set[int]:
    """Return the positions of the first and the last finite value and of the first best one.

    Args:
        values: (N,) values.
        best: ``max``, ``min``, or empty for a curve that has no best value.
    """
    finite = np.flatnonzero(np.isfinite(values))
    if not len(finite):
        return set()
    positions = {int(finite[0]), int(finite[-1])}
    if best:
        candidates = values[finite]
        positions.add(int(finite[candidates.argmax() if best == "max" else candidates.argmin()]))
    return positions
