"""The clock across λ: the lower edge of the good λ, the smallest that is as good as the best within a budget T.

Where accuracies flicker on a plateau, the time of a maximum is chance. The edge is not: it compares runs at the same
time, and every λ near it adds to what is known of it. The law says that λ_edge ∝ 1/(ηT), at a decay time that does not
depend on T (paper, section 3.1: the smallest λ whose performance peaks within the budget).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import isotonic_regression

from results.analysis.bootstrap import IntervalEstimate
from results.analysis.clocks.smoothing import APART, SmoothCurves
from results.analysis.fits import exponential
from results.analysis.segments import Bools, Floats, Ints, extra_axes, floats, group_ids
from search_spaces.outcome import TRAINED

__all__ = ["Edge", "EdgeFit", "best_within_steps", "budget_steps", "find_edge", "fit_edge"]

BUDGETS_PER_DECADE = 8
DECADES = 8  # of steps, from 1
MIN_LEAD = 2.0  # tolerances by which the best accuracy must lead that of the smallest λ
MIN_EDGES = 3
MIN_DECADES = 0.5  # of budgets
_OFFSET = 4.0  # between segments in one running maximum; smoothed accuracies lie within -1 and 2
_UNKNOWN = -1.0


class Edge(NamedTuple):
    """The lower edge of the good λ within one budget.

    Attributes:
        eta: learning rate η.
        steps: budget T in steps.
        lam: λ_edge.
        kappa: decay time ηλ_edge·T/(1-μ).
        group: number of its combination of η, μ and further axes.
        level: number of its combination of μ and further axes.
    """

    eta: float
    steps: float
    lam: float
    kappa: float
    group: int
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeFit:
    """The law as the edges show it.

    Attributes:
        gamma: exponent of ηλ_edge/(1-μ) in T; the law says -1. None where the edges cannot determine it.
        kappa: decay time at the edge, geometric mean; None without any edge.
        spread: geometric standard deviation of that decay time, at least 1; None with fewer than two edges.
        edges: the edges.
        points_used: number of points with λ > 0 that were compared.
    """

    gamma: IntervalEstimate | None
    kappa: IntervalEstimate | None
    spread: float | None
    edges: tuple[Edge, ...]
    points_used: int


def budget_steps() -> Floats:
    """Return the budgets T in steps within which edges are looked for (K,)."""
    steps: Floats = 10 ** (np.arange(DECADES * BUDGETS_PER_DECADE + 1) / BUDGETS_PER_DECADE)
    return steps


def best_within_steps(curves: SmoothCurves, past: Bools) -> Floats:
    """Find the best smoothed accuracy of each segment within each budget of ``budget_steps``.

    Args:
        curves: test accuracies of S segments.
        past: whose maximum is past, so that a longer run would show no better (S,).

    Returns:
        Accuracies (S, K); NaN before the first measurement, and after the last unless the maximum is past.
    """
    bins, wanted = curves.bins, np.log10(budget_steps()) + 1e-6
    number = np.arange(len(bins.start))
    if not len(number):
        return np.empty((0, len(wanted)))
    known = np.where(np.isfinite(curves.smooth), np.clip(curves.smooth, -1, 2), _UNKNOWN)
    running = np.maximum.accumulate(known + _OFFSET * bins.segment) - _OFFSET * bins.segment
    at = np.searchsorted(bins.key, wanted + APART * number[:, None], side="right") - 1
    begun = at >= bins.start[:, None]
    ended = wanted > bins.log_step[bins.stop - 1][:, None] + 0.5 / BUDGETS_PER_DECADE
    best = running[np.maximum(at, 0)]
    return np.where(begun & (best > _UNKNOWN) & (~ended | past[:, None]), best, np.nan)


def find_edge(lam: Floats, acc: Floats, tolerance: float) -> float:
    """Find the smallest λ whose accuracy is within a tolerance of the best, between the λ of a grid.

    The accuracies up to the best are made monotone (isotonic regression). Between two λ the root of what is missing to
    the best is interpolated linearly in log λ: a maximum is a parabola.

    Args:
        lam: λ, ascending; the first may be 0 (L,).
        acc: accuracy at each, NaN where unknown (L,).
        tolerance: accuracy.

    Returns:
        λ_edge. NaN where the grid does not show it: the best accuracy leads that of the smallest λ by less than two
            tolerances, or only the largest λ is good.
    """
    lam, acc = lam[np.isfinite(acc)], acc[np.isfinite(acc)]
    x, y = np.log(lam[lam > 0]), acc[lam > 0]
    if len(y) < 3 or acc.max() > y.max() or acc.max() - acc[0] < MIN_LEAD * tolerance:
        return np.nan
    rising = isotonic_regression(y[: int(np.argmax(y)) + 1]).x
    good = rising >= rising[-1] - tolerance
    first = int(np.argmax(good))
    if first in (0, len(y) - 1):
        return np.nan
    below, above = np.sqrt(rising[-1] - rising[first - 1 : first + 1])
    share = (below - np.sqrt(tolerance)) / (below - above)
    return float(np.exp(x[first - 1] + share * (x[first] - x[first - 1])))


def fit_edge(peaks: pd.DataFrame, best: Floats, tolerance: float) -> EdgeFit:
    """Fit the exponent and the decay time of the lower edge of the good λ.

    The accuracies of seeds are averaged. Each combination of μ and further axes has a level of its own. Edges at
    neighboring budgets share their noise. So the intervals are a jackknife over seeds and one over groups (η, μ,
    further axes), whose variances add. That of κ needs two seeds, since one seed moves the edges of all groups alike:
    on digits (FC 3×64) by a factor of 1.4. Where accuracies flicker by half the tolerance, κ is too high by a sixth:
    the best of several noisy λ is too good.

    Args:
        peaks: of ``find_peaks``, at constant η and λ (P rows).
        best: best accuracy of each point within each budget, of ``best_within_steps`` (P, K).
        tolerance: accuracy within which a λ is as good as the best.
    """
    usable = peaks["outcome"].isin(TRAINED).to_numpy(dtype=np.bool_)
    points = _Points.of(peaks[usable], best[usable])
    edges = tuple(points.edges(tolerance, points.seed >= 0))
    if not edges:
        return EdgeFit(gamma=None, kappa=None, spread=None, edges=(), points_used=0)
    logs = _Logs.of(edges)
    slope, log_kappa = _estimate(logs)
    seeds = [_estimate(_Logs.of(points.edges(tolerance, points.seed != seed))) for seed in np.unique(points.seed)]
    groups = [_estimate(logs.without(group)) for group in np.unique(logs.group)]
    kappa = _jackknife(log_kappa, [[e.log_kappa for e in kind] for kind in (seeds, groups) if len(seeds) > 1])
    compared = np.isin(points.group, logs.group) & (points.lam > 0)
    return EdgeFit(
        gamma=_inverse(_jackknife(slope, [[e.slope for e in kind] for kind in (seeds, groups)])),
        kappa=exponential(kappa),
        spread=float(np.exp(np.std(logs.kappa, ddof=1))) if len(edges) > 1 else None,
        edges=edges,
        points_used=int(compared.sum()),
    )


class _Points(NamedTuple):
    """Points of a sweep: axes, last step, numbers of group, level and seed (P,), and best accuracies (P, K)."""

    eta: Floats
    lam: Floats
    mu: Floats
    last_step: Floats
    group: Ints
    level: Ints
    seed: Ints
    best: Floats

    @classmethod
    def of(cls, peaks: pd.DataFrame, best: Floats) -> "_Points":
        further = ["mu", *extra_axes(peaks)]
        return cls(
            eta=floats(peaks, "eta"),
            lam=floats(peaks, "lam"),
            mu=floats(peaks, "mu"),
            last_step=floats(peaks, "last_step"),
            group=group_ids(peaks, ["eta", *further]),
            level=group_ids(peaks, further),
            seed=group_ids(peaks, ["seed"]),
            best=best,
        )

    def edges(self, tolerance: float, chosen: Bools) -> Iterator[Edge]:
        """Find the edges of each group among the chosen points (P,)."""
        steps = budget_steps()
        for group in np.unique(self.group[chosen]):
            inside = np.flatnonzero(chosen & (self.group == group))
            lam, acc, last_step = self._mean_over_seeds(inside)
            rate = self.eta[inside[0]] / (1 - self.mu[inside[0]])
            top = np.max(acc, axis=0, initial=-1.0, where=np.isfinite(acc))
            # Within a shorter budget the best λ has not come to its accuracy yet: the larger λ lead because they learn
            # faster. On digits (FC 3×64, 30 seeds) κ rises from 0.1 to 0.5 before, and stays at 0.53 from there on.
            for k in np.flatnonzero(top >= top.max() - tolerance):
                edge = find_edge(lam, acc[:, k], tolerance)
                # A run below the edge that has ended before T is worse at any time: that says nothing of T.
                if np.isfinite(edge) and last_step[lam < edge][-1] >= 0.9 * steps[k]:
                    kappa = rate * edge * steps[k]
                    yield Edge(self.eta[inside[0]], steps[k], edge, kappa, int(group), int(self.level[inside[0]]))

    def _mean_over_seeds(self, inside: Ints) -> tuple[Floats, Floats, Floats]:
        """Return the λ (L,) of some points, their mean accuracies (L, K), NaN where a seed has none, and last steps."""
        lam, at = np.unique(self.lam[inside], return_inverse=True)
        members = [inside[at == i] for i in range(len(lam))]
        acc = np.stack([self.best[rows].mean(axis=0) for rows in members])
        return lam, acc, np.array([self.last_step[rows].min() for rows in members])


class _Logs(NamedTuple):
    """Edges as arrays (E,): numbers of group and level, log T, and log of the decay time."""

    group: Ints
    level: Ints
    steps: Floats
    kappa: Floats

    @classmethod
    def of(cls, edges: Iterable[Edge]) -> "_Logs":
        edges = tuple(edges)
        return cls(
            group=np.array([edge.group for edge in edges], dtype=np.int64),
            level=np.array([edge.level for edge in edges], dtype=np.int64),
            steps=np.log([edge.steps for edge in edges]),
            kappa=np.log([edge.kappa for edge in edges]),
        )

    def without(self, group: int) -> "_Logs":
        """Return the edges of all other groups."""
        return _Logs(*(values[self.group != group] for values in self))

    def centered(self, values: Floats) -> Floats:
        """Return values (E,) less their mean in each level."""
        sizes = np.maximum(np.bincount(self.level), 1)
        means: Floats = np.bincount(self.level, weights=values) / sizes
        return np.asarray(values - means[self.level])


class _Estimate(NamedTuple):
    """Slope of log ηλ_edge/(1-μ) on log T, NaN where the edges are too few or too close, and mean of log κ."""

    slope: float
    log_kappa: float


def _estimate(logs: _Logs) -> _Estimate:
    if not len(logs.steps):
        return _Estimate(slope=np.nan, log_kappa=np.nan)
    log_kappa = float(logs.kappa.mean())
    if len(logs.steps) < MIN_EDGES or np.ptp(logs.steps) < MIN_DECADES * np.log(10):
        return _Estimate(slope=np.nan, log_kappa=log_kappa)
    x, y = logs.centered(logs.steps), logs.centered(logs.kappa - logs.steps)
    return _Estimate(slope=float(x @ y / (x @ x)), log_kappa=log_kappa)


def _inverse(slope: IntervalEstimate) -> IntervalEstimate | None:
    """Return 1/slope; None where the slope is unknown or may be 0."""
    low, high = slope.interval or (slope.value, slope.value)
    if not (np.isfinite(slope.value) and low * high > 0):
        return None
    return IntervalEstimate(value=1 / slope.value, interval=None if slope.interval is None else (1 / high, 1 / low))


def _jackknife(value: float, kinds: Sequence[Sequence[float]]) -> IntervalEstimate:
    """Return an estimate with the interval of t with Satterthwaite's degrees of freedom.

    Args:
        value: estimate of all edges.
        kinds: for each kind of cluster, the estimates with each cluster left out.
    """
    variances, freedoms = [], []
    for left in kinds:
        if len(left) > 1:
            variances.append((len(left) - 1) ** 2 / len(left) * float(np.var(left, ddof=1)))
            freedoms.append(len(left) - 1)
    total = sum(variances)
    if not (np.isfinite(total) and total > 0):
        return IntervalEstimate(value=value, interval=None)
    freedom = total**2 / sum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
    half = float(stats.t.ppf(0.975, freedom)) * float(np.sqrt(total))
    return IntervalEstimate(value=value, interval=(value - half, value + half))
