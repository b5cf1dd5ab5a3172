"""Claims about accuracy: its plateau, its optimum at a fixed budget, and whether it depends on η or on ηλ."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

from results.analysis.bootstrap import REPLICATES, IntervalEstimate, draw_weights, estimate_over, interval_of
from results.analysis.segments import Floats, extra_axes, floats, group_ids
from results.analysis.selection import had_time, top_accuracy
from results.claims.claim import Claim
from results.claims.verdict import (
    PointCounts,
    Ruling,
    Verdict,
    inconclusive,
    judge_interval,
    judge_range,
    make_median_verdict,
    make_verdict,
)

__all__ = ["CLAIMS", "eta_independence", "fixed_budget_optimum", "plateau", "product_constant"]

DECADE = 10 * (1 + 1e-9)
MIN_LAMS = 4
MIN_DECADE_LAMS = 3  # in the smallest decade: two λ show no trend
MAX_ETA_RANGE = 0.01
# Half the tolerance of t*. A tenth of a per cent is 1.3 of 1,285 test images: the best of eight noisy runs leads by
# that much.
MIN_LEAD = 0.0025
# Near the largest useful λ accuracy falls steeply: the few measurements before the decay determine it, and not η.
WELL_LEARNED_SHARE = 0.9
# Ratio of standard deviations: ηλ then explains 8/9 of the variance, as κ must in the collapse.
MAX_WITHIN_SHARE = 1 / 3


def plateau(peaks: pd.DataFrame, tolerance: float, noise: float = 0.0) -> Verdict:
    """Judge claim 3 for budgets ∝ 1/(ηλ): the best accuracy stops depending on λ as λ → 0.

    For each η with the smallest λ of the sweep, the number is the range of the best accuracy (mean over seeds) over the
    decade of λ above it. Only λ all of whose seeds had time to peak count, since the seeds that still rise are often
    the best ones. The value is the median over η, and the interval its range over η; of a single η the interval is that
    over its seeds, and the claim is judged by it.

    The claim passes where every range is within the tolerance. It fails where the smallest λ has lost more than that
    against the best, beyond what noise alone makes of equal accuracies. The drop is then the value. Accuracy that still
    rises towards the smallest λ is inconclusive, since it may level off below the grid.

    Args:
        peaks: of ``find_peaks``, censored where a run had no time to peak before its η first fell.
        tolerance: accuracy within which two measurements count as equal.
        noise: standard deviation of the accuracy of one run, for a sweep of one seed.
    """
    claim, threshold = "plateau", f"range over the smallest decade <= {tolerance:g}"
    timed = peaks.assign(timed=had_time(peaks)).groupby(["eta", "lam", "mu", *extra_axes(peaks)], dropna=False)["timed"]
    used = peaks[timed.transform("all")]
    split = used.groupby(["eta", "mu", *extra_axes(used)], dropna=False)
    groups = [_by_seed(group, "best_test_acc") for _, group in split]
    groups = [g for g in groups if len(g[0]) >= MIN_LAMS and (g[0] <= g[0][0] * DECADE).sum() >= MIN_DECADE_LAMS]
    smallest = min((float(lam[0]) for lam, _ in groups), default=np.inf)
    # Where a grid leaves out long runs, the decade of a small η lies higher, where accuracy still rises for every η.
    groups = [(lam, by_seed) for lam, by_seed in groups if lam[0] <= smallest * (1 + 1e-9)]
    cells = [by_seed[:, lam <= lam[0] * DECADE] for lam, by_seed in groups]
    means = [by_seed.mean(axis=0) for _, by_seed in groups]
    drops = [float(mean.max() - mean[0]) for mean in means]
    if not cells:
        why = f"no eta has {MIN_LAMS} lam > 0, {MIN_DECADE_LAMS} of them in a decade, whose runs had time to peak"
        return inconclusive(claim, threshold, why, lacks=("smaller_lam", "finer_lam"))
    values, estimate = _over_cells(cells, np.ptp)
    allowed = _ranges_of_noise(cells, noise)
    ruling, trend = _within(values, estimate, tolerance), "differs"
    if ruling != "pass":
        dropped = float(np.median(drops)) > tolerance
        trend = "drops" if dropped else "still rises" if np.median(values - allowed) > tolerance else "differs"
        ruling = "inconclusive"
        if float(np.median(drops - allowed)) > tolerance:
            ruling, values = "fail", np.array(drops)
            ends = (float(values.min()), float(values.max())) if len(values) > 1 else estimate.interval
            estimate = IntervalEstimate(value=float(np.median(values)), interval=ends)
    below = ", and may level off below the grid" if trend == "still rises" else ""
    why = f"best accuracy {trend} by {_over(values, 'eta')} over the decade of lam above {smallest:.3g}{below}"
    verdict = make_verdict(claim, estimate, threshold, ruling, why, PointCounts.of(used), band=(-np.inf, tolerance))
    return replace(verdict, lacks=("smaller_lam", "seeds")) if trend == "still rises" else verdict


def fixed_budget_optimum(table: pd.DataFrame, within: pd.DataFrame, peaks: pd.DataFrame) -> Verdict:
    """Judge claim 3 for a fixed budget: the best λ is better than both ends of the grid, where λ = 0 is an end.

    Budgets whose λ_pred lies outside the grid are left out: there the grid cannot show the optimum. The value is the
    median over η and budgets of the lead over the better end, and the interval its range. A single combination is
    judged by the interval over its seeds.

    Args:
        table: of ``tuned_and_predicted``.
        within: of ``within_budget``.
        peaks: of ``find_peaks``, for the count of points.
    """
    claim, threshold = "fixed_budget_optimum", f"lead >= {MIN_LEAD:g}"
    spanned = table[np.isfinite(floats(table, "acc_pred")) & (floats(table, "lams") >= MIN_LAMS)]
    if spanned.empty:
        why = "no budget with an observed t* within its tenth and lam_pred inside the grid"
        return inconclusive(claim, threshold, why, lacks=("budgets", "larger_lam", "smaller_lam"))
    # Without λ = 0 the grid may begin at, or above, the best λ: then it cannot show that smaller ones are worse.
    at_end = floats(spanned, "lam_tuned_low") <= floats(spanned, "lam_min")
    if float(np.mean(at_end & ~np.isfinite(floats(spanned, "acc_zero")))) > 0.5:
        why = "the best lam is the smallest of the grid, which lacks lam = 0"
        return inconclusive(claim, threshold, why, lacks=("smaller_lam",))
    keys = ["eta", "mu", *extra_axes(peaks), "budget_at"]
    accuracies = spanned[keys].drop_duplicates().merge(within, on=keys)
    measured = accuracies[np.isfinite(floats(accuracies, "acc"))]
    cells = [_by_seed(group, "acc")[1] for _, group in measured.groupby(keys, dropna=False)]
    leads, estimate = _over_cells(cells, lambda acc: float(acc.max() - max(acc[0], acc[-1])))
    why = f"the best lam leads the better end of the grid by {_over(leads, 'eta and budgets')}"
    behind = None if estimate.interval is None else (-estimate.interval[1], -estimate.interval[0])
    ruling = _within(-leads, IntervalEstimate(value=-estimate.value, interval=behind), -MIN_LEAD)
    counts = PointCounts.of(peaks[had_time(peaks)])
    return make_verdict(claim, estimate, threshold, ruling, why, counts, band=(MIN_LEAD, np.inf))


def eta_independence(peaks: pd.DataFrame, noise: float = 0.0) -> Verdict:
    """Judge claim 4: at fixed λ the best accuracy hardly depends on η.

    A λ counts where two or more η share it, had time to peak, and reach at least 0.9 of the best accuracy of the sweep.
    At each λ the range over η is taken. The value is the median of these ranges over λ; the interval spans them. The
    claim fails where the median is too large beyond what noise alone makes of equal accuracies.

    Args:
        peaks: of ``find_peaks``, censored where a run had no time to peak before its η first fell.
        noise: standard deviation of the accuracy of one run, for a sweep of one seed.
    """
    claim, threshold = "eta_independence", f"range over eta <= {MAX_ETA_RANGE:g}"
    used = peaks[had_time(peaks)]
    axes = ["lam", "mu", *extra_axes(used)]
    acc = used.groupby([*axes, "eta"], dropna=False)["best_test_acc"].agg(["mean", "var", "size"]).reset_index()
    acc = acc[floats(acc, "mean") >= WELL_LEARNED_SHARE * top_accuracy(peaks)]
    cells = [group for _, group in acc.groupby(axes, dropna=False) if len(group) > 1]
    if not cells:
        why = "no lam has runs of two eta that learned and had time to peak"
        return inconclusive(claim, threshold, why, lacks=("larger_lam", "eta"))
    ranges = np.array([np.ptp(floats(cell, "mean")) for cell in cells])
    variance = float(acc["var"].mean()) if acc["var"].notna().any() else noise**2
    allowed = np.array([_range_of_noise(len(cell), np.sqrt(variance / float(cell["size"].min()))) for cell in cells])
    why = f"best accuracy differs between eta by {_over(ranges, 'lam')}, at those lam that reach 0.9 of the best"
    ruling, counts = judge_range(ranges, MAX_ETA_RANGE, allowed), PointCounts.of(used)
    return make_median_verdict(claim, ranges, threshold, ruling, why, counts, limit=MAX_ETA_RANGE)


def product_constant(peaks: pd.DataFrame, tolerance: float) -> Verdict | None:
    """Judge figure S8a: after the same epochs the best accuracy depends on ηλ, not on η and λ separately.

    At every ηλ that two or more η cover, their accuracies are compared with each other, and their mean with that at
    other ηλ. Between the λ of the grid accuracy is interpolated linearly in log λ. Only accuracies of at least 0.9 of
    the best count, as for ``eta_independence``. The value is the standard deviation within a product over that across
    products; its interval is the bootstrap over the products.

    Args:
        peaks: of ``find_peaks``, on all measurements.
        tolerance: accuracy below which a spread across products is nothing to compare with.

    Returns:
        None unless two or more η and λ > 0 have all had one budget, as in the figure: with T ∝ 1/(ηλ) every product has
            had another time.
    """
    claim, threshold = "product_constant", "spread at one eta*lam <= 1/3 of that of all"
    ended = peaks["outcome"].eq("completed").to_numpy(dtype=np.bool_) & (floats(peaks, "lam") > 0)
    if "budget" not in peaks or any(peaks[ended][name].nunique() < 2 for name in ("eta", "lam")):
        return None
    budgets = floats(peaks[ended], "budget")
    if np.ptp(budgets) > 1e-9 * budgets.max():
        return None
    used = peaks[ended & (floats(peaks, "best_test_acc") >= WELL_LEARNED_SHARE * top_accuracy(peaks))]
    classes = _by_product(used)
    cells = group_ids(classes, ["product"])
    if len(np.unique(cells)) < 3:
        why = f"{len(np.unique(cells))} eta*lam are covered by two or more eta that learned, at least 3 are needed"
        return inconclusive(claim, threshold, why, PointCounts.of(used), ("eta", "finer_lam"))
    within, mean = floats(classes, "within"), floats(classes, "mean")
    members = np.eye(int(classes["group"].max()) + 1)[classes["group"]]  # each group has a mean of its own

    def shares(weights: Floats) -> Floats:
        sizes = np.maximum(weights @ members, 1e-300)
        across = weights @ mean**2 - ((weights @ (members * mean[:, None])) ** 2 / sizes).sum(axis=1)
        ratio: Floats = np.sqrt((weights @ within) / np.maximum(weights @ within + across, 1e-12))
        return ratio

    estimate = estimate_over(cells, shares)
    across = float(np.sqrt(within.mean() * (1 / max(estimate.value, 1e-6) ** 2 - 1)))
    why = (
        f"accuracies of different eta at one eta*lam differ by {np.sqrt(within.mean()):.4f}, those of different "
        f"eta*lam by {across:.4f} (standard deviations over {len(np.unique(cells))} eta*lam)"
    )
    ruling = judge_interval(estimate, 0.0, MAX_WITHIN_SHARE)
    if across < tolerance:
        ruling, why = "inconclusive", f"{why}: nothing to compare with"
    return make_verdict(claim, estimate, threshold, ruling, why, PointCounts.of(used), band=(0.0, MAX_WITHIN_SHARE))


def _by_product(used: pd.DataFrame) -> pd.DataFrame:
    """Compare accuracies of different η at one ηλ.

    Returns:
        One row for each combination of seed and further axes (``group``) and each ηλ (``product``): the variance over η
            (``within``) and the ``mean``.
    """
    records = []
    axes = ["seed", "mu", *extra_axes(used)]
    for group, (_, part) in enumerate(used.groupby(axes, dropna=False)):
        curves = [_curve(at_eta) for _, at_eta in part.groupby("eta")]
        # Logarithms are rounded, so that 0.1*0.03 and 0.3*0.01 are one product.
        for product in np.unique(np.concatenate([curve[0] for curve in curves]).round(6)):
            over = [float(np.interp(product, *c)) for c in curves if c[0][0] - 1e-5 <= product <= c[0][-1] + 1e-5]
            if len(over) > 1:
                values = (group, product, float(np.var(over, ddof=1)), float(np.mean(over)))
                records.append(values)
    return pd.DataFrame(records, columns=["group", "product", "within", "mean"])


def _curve(at_eta: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return log(ηλ) (L,), ascending, and the best accuracy (L,) of one η and seed."""
    ordered = at_eta.sort_values("lam")
    return np.log(floats(ordered, "eta") * floats(ordered, "lam")), floats(ordered, "best_test_acc")


