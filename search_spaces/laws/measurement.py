"""The steps at which a point is measured."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from search_spaces.sections.grid import Measure, Steps

_MAX_DECADES = 18  # below the largest 64-bit integer


def measured_steps(measure: Measure, last_step: int, steps_per_epoch: int) -> NDArray[np.int64]:
    """Return the steps n ≥ 1 at which a point is measured.

    With ``log: k`` the steps are round(10^(i/k)). Since t* needs relative precision only, k measurements a decade
    resolve it to a factor 10^(1/k), at a cost that grows with log T.

    Args:
        measure: section ``measure`` of the grid.
        last_step: optimizer steps of the point, at least 1.
        steps_per_epoch: optimizer steps of an epoch.

    Returns:
        Ascending steps of shape ``(n,)``, the last step included.

    >>> measured_steps(Measure(log=2), last_step=40, steps_per_epoch=1).tolist()
    [1, 3, 10, 32, 40]
    """
    if measure.log is not None:
        log_steps = _log_steps(measure.log)
        steps = log_steps[: np.searchsorted(log_steps, last_step, side="right")]
    else:
        every = _interval(measure, steps_per_epoch)
        steps = np.arange(every, last_step + 1, every, dtype=np.int64)
    return steps if len(steps) and steps[-1] == last_step else np.append(steps, last_step)


def count_measurements(measure: Measure, last_step: int, steps_per_epoch: int) -> int:
    """Return the length of ``measured_steps`` without the array.

    Args:
        measure: section ``measure`` of the grid.
        last_step: optimizer steps of the point, at least 1.
        steps_per_epoch: optimizer steps of an epoch.
    """
    if measure.log is None:
        return -(-last_step // _interval(measure, steps_per_epoch))
    log_steps = _log_steps(measure.log)
    count = int(np.searchsorted(log_steps, last_step, side="right"))
    return count + int(log_steps[count - 1] != last_step)


def _interval(measure: Measure, steps_per_epoch: int) -> int:
    """Return the steps from one measurement to the next."""
    return measure.every.steps if isinstance(measure.every, Steps) else steps_per_epoch


@lru_cache(maxsize=8)
def _log_steps(per_decade: int) -> NDArray[np.int64]:
    """Return all steps of ``log: per_decade``, of shape ``(n,)``."""
    exponents = np.arange(_MAX_DECADES * per_decade + 1) / per_decade
    steps = np.unique(np.rint(10.0**exponents).astype(np.int64))
    steps.flags.writeable = False  # shared by all callers
    return steps
