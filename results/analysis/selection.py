"""Selection of the points of a sweep that the law is about."""

import numpy as np
import pandas as pd

from results.analysis.segments import Bools, extra_axes, floats, group_ids
from search_spaces.outcome import TRAINED

MIN_LEARNED_SHARE = (
    0.5  # share of the sweep's best accuracy, or of the way to another best, below which nothing learned
)
# A run that trained to this decay time has had time to peak: κ is 0.25 to 0.8 wherever it was measured.
PAST_PEAK_DECAY_TIME = 1.0


def in_law(peaks: pd.DataFrame) -> Bools:
    """Select the points that the law is about (n,).

    They have λ > 0; ended as completed, stopped or diverged; have a finite t* after the first step; and reach at least
    half of the best accuracy of the sweep, or half of the way to the best of another metric. Below that (strong λ) the
    network never learned: its maximum is noise at any time, whether t* was observed or not.
    """
    if peaks.empty:
        return np.zeros(0, dtype=np.bool_)
    ended = peaks["outcome"].isin([*TRAINED, "diverged"]).to_numpy(dtype=np.bool_)
    started = (floats(peaks, "t_star_step") > 0) & (floats(peaks, "kappa") > 0)
    mask: Bools = (floats(peaks, "lam") > 0) & ended & started & learned(peaks)
    return mask


def had_time(peaks: pd.DataFrame) -> Bools:
    """Select the points whose maximum is that of their λ (n,).

    They trained as meant, and were seen to fall or trained past the time of any peak. A point that diverged shows how
    large η may be, not which accuracy λ gives.
    """
    trained = peaks["outcome"].isin(TRAINED).to_numpy(dtype=np.bool_)
    seen = ~peaks["censored"].to_numpy(dtype=np.bool_) | (floats(peaks, "last_decay_time") >= PAST_PEAK_DECAY_TIME)
    mask: Bools = trained & (floats(peaks, "lam") > 0) & learned(peaks) & seen
    return mask


def learned(peaks: pd.DataFrame) -> Bools:
    """Select the points whose network learned (n,): those that ``find_peaks`` says, or by half of the best accuracy."""
    mask: Bools
    if "learned" in peaks:
        mask = peaks["learned"].to_numpy(dtype=np.bool_)
    else:
        mask = floats(peaks, "best_test_acc") >= MIN_LEARNED_SHARE * top_accuracy(peaks)
    return mask


def top_accuracy(peaks: pd.DataFrame) -> float:
    """Return the best test accuracy of the sweep; NaN if there is none."""
    best = floats(peaks, "best_test_acc")
    return float(np.nanmax(best)) if np.isfinite(best).any() else np.nan


def anchored(law: pd.DataFrame) -> pd.DataFrame:
    """Drop the groups of μ and further axes that have only lower bounds, which say nothing of a slope.

    The points are returned unchanged where no group has an observed t*.
    """
    groups = group_ids(law, ["mu", *extra_axes(law)])
    observed = groups[~law["censored"].to_numpy(dtype=np.bool_)]
    return law[np.isin(groups, observed)] if len(observed) else law