def _by_seed(group: pd.DataFrame, column: str) -> tuple[Floats, Floats]:
    """Return the λ of a group (L,), ascending, and its accuracies (S, L), one row a seed, NaN where there is none."""
    table = group.pivot_table(index="seed", columns="lam", values=column, sort=True)
    return table.columns.to_numpy(dtype=np.float64), table.to_numpy(dtype=np.float64)


def _over_cells(cells: list[Floats], statistic: Callable[[Floats], float]) -> tuple[Floats, IntervalEstimate]:
    """Compute a statistic of the mean over seeds of each cell (S, L): its values, and their median with an interval.

    The interval is the range of the values. One cell alone has no range: its interval is that of the bootstrap over
    seeds, if it has several.
    """
    values = np.array([statistic(np.nanmean(cell, axis=0)) for cell in cells])
    interval: tuple[float, float] | None = (float(values.min()), float(values.max()))
    if len(cells) == 1:
        whole = cells[0][np.isfinite(cells[0]).all(axis=1)]  # a seed without some λ would shift the mean there
        weights = draw_weights(
            np.arange(len(whole)), np.zeros(len(whole), dtype=np.int64), REPLICATES, np.random.default_rng(0)
        )
        means = weights @ whole / max(1, len(whole))
        interval = interval_of(np.array([statistic(mean) for mean in means]), len(whole), 1) if len(whole) else None
    return values, IntervalEstimate(value=float(np.median(values)), interval=interval)


