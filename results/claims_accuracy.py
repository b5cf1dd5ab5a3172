"""The claims about accuracy: plateau, optimum at a fixed budget, independence of eta, and the lam_pred rule."""

import numpy as np
import pandas as pd

from results.bootstrap import REPLICATES, Estimate, interval_of
from results.fits import LEARNED
from results.judgement import Ruling, Verdict, by_interval, by_range, inconclusive, judged
from results.segments import Bools, Floats, extra_axes, floats
from results.tables import PAST_PEAK

__all__ = ["eta_independence", "fixed_budget_optimum", "lambda_pred_accuracy", "lambda_pred_order", "plateau"]

HALF_DECADE = 10**0.5 * (1 + 1e-9)
MIN_LAMS = 4
ETA_SPREAD = 0.01
# Half the tolerance of t*. A tenth of a per cent is 1.3 of 1,285 test images: the best of eight noisy runs leads by it.
LEAD = 0.0025
# Near the largest useful lam accuracy falls steeply and the few measurements before the decay set it, not eta.
WELL_LEARNED = 0.9
PRED_GAP = 0.004  # CIFAR-10, figure 4 of the paper


def plateau(peaks: pd.DataFrame, tolerance: float) -> Verdict:
    """Claim 3, budget ∝ 1/(eta*lam): the best accuracy stops depending on lam as lam → 0.

    In each eta: range of the best accuracy over the smallest half decade of lam, mean over seeds. Only points that
    had time to peak count. The value is the median over eta, the interval its range. Passes where every range is
    within the tolerance, fails where the smallest lam has lost more than that against the best; accuracy that still
    rises towards the smallest lam is inconclusive, since it may level off below the grid.
    """
    claim, threshold = "plateau", f"range over the smallest half decade <= {tolerance:g}"
    used = peaks[_had_time(peaks)]
    ranges, drops, smallest = [], [], np.inf
    for _, group in used.groupby(["eta", "mu", *extra_axes(used)], dropna=False):
        lam, acc = _mean_over_seeds(group)
        low = acc[lam <= lam[0] * HALF_DECADE]
        if len(lam) >= MIN_LAMS and len(low) >= 2:
            ranges.append(float(low.max() - low.min()))
            drops.append(float(acc.max() - acc[0]))
            smallest = min(smallest, float(lam[0]))
    if not ranges:
        return inconclusive(claim, threshold, f"no eta has {MIN_LAMS} lam > 0 whose runs had time to peak")
    ruling, trend = by_range(np.array(ranges), tolerance), "differs"
    if ruling != "pass":
        dropped = float(np.median(drops)) > tolerance
        ruling, trend = ("fail", "drops") if dropped else ("inconclusive", "still rises")
    why = f"best accuracy {trend} by {_over(ranges, 'eta')} over the half decade of lam above {smallest:.3g}"
    return _ranged(claim, np.array(ranges), threshold, ruling, why, _counts(used))


def fixed_budget_optimum(table: pd.DataFrame, within: pd.DataFrame, peaks: pd.DataFrame) -> Verdict:
    """Claim 3, fixed budget: the best lam is interior, better than both ends of the grid (lam = 0 is an end).

    Budgets whose lam_pred is outside the grid are left out: there the grid cannot show the optimum. The value is
    the median over eta and budgets of the lead over the better end, the interval its range.
    """
    claim, threshold = "fixed_budget_optimum", f"lead > {LEAD:g}"
    spanned = table[np.isfinite(floats(table, "acc_pred")) & (floats(table, "lams") >= MIN_LAMS)]
    keys = ["eta", "mu", *extra_axes(peaks), "budget_at"]
    if spanned.empty:
        why = "no budget with an observed t* within its tenth and lam_pred inside the grid"
        return inconclusive(claim, threshold, why)
    accuracies = spanned[keys].drop_duplicates().merge(within, on=keys)
    leads = [_lead(group) for _, group in accuracies.groupby(keys, dropna=False)]
    why = f"the best lam leads the better end of the grid by {_over(leads, 'eta and budgets')}"
    ruling = by_range(-np.array(leads), -LEAD)
    return _ranged(claim, np.array(leads), threshold, ruling, why, _counts(peaks[_had_time(peaks)]))


def eta_independence(peaks: pd.DataFrame) -> Verdict:
    """Claim 4: at fixed lam the best accuracy hardly depends on eta.

    Over the lam that two or more eta share, had time to peak, and whose accuracy is at least 0.9 of the best. The value
    is the median over lam of the range over eta, the interval its range.
    """
    claim, threshold = "eta_independence", f"range over eta <= {ETA_SPREAD:g}"
    used = peaks[_had_time(peaks)]
    axes = ["lam", "mu", *extra_axes(used)]
    acc = used.groupby([*axes, "eta"], dropna=False)["best_test_acc"].mean().reset_index()
    acc = acc[floats(acc, "best_test_acc") >= WELL_LEARNED * _top(peaks)]
    cells = acc.groupby(axes, dropna=False)["best_test_acc"].agg(["max", "min", "size"])
    cells = cells[cells["size"] > 1]
    if cells.empty:
        return inconclusive(claim, threshold, "no lam has runs of two eta that learned and had time to peak")
    ranges = floats(cells, "max") - floats(cells, "min")
    why = f"best accuracy differs between eta by {_over(ranges, 'lam')}, at those lam that reach 0.9 of the best"
    return _ranged(claim, ranges, threshold, by_range(ranges, ETA_SPREAD), why, _counts(used))


