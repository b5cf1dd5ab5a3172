"""Claims about the training set: when it is fitted, how that depends on η and λ, and when the loss turns (S1, S5)."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from results.analysis.bootstrap import REPLICATES, Bootstrap, IntervalEstimate, estimate_over
from results.analysis.fits import MIN_DECADES, MIN_OBSERVED
from results.analysis.peaks import TAIL_START
from results.analysis.segments import Bools, Floats, extra_axes, floats, group_ids
from results.analysis.selection import PAST_PEAK_DECAY_TIME, anchored, had_time, in_law
from results.claims.claim import Claim
from results.claims.verdict import (
    EXPONENT_BAND,
    PointCounts,
    Verdict,
    format_interval,
    inconclusive,
    judge_interval,
    make_verdict,
)
from search_spaces.outcome import TRAINED

__all__ = ["CLAIMS", "catapult", "fit_time", "fit_time_lam", "train_loss_minimum"]

# A fifth of the exponent of λ in t*: a decade of λ then changes the time by a factor of less than 1.6.
LAM_EXPONENT_BAND = 0.2
MAX_REMAINING_SHARE = 0.5  # at least half of the spread over η is gone
# Relative rise: on digits the loss after its minimum rises by 3 to 6 % until s = 2, and measurements are exact.
MIN_LOSS_RISE = 0.01
TURNED_DECAY_TIME = 2.0  # the loss has turned by then: the paper's fc grid trains to 2, and sees it turn


def fit_time(peaks: pd.DataFrame) -> Verdict | None:
    """Judge figure S1: for small η the time to training accuracy 1 goes as 1/η.

    Small η are the smaller half of the grid's η, and at least three. Each λ, 0 included, has its own level. Runs that
    ended before their peak without reaching 1 are lower bounds. Runs whose λ keeps them below 1 for ever are left out.

    Args:
        peaks: of ``find_peaks``, at constant η and λ.

    Returns:
        None where no training accuracy was measured.
    """
    claim, threshold = "fit_time", f"-1 ± {EXPONENT_BAND} for small eta"
    times = _times(peaks)
    if times is None:
        return None
    etas = np.unique(floats(times, "eta"))
    small = etas[: max(3, -(-len(etas) // 2))]
    # As a further axis each λ has its own constant; a λ of 1 replaces the zero that would stand under the logarithm.
    chosen = times[times["eta"].isin(small)].assign(at_lam=lambda t: t["lam"], lam=1.0)
    over = f"eta = {small[0]:.3g} to {small[-1]:.3g}" if len(small) else "no eta"
    found = _time_exponent(chosen, "eta")
    return _time_verdict(claim, threshold, found, (-1 - EXPONENT_BAND, -1 + EXPONENT_BAND), f"eta, over {over}")


def fit_time_lam(peaks: pd.DataFrame) -> Verdict | None:
    """Judge figure S1: the time to training accuracy 1 depends only mildly on λ; each η has its own level.

    Lower bounds and runs that are left out are those of ``fit_time``.

    Args:
        peaks: of ``find_peaks``, at constant η and λ.

    Returns:
        None where no training accuracy was measured.
    """
    claim, threshold = "fit_time_lam", f"0 ± {LAM_EXPONENT_BAND}"
    times = _times(peaks)
    if times is None:
        return None
    chosen = times[floats(times, "lam") > 0].assign(at_eta=lambda t: t["eta"], eta=1.0)
    found = _time_exponent(chosen, "lam")
    return _time_verdict(claim, threshold, found, (-LAM_EXPONENT_BAND, LAM_EXPONENT_BAND), "lam")


def catapult(peaks: pd.DataFrame, tolerance: float) -> Verdict:
    """Judge figure S5: test accuracy depends on η when training accuracy reaches 1, but hardly at its maximum (λ > 0).

    Both spreads are standard deviations over η within cells of one λ, seed and further axes. They are of the same
    points: those that fitted the training set and had time to peak. The value is the second spread over the first; its
    interval is the bootstrap over λ and seeds.

    Args:
        peaks: of ``find_peaks``, censored where a run had no time to peak before its η first fell.
        tolerance: accuracy within which two measurements count as equal; a smaller spread at training accuracy 1 is no
            dependence.
    """
    claim, threshold = "catapult", f"spread over eta <= {MAX_REMAINING_SHARE:g} times that at training accuracy 1"
    used = peaks[had_time(peaks) & np.isfinite(floats(peaks, "acc_train1"))]
    cell = ["lam", "mu", *extra_axes(used)]
    groups = used.groupby([*cell, "seed"], dropna=False)
    spread = groups[["acc_train1", "best_test_acc"]].var().assign(etas=groups["eta"].nunique()).reset_index()
    spread = spread[spread["etas"] > 1]
    counts = PointCounts.of(used)
    if len(spread) < 2:
        why = f"{len(spread)} cells of lam and seed fit the training set at two or more eta, at least 2 are needed"
        return inconclusive(claim, threshold, why, counts, ("smaller_lam", "eta"))
    early, late = floats(spread, "acc_train1"), floats(spread, "best_test_acc")
    share = estimate_over(group_ids(spread, cell), lambda w: np.sqrt((w @ late) / np.maximum(w @ early, 1e-12)))
    why = (
        f"test accuracy spreads over eta by {np.sqrt(early.mean()):.4f} when training accuracy reaches 1, and by "
        f"{np.sqrt(late.mean()):.4f} at its maximum (standard deviations over {len(spread)} cells of lam and seed)"
    )
    ruling = judge_interval(share, 0.0, MAX_REMAINING_SHARE)
    if np.sqrt(early.mean()) < tolerance:
        ruling, why = "inconclusive", f"{why}: no dependence that could flatten"
    return make_verdict(claim, share, threshold, ruling, why, counts, band=(0.0, MAX_REMAINING_SHARE))


def train_loss_minimum(peaks: pd.DataFrame) -> Verdict:
    """Judge figure S5 and section 4: the training loss has a minimum at a time ∝ 1/(ηλ), then rises.

    A run whose loss has not risen by 1 % in its last tenth, or is smallest there, gives a lower bound of that time. The
    value is the exponent of ηλ/(1-μ). The claim also fails where most of three or more runs to a decay time of 2 did
    not rise.

    Args:
        peaks: of ``find_peaks``, at constant η and λ.
    """
    claim, threshold = "train_loss_minimum", f"rises after a minimum at (eta*lam)^(-1 ± {EXPONENT_BAND})"
    law = peaks[in_law(peaks) & (floats(peaks, "t_min_loss") > 0) & peaks["outcome"].isin(TRAINED).to_numpy()]
    risen = floats(law, "last_train_loss") > (1 + MIN_LOSS_RISE) * floats(law, "min_train_loss")
    risen &= floats(law, "t_min_loss") < TAIL_START * floats(law, "last_epoch")
    law, counts = law.assign(censored=~risen), PointCounts(len(law), int((~risen).sum()))
    long = floats(law, "last_decay_time") >= TURNED_DECAY_TIME * (1 - 1e-9)
    turned = f"the training loss turns in {int(risen.sum())} of {len(law)} runs"
    if long.any():
        turned += (
            f", in {int((risen & long).sum())} of the {int(long.sum())} that had a decay time of {TURNED_DECAY_TIME:g}"
        )
    if long.sum() >= MIN_OBSERVED and (risen & long).sum() < long.sum() / 2:
        return make_verdict(claim, None, threshold, "fail", turned, counts)
    rate = np.log(floats(law, "eta") * floats(law, "lam") / (1 - floats(law, "mu")))
    if risen.sum() < MIN_OBSERVED or np.ptp(rate[risen]) < MIN_DECADES * np.log(10):
        why = f"{turned}: at least {MIN_OBSERVED} over {MIN_DECADES} decades of eta*lam are needed"
        return inconclusive(claim, threshold, why, counts, ("smaller_lam", "larger_lam"))
    estimate = _slope(law, np.log(floats(law, "t_min_loss")), rate)
    if estimate is None:
        return inconclusive(claim, threshold, turned, counts)
    why = f"{turned}; its minimum goes as eta*lam to the power {estimate.value:.3f}{format_interval(estimate)}"
    band = (-1 - EXPONENT_BAND, -1 + EXPONENT_BAND)
    return make_verdict(claim, estimate, threshold, judge_interval(estimate, *band), why, counts, band=band)


def _times(peaks: pd.DataFrame) -> pd.DataFrame | None:
    """Return the points with log ``time`` (epochs) to training accuracy 1, ``censored`` where it is only a lower bound.

    None where no training accuracy was measured.
    """
    if not np.isfinite(floats(peaks, "best_train_acc")).any():
        return None
    completed = peaks["outcome"].isin(TRAINED).to_numpy(dtype=np.bool_)
    reached = floats(peaks, "t_train1") > 0
    short: Bools = floats(peaks, "last_decay_time") < PAST_PEAK_DECAY_TIME
    bound = ~np.isfinite(floats(peaks, "t_train1")) & peaks["censored"].to_numpy(dtype=np.bool_) & short
    bound &= floats(peaks, "last_epoch") > 0
    chosen = completed & (reached | bound)
    times = np.where(reached, floats(peaks, "t_train1"), floats(peaks, "last_epoch"))
    points: pd.DataFrame = peaks[chosen]
    return points.assign(time=np.log(times[chosen]), censored=bound[chosen])


class _TimeExponent(NamedTuple):
    """Exponent of the time to training accuracy 1; None where the points cannot determine it."""

    estimate: IntervalEstimate | None
    counts: PointCounts


def _time_exponent(times: pd.DataFrame, axis: str) -> _TimeExponent:
    """Return the exponent of ``axis`` in the time to training accuracy 1."""
    law = anchored(times.drop(columns="time"))
    counts = PointCounts.of(law)
    x = np.log(floats(law, axis))
    observed = x[~law["censored"].to_numpy(dtype=np.bool_)]
    if len(observed) < MIN_OBSERVED or np.ptp(observed) < MIN_DECADES * np.log(10):
        return _TimeExponent(None, counts)
    return _TimeExponent(_slope(law, floats(times.loc[law.index], "time"), x), counts)


def _slope(law: pd.DataFrame, y: Floats, x: Floats) -> IntervalEstimate | None:
    """Return the slope of y (n,) on x (n,), with the constants and lower bounds of ``law``."""
    (found,), _, _ = Bootstrap(law, y, REPLICATES, 0).slopes([x])
    return found


def _lower_bounds(count: int) -> str:
    return f"{count} {'is a lower bound' if count == 1 else 'are lower bounds'}"


def _time_verdict(
    claim: str,
    threshold: str,
    found: _TimeExponent,
    band: tuple[float, float],
    axis: str,
) -> Verdict:
    """Judge an exponent of the time to training accuracy 1 by a band."""
    estimate, counts = found
    observed = f"{counts.used - counts.censored} points reach training accuracy 1, {_lower_bounds(counts.censored)}"
    if estimate is None:
        why = f"{observed}: at least {MIN_OBSERVED} over {MIN_DECADES} decades of {axis.partition(',')[0]} are needed"
        return inconclusive(claim, threshold, why, counts, ("eta",) if axis.startswith("eta") else ("smaller_lam",))
    power = f"{estimate.value:.3f}{format_interval(estimate)}"
    why = f"the time to training accuracy 1 goes as {axis}, to the power {power}; {observed}"
    return make_verdict(claim, estimate, threshold, judge_interval(estimate, *band), why, counts, band=band)


CLAIMS = (
    Claim(
        name="fit_time",
        title="Training accuracy 1 takes a time ∝ 1/η",
        judge=lambda e: fit_time(e.findings.steady),
        quantity="slope_eta",
        lacks=("seeds", "eta", "finer_lam"),
        varied=("eta",),
        needs_constant_rates=True,
    ),
    Claim(
        name="fit_time_lam",
        title="Training accuracy 1 takes a time that hardly depends on λ",
        judge=lambda e: fit_time_lam(e.findings.steady),
        quantity="slope_lam",
        lacks=("seeds", "smaller_lam", "finer_lam"),
        varied=("lam",),
        needs_constant_rates=True,
    ),
    Claim(
        name="catapult",
        title="What η changes at training accuracy 1 is gone at the maximum",
        judge=lambda e: catapult(e.settled, e.findings.tolerance),
        quantity="accuracy",
        lacks=("seeds", "finer_lam"),
        varied=("eta",),
        needs_squared_error=True,
        needs_accuracy=True,
    ),
    Claim(
        name="train_loss_minimum",
        title="The training loss turns at a time ∝ 1/(ηλ)",
        judge=lambda e: train_loss_minimum(e.findings.steady),
        quantity="slope_product",
        lacks=("seeds", "smaller_lam", "finer_lam"),
        needs_constant_rates=True,
        needs_squared_error=True,
    ),
)
