"""κ from the peaks of a probe; ``results.analysis.fits`` says why this estimate is not that of a whole sweep."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.analysis.segments import ROUNDING, Bools, Floats, floats
from results.analysis.selection import in_law
from search_spaces.outcome import Outcome

MIN_T_STAR_STEPS = 10  # a t* before this step is where measuring began
MAX_STEADY_RATIO = 1.5  # factor between κ of neighboring λ up to which they count as one
MIN_SHARE_ABOVE_CHANCE = 0.2  # share of the way from chance to 1 below which a maximum is noise
# Standard deviation of log κ between the probe's λ and that of the budget. It is the root mean square of the spread
# within the sweeps of kappa.csv with SGD, whose geometric standard deviations are 1.2 to 2.0. The paper sees up to 2
# (figure S4).
LOG_DRIFT_STD = math.log(1.6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficient:
    """κ as a probe shows it.

    Attributes:
        kappa: geometric mean over the smallest λ that count: three if these agree, else at most two.
        low: low end of the 95 % interval, from the scatter over these λ and the drift towards smaller λ.
        high: high end of that interval.
        lams: the λ that count, ascending.
        steady: whether κ of these λ agree, and they are two or more.
        fitted: whether the training set was fitted at the smallest λ.
        slope: slope of log t* against log λ over all λ of the probe with an observed t*; None for fewer than three.
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
        """True if smaller λ would hardly change κ: three λ agree, or two that fit the training set."""
        return self.steady and (len(self.lams) > 2 or self.fitted)


def usable(peaks: pd.DataFrame, chance: float) -> pd.DataFrame:
    """Select the points of a probe whose t* was seen.

    They learned, ended by ``stop: peaked``, and were measured often enough before t*.

    Args:
        peaks: of ``find_peaks``.
        chance: test accuracy of guessing.
    """
    resolved: Bools = floats(peaks, "t_star_step") >= MIN_T_STAR_STEPS
    used: pd.DataFrame = peaks[learned(peaks, chance) & _stopped(peaks) & resolved]
    return used


def kappa_bound(peaks: pd.DataFrame, chance: float) -> float:
    """Return the largest κ that is only a lower bound, of points that learned and were cut short; 0 without any."""
    cut = peaks[learned(peaks, chance) & ~_stopped(peaks)]
    return float(cut["kappa"].max()) if len(cut) else 0.0


def _stopped(peaks: pd.DataFrame) -> Bools:
    """Select the points past their maximum (n,).

    Of a point that its budget ended, the maximum may be where noise was largest.
    """
    stopped: Bools = peaks["outcome"].eq(Outcome.STOPPED).to_numpy(dtype=np.bool_)
    return stopped


def learned(peaks: pd.DataFrame, chance: float) -> Bools:
    """Select the points whose best test accuracy is well above guessing, and at least half of the best of all (n,)."""
    enough: Bools = in_law(peaks) & (floats(peaks, "best_test_acc") >= chance + MIN_SHARE_ABOVE_CHANCE * (1 - chance))
    return enough


def coefficient(peaks: pd.DataFrame, chance: float) -> Coefficient | None:
    """Estimate κ from the points of a probe; return None if none has seen its peak.

    Args:
        peaks: of ``find_peaks``.
        chance: test accuracy of guessing.
    """
    used = usable(peaks, chance)
    if used.empty:
        return None
    lam, logs = floats(used, "lam"), np.log(floats(used, "kappa"))
    means = pd.Series(logs).groupby(lam).mean().sort_index()
    count = 3 if len(means) > 2 and _agree(means.iloc[:3]) else min(2, len(means))
    chosen = np.isin(lam, means.index[:count])
    center = float(means.iloc[:count].mean())
    low, high = interval_of_one(math.exp(center))
    if chosen.sum() > 1:
        width = 1.96 * math.sqrt(LOG_DRIFT_STD**2 + float(np.var(logs[chosen], ddof=1)) / chosen.sum())
        low, high = math.exp(center - width), math.exp(center + width)
    return Coefficient(
        kappa=math.exp(center),
        low=low,
        high=high,
        lams=tuple(float(value) for value in means.index[:count]),
        steady=count > 1 and _agree(means.iloc[:count]),
        fitted=bool((floats(used, "best_train_acc")[lam == means.index[0]] >= 1 - ROUNDING).all()),
        slope=_slope(means),
    )


def interval_of_one(kappa: float) -> tuple[float, float]:
    """Return the 95 % interval of κ read off a single point, whose own scatter is taken to be that of the drift."""
    width = 1.96 * math.sqrt(2) * LOG_DRIFT_STD
    return kappa * math.exp(-width), kappa * math.exp(width)


def horizon_share(factors: Sequence[float] | Floats, constant: float | None) -> float:
    """Return the share of a run's steps that counts for λ_pred.

    It is the paper's T₁/T for a piecewise schedule, else the mean of η_t/η.

    Args:
        factors: η_t/η along the run (n,).
        constant: share of the budget that trains at the first η; None if η changes from the first step on.
    """
    return constant if constant is not None else float(np.mean(factors))


def _agree(logs: pd.Series) -> bool:
    """Return whether mean log κ of several λ lie within the factor up to which they count as one."""
    return bool(logs.max() - logs.min() <= math.log(MAX_STEADY_RATIO) + 1e-12)


def _slope(means: pd.Series) -> float | None:
    """Return the slope of log t* = log κ - log rate, from mean log κ by λ; None for fewer than three λ."""
    if len(means) < 3:
        return None
    log_lam = np.log(means.index.to_numpy(dtype=np.float64))
    return float(np.polyfit(log_lam, means.to_numpy() - log_lam, 1)[0])