def _within(values: Floats, estimate: IntervalEstimate, limit: float) -> Ruling:
    """Judge whether values are within a limit: a single cell with several seeds by its interval, else by all values."""
    if len(values) == 1 and estimate.interval is not None:
        return judge_interval(estimate, -np.inf, limit)
    return judge_range(values, limit)


def _ranges_of_noise(cells: list[Floats], noise: float) -> Floats:
    """Return the range that noise alone makes of equal accuracies in each cell (S, L), exceeded once in twenty times.

    Args:
        cells: accuracies of S seeds at L values.
        noise: standard deviation of the accuracy of one run, where no cell has two seeds.
    """
    variances = [np.nanvar(cell, axis=0, ddof=1).mean() for cell in cells if len(cell) > 1]
    deviation = np.sqrt(np.nanmean(variances)) if variances else noise
    return np.array([_range_of_noise(cell.shape[1], deviation / np.sqrt(len(cell))) for cell in cells])


def _range_of_noise(count: int, deviation: float) -> float:
    """Return the 95 % quantile of the range of normal numbers with a standard deviation."""
    return _range_quantile(count) * float(deviation) if count > 1 else 0.0


@cache
def _range_quantile(count: int) -> float:
    return float(stats.studentized_range.ppf(0.95, count, np.inf))


