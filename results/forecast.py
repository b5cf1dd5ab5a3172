"""λ for a budget from a short probe: κ from the peaks of large λ, λ_pred = κ(1-μ)/(η·steps). Claim 5 of the paper."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.fits import in_law
from results.segments import Bools, Floats, floats

__all__ = ["KAPPA", "Coefficient", "coefficient", "horizon_share", "usable"]

# κ of the over-parameterized small siblings of the paper's grids: geometric mean, and range of the sweeps' means. The
# smallest is of budgets in which small λ come within the tolerance of t* early, the largest of batch norm and momentum.
KAPPA, KAPPA_LOW, KAPPA_HIGH = 0.6, 0.2, 3.0
RESOLVED = 10  # steps: a t* before that is where measuring began
STEADY = 1.5  # factor between κ of neighbouring λ up to which they count as one
# Standard deviation of log κ from the probe's λ to that of the budget: the geometric spread over six decades of ηλ is
# 1.45 (fully connected on MNIST), and the paper sees twice the κ at small λ (Figure S4).
DRIFT = math.log(1.45)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficient:
    """What a probe says of κ.

    Attributes:
        kappa: geometric mean over the smallest λ that count, at most two.
        low: end of the 95 % interval: scatter over these and drift towards smaller λ.
        high: the other end.
        lams: those λ, ascending.
        steady: whether two neighbouring λ agree.
        fitted: whether the training set was fitted in them.
    """

    kappa: float
    low: float
    high: float
    lams: tuple[float, ...]
    steady: bool
    fitted: bool


def usable(peaks: pd.DataFrame) -> pd.DataFrame:
    """Points of a probe whose t* was seen: learned, past their maximum, and resolved by measurements."""
    seen: Bools = (
        in_law(peaks) & ~peaks["censored"].to_numpy(dtype=np.bool_) & (floats(peaks, "t_star_step") >= RESOLVED)
    )
    used: pd.DataFrame = peaks[seen]
    return used


def coefficient(peaks: pd.DataFrame) -> Coefficient | None:
    """κ from the points of a probe; None if none has seen its peak."""
    used = usable(peaks)
    if used.empty:
        return None
    logs = np.log(floats(used, "kappa"))
    means = pd.Series(logs).groupby(floats(used, "lam")).mean().sort_index()
    lams = tuple(means.index[:2].tolist())
    chosen = logs[np.isin(floats(used, "lam"), lams)]
    centre = float(means.iloc[:2].mean())
    scatter = float(np.var(chosen, ddof=1)) / len(chosen) if len(chosen) > 1 else DRIFT**2
    width = 1.96 * math.sqrt(DRIFT**2 + scatter)
    smallest = used[floats(used, "lam") == lams[0]]
    return Coefficient(
        kappa=math.exp(centre),
        low=math.exp(centre - width),
        high=math.exp(centre + width),
        lams=lams,
        steady=len(lams) == 2 and bool(abs(means.iloc[1] - means.iloc[0]) <= math.log(STEADY)),
        fitted=bool((floats(smallest, "best_train_acc") >= 1 - 1e-6).all()),
    )


def horizon_share(factors: Sequence[float] | Floats, constant: float | None) -> float:
    """Share of a run's steps that counts for λ_pred: the paper's T₁/T of a piecewise schedule, else the mean of η_t/η.

    Args:
        factors: η_t/η along the run.
        constant: share of the budget that trains at the first η; None if η changes from the first step on.
    """
    return constant if constant is not None else float(np.mean(factors))
