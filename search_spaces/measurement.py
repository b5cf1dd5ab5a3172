"""At which steps a point is measured."""

import math

import numpy as np
from numpy.typing import NDArray

from search_spaces.grid import Measure, Steps


def measured_steps(measure: Measure, last_step: int, steps_per_epoch: int) -> NDArray[np.int64]:
    """The steps n ≥ 1 at which a point of ``last_step`` steps is measured; ascending, the last step included.

    With ``log: k`` the steps are round(10^(i/k)): t* needs relative precision only, so k a decade resolve it to
    a factor 10^(1/k) at a cost that grows with log T.

    >>> measured_steps(Measure(log=2), last_step=40, steps_per_epoch=1).tolist()
    [1, 3, 10, 32, 40]
    """
    if measure.log is not None:
        exponents = np.arange(math.floor(math.log10(last_step) * measure.log) + 1) / measure.log
        steps = np.unique(np.rint(10.0**exponents).astype(np.int64))
    else:
        every = measure.every.steps if isinstance(measure.every, Steps) else steps_per_epoch
        steps = np.arange(every, last_step + 1, every, dtype=np.int64)
    return np.union1d(steps[steps <= last_step], [last_step]).astype(np.int64)
