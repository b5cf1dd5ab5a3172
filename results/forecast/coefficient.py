"""κ from the peaks of a probe.

``results.analysis.fits`` says why this estimate is not that of a whole sweep.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.analysis.segments import ROUNDING, Bools, Floats, floats
from results.analysis.selection import in_law
from search_spaces.outcome import Outcome

RESOLVED = 10  # steps: a t* before that is where measuring began
STEADY = 1.5  # factor between κ of neighbouring λ up to which they count as one
ABOVE_CHANCE = 0.2  # share of the way from chance to 1 below which a maximum is noise
# Standard deviation of log κ from the probe's λ to that of the budget: root mean square of the spread within the sweeps
# of kappa.csv with SGD, whose geometric standard deviations are 1.2 to 2.0. The paper sees up to 2 (Figure S4).
DRIFT = math.log(1.6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficient:
    """What a probe says of κ.

    Attributes:
        kappa: geometric mean over the smallest λ that count: three if these agree, else at most two.
        low: end of the 95 % interval: scatter over these and drift towards smaller λ.
        high: the other end.
        lams: those λ, ascending.
        steady: whether they agree, and are two or more.
        fitted: whether the training set was fitted at the smallest.
        slope: of log t* against log λ over all λ that count; None for fewer than three.
    """

    kappa: float
    low: float
    high: float
    lams: tuple[float, ...]
    steady: bool
    fitted: bool
    slope: float | None

    @property
    def settled(self) -> bool:
        """Whether smaller λ would hardly change κ: three agree, or two that fit the training set."""
        return self.steady and (len(self.lams) > 2 or self.fitted)


def usable(peaks: pd.DataFrame, chance: float) -> pd.DataFrame:
    """Points of a probe whose t* was seen: learned, ended by ``stop: peaked``, and resolved by measurements.

    Args:
        peaks: of ``find_peaks``.
        chance: test accuracy of guessing.
    """
    resolved: Bools = floats(peaks, "t_star_step") >= RESOLVED
    used: pd.DataFrame = peaks[learned(peaks, chance) & _stopped(peaks) & resolved]
    return used


def kappa_bound(peaks: pd.DataFrame, chance: float) -> float:
    """The largest κ that is only a lower bound: of points that learned, and were cut short; else 0."""
    cut = peaks[learned(peaks, chance) & ~_stopped(peaks)]
    return float(cut["kappa"].max()) if len(cut) else 0.0


def _stopped(peaks: pd.DataFrame) -> Bools:
    """Points past their maximum. Of a point that its budget ended, the maximum may be where noise was largest."""
    stopped: Bools = peaks["outcome"].eq(Outcome.STOPPED).to_numpy(dtype=np.bool_)
    return stopped


def learned(peaks: pd.DataFrame, chance: float) -> Bools:
    """Points whose best test accuracy is well above guessing, and at least half of the best of all."""
    enough: Bools = in_law(peaks) & (floats(peaks, "best_test_acc") >= chance + ABOVE_CHANCE * (1 - chance))
    return enough


def coefficient(peaks: pd.DataFrame, chance: float) -> Coefficient | None:
    """κ from the points of a probe, arguments as for ``usable``; None if none has seen its peak."""
    used = usable(peaks, chance)
    if used.empty:
        return None
    lam, logs = floats(used, "lam"), np.log(floats(used, "kappa"))
    means = pd.Series(logs).groupby(lam).mean().sort_index()
    count = 3 if len(means) > 2 and _agree(means.iloc[:3]) else min(2, len(means))
    chosen = np.isin(lam, means.index[:count])
    centre = float(means.iloc[:count].mean())
    low, high = interval_of_one(math.exp(centre))
    if chosen.sum() > 1:
        width = 1.96 * math.sqrt(DRIFT**2 + float(np.var(logs[chosen], ddof=1)) / chosen.sum())
        low, high = math.exp(centre - width), math.exp(centre + width)
    return Coefficient(
        kappa=math.exp(centre),
        low=low,
        high=high,
        lams=tuple(float(value) for value in means.index[:count]),
        steady=count > 1 and _agree(means.iloc[:count]),
        fitted=bool((floats(used, "best_train_acc")[lam == means.index[0]] >= 1 - ROUNDING).all()),
        slope=_slope(means),
    )


def interval_of_one(kappa: float) -> tuple[float, float]:
    """95 % interval of κ read off a single point: its own scatter is taken to be that of the drift."""
    width = 1.96 * math.sqrt(2) * DRIFT
    return kappa * math.exp(-width), kappa * math.exp(width)


def horizon_share(factors: Sequence[float] | Floats, constant: float | None) -> float:
    """Share of a run's steps that counts for λ_pred: the paper's T₁/T of a piecewise schedule, else the mean of η_t/η.

    Args:
        factors: η_t/η along the run.
        constant: share of the budget that trains at the first η; None if η changes from the first step on.
    """
    return constant if constant is not None else float(np.mean(factors))


def _agree(logs: pd.Series) -> bool:
    return bool(logs.max() - logs.min() <= math.log(STEADY) + 1e-12)


def _slope(means: pd.Series) -> float | None:
    """Of log t* = log κ - log r, by λ."""
    if len(means) < 3:
        return None
    log_lam = np.log(means.index.to_numpy(dtype=np.float64))
    return float(np.polyfit(log_lam, means.to_numpy() - log_lam, 1)[0])