def lambda_pred_order(table: pd.DataFrame, peaks: pd.DataFrame) -> Verdict:
    """Claim 5: lam_pred is within one order of magnitude of the tuned lam for every budget.

    Tuned is any lam of its spread (figure 4b's error bars): the nearest counts. Left out is a lam_pred beyond the end
    of the grid at which the tuned lam lies, since the grid cannot show how far the tuned lam would go. The value is
    the median of lam_pred over the tuned lam, the interval its range.
    """
    claim, threshold = "lambda_pred_order", "0.1 to 10 times the tuned lam"
    known = table[np.isfinite(floats(table, "lam_pred")) & np.isfinite(floats(table, "lam_tuned"))]
    known = known[~_beyond_grid(known)]
    if known.empty:
        return inconclusive(claim, threshold, _no_prediction(table))
    pred = floats(known, "lam_pred")
    nearest = np.clip(pred, floats(known, "lam_tuned_low"), floats(known, "lam_tuned_high"))
    decades = np.abs(np.log10(pred / nearest))
    plain = floats(known, "ratio")
    why = (
        f"over {len(known)} cells of eta, seed and budget lam_pred is {plain.min():.2g} to {plain.max():.2g} times the "
        f"tuned lam, at most {decades.max():.2f} decades from its spread{_left_out(len(table) - len(known))}"
    )
    ruling = by_range(decades, 1 + 1e-9)
    return _ranged(claim, pred / nearest, threshold, ruling, why, _counts(peaks[_had_time(peaks)]))


def lambda_pred_accuracy(table: pd.DataFrame, peaks: pd.DataFrame, seed: int = 0) -> Verdict:
    """Claim 5: training with lam_pred costs at most 0.4 % against the tuned lam.

    The value is the mean gap over eta, seeds and budgets; its interval is the bootstrap over these.
    """
    claim, threshold = "lambda_pred_accuracy", f"mean gap <= {PRED_GAP:g}"
    gaps = floats(table, "gap")[np.isfinite(floats(table, "gap"))]
    if len(gaps) < 2:
        return inconclusive(claim, threshold, f"{len(gaps)} gaps known, at least 2 are needed: {_no_prediction(table)}")
    rng = np.random.default_rng(seed)
    means = gaps[rng.integers(len(gaps), size=(REPLICATES, len(gaps)))].mean(axis=1)
    estimate = Estimate(value=float(gaps.mean()), interval=interval_of(means, len(gaps), 1))
    ruling = by_interval(estimate, -np.inf, PRED_GAP)
    why = (
        f"lam_pred costs {gaps.mean():.4f} of accuracy on average over {len(gaps)} cells of eta, seed and budget, "
        f"{gaps.max():.4f} at worst{_left_out(len(table) - len(gaps))}"
    )
    used = peaks[_had_time(peaks)]
    return judged(claim, estimate, threshold, ruling, why, _counts(used))


def _had_time(peaks: pd.DataFrame) -> Bools:
    """Points whose maximum is that of their lam (n,): completed, and seen to fall or past the decay time of any peak.

    A point that diverged says how large eta may be, not what accuracy lam gives.
    """
    completed = peaks["outcome"].eq("completed").to_numpy(dtype=np.bool_)
    seen = ~peaks["censored"].to_numpy(dtype=np.bool_) | (floats(peaks, "last_decay_time") >= PAST_PEAK)
    learned = floats(peaks, "best_test_acc") >= LEARNED * _top(peaks)
    mask: Bools = completed & (floats(peaks, "lam") > 0) & learned & seen
    return mask


def _counts(used: pd.DataFrame) -> tuple[int, int]:
    return len(used), int(used["censored"].sum())


def _top(peaks: pd.DataFrame) -> float:
    best = floats(peaks, "best_test_acc")
    return float(np.nanmax(best)) if np.isfinite(best).any() else np.nan


def _mean_over_seeds(group: pd.DataFrame) -> tuple[Floats, Floats]:
    mean = group.groupby("lam", sort=True)["best_test_acc"].mean()
    return mean.index.to_numpy(dtype=np.float64), mean.to_numpy(dtype=np.float64)


def _lead(group: pd.DataFrame) -> float:
    """Best accuracy within the budget minus the better of the two ends of the grid of lam, mean over seeds."""
    mean = group[np.isfinite(floats(group, "acc"))].groupby("lam", sort=True)["acc"].mean()
    acc = mean.to_numpy(dtype=np.float64)
    return float(acc.max() - max(acc[0], acc[-1]))


def _beyond_grid(known: pd.DataFrame) -> Bools:
    """Whether lam_pred and the tuned lam lie at or beyond the same end of what was trained long enough (n,)."""
    low, high = floats(known, "lam_min"), floats(known, "lam_max")
    pred = floats(known, "lam_pred")
    below = (pred < low) & (floats(known, "lam_tuned_low") <= low)
    above = (pred > high) & (floats(known, "lam_tuned_high") >= high)
    mask: Bools = below | above
    return mask


def _left_out(cells: int) -> str:
    return f"; {cells} cells have no prediction inside the grid" if cells else ""


def _no_prediction(table: pd.DataFrame) -> str:
    reasons = [str(why) for why in table["why"] if why]
    return reasons[0] if reasons else "no budgets were asked about"


def _over(values: Floats | list[float], what: str) -> str:
    array = np.asarray(values)
    return f"{np.median(array):.4f} (median; {array.min():.4f} to {array.max():.4f} over {len(array)} {what})"


def _ranged(claim: str, values: Floats, threshold: str, ruling: Ruling, why: str, used: tuple[int, int]) -> Verdict:
    interval = (float(values.min()), float(values.max()))
    estimate = Estimate(value=float(np.median(values)), interval=interval)
    return judged(claim, estimate, threshold, ruling, why, used)