def _over(values: Floats | list[float], what: str) -> str:
    """Format values for a sentence: the only one, or the median and the range over ``what``."""
    array = np.asarray(values)
    if len(array) == 1:
        return f"{array[0]:.4f}"
    return f"{np.median(array):.4f} (median; {array.min():.4f} to {array.max():.4f} over {len(array)} {what})"


CLAIMS = (
    Claim(
        name="plateau",
        title="Accuracy levels off at small λ",
        judge=lambda e: plateau(e.settled, e.findings.tolerance, e.findings.noise.largest),
        quantity="accuracy",
        varied=("lam",),
        needs_accuracy=True,
    ),
    Claim(
        name="fixed_budget_optimum",
        title="A fixed budget has its best λ inside the grid",
        judge=lambda e: fixed_budget_optimum(e.findings.prediction, e.findings.within, e.settled),
        quantity="accuracy",
        varied=("lam",),
        needs_budgets=True,
        needs_accuracy=True,
    ),
    Claim(
        name="eta_independence",
        title="Accuracy hardly depends on η",
        judge=lambda e: eta_independence(e.settled, e.findings.noise.largest),
        quantity="accuracy",
        varied=("eta",),
        needs_accuracy=True,
    ),
    Claim(
        name="product_constant",
        title="In one time, accuracy depends on ηλ alone",
        judge=lambda e: product_constant(e.findings.peaks, e.findings.tolerance),
        quantity="accuracy",
        lacks=("seeds", "eta"),
        needs_accuracy=True,
    ),
)
