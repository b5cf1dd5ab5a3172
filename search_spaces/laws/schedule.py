"""The learning-rate schedule: factors of η along a run, pure numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.sections.optimizer import Constant, Cosine, Piecewise, Schedule

_Steps = int | NDArray[np.int64]


def learning_rate_factor(schedule: Schedule, step: _Steps, last_step: _Steps) -> NDArray[np.float64]:
    """Return the factor of η, in (0, 1], in the optimizer step that is taken after ``step`` steps.

    With n = ``step``, T = ``last_step`` and W = ``warmup``·T, it is the product of min(1, (n + 1)/W) and

    - constant: 1;
    - piecewise: factor^#{a in at: n/T ≥ a} (paper: 0.2 at 0.3, 0.6 and 0.9 of the budget);
    - cosine: ½(1 + cos(πx)) with x = (n - W)/(T - W), and 1 before W (Loshchilov & Hutter 2017).

    Args:
        schedule: section ``schedule`` of a grid.
        step: steps taken, 0 ≤ n < T; an integer, or an array of any shape.
        last_step: steps of the whole run; an integer, or an array that is broadcast with ``step``.

    Returns:
        The factors, float64 of the broadcast shape; for two integers that is ().

    >>> paper = Piecewise(name="piecewise")
    >>> learning_rate_factor(paper, np.array([0, 2, 3, 6, 9]), last_step=10).round(3).tolist()
    [1.0, 1.0, 0.2, 0.04, 0.008]
    >>> learning_rate_factor(Cosine(name="cosine", warmup=0.2), np.arange(10), last_step=10).round(2).tolist()
    [0.5, 1.0, 1.0, 0.96, 0.85, 0.69, 0.5, 0.31, 0.15, 0.04]
    """
    rise = np.minimum(1.0, (step + 1) / np.maximum(schedule.warmup * last_step, 1.0))
    return np.asarray(rise * _decay_factor(schedule, step, last_step), dtype=np.float64)


def _decay_factor(schedule: Schedule, step: _Steps, last_step: _Steps) -> Any:
    """Return the factor of η without its warm-up."""
    match schedule:
        case Constant():
            return 1.0
        case Piecewise(at=at, factor=factor):
            # n/T ≥ a, not n ≥ a·T: 0.07·100 is 7.000000000000001, but a quotient is rounded as a decimal is when it
            # is read, so that 7/100 and 0.07 are the same float.
            decays = np.searchsorted(at, step / last_step, side="right")
            # Powers from a table: numpy's own differ in the last bit between an array and a number.
            return np.array([factor**k for k in range(len(at) + 1)])[decays]
        case Cosine(warmup=warmup):
            # ½(1 + cos(πx)) = sin²(½π(1 - x)), which does not round to 0 before the end: 1 + cos does from T = 4e8.
            left = np.minimum(1.0, (last_step - step) / (last_step - warmup * last_step))
            return np.square(np.sin(np.pi / 2 * left))
