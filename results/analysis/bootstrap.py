"""Bootstrap by weights: a replicate says how often each point was drawn, so that all replicates are fitted at once.

Points of one seed share their initial weights: a seed whose maximum comes early at one λ is often early at all. Cells
of one η and λ alone would take them for independent. On FC 3×64 and 128 digits, such an interval of the exponent of two
seeds held that of thirty in 10 of 15 cases, and the interval widened by the variance of the seeds in 14. In a sweep of
one seed the cells are of one λ: there curves of different η are nearly one path, that of gradient flow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from results.analysis.segments import Bools, Floats, Ints, extra_axes, group_ids
from results.analysis.tobit import fit_tobit

__all__ = ["REPLICATES", "Bootstrap", "IntervalEstimate", "draw_weights", "estimate_over", "interval_of"]

SEED_REPLICATES = 200  # of a variance, which is then good to a tenth
# From three seeds on, an interval from cells and what seeds share holds the truth in 91 of 96 cases (exponents of FC
# 2×64 on 128 digits, groups of 60 seeds); with a draw of seeds within cells in 95, and it is a third wider. Two seeds
# tell their variance too poorly: 79 of 90 without that draw, 86 with it.
MIN_SEEDS = 3
MIN_LAMS = 4  # below that, cells of one λ are too few to draw
REPLICATES = 1000  # enough for the 2.5 % quantile to be good to about a tenth of the interval's width


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalEstimate:
    """A number with its 95 % interval.

    Attributes:
        value: the number.
        interval: low and high end; None where the data leave no degree of freedom.
    """

    value: float
    interval: tuple[float, float] | None


def draw_weights(
    cells: Ints, strata: Ints, replicates: int, rng: np.random.Generator, *, within: bool = True
) -> Floats:
    """Draw how often each point is taken in each replicate of a cluster bootstrap.

    In each stratum (one momentum and combination of further axes) cells of one η and λ are drawn with replacement. In a
    cell that was drawn, so are its seeds if ``within``: then few cells suffice, but the noise of seeds counts twice,
    in the means of the cells and in the draw. With one seed a cell and one stratum this is the ordinary bootstrap of
    points. ``Bootstrap`` adds what seeds share across cells.

    Args:
        cells: cell of each point (n,), integers from 0; a cell lies in one stratum.
        strata: stratum of each point (n,), integers from 0.
        replicates: number of replicates R.
        rng: source of randomness.
        within: whether seeds are drawn within a cell.

    Returns:
        Weights (R, n), each row summing on average to n.
    """
    sizes = np.bincount(cells)
    weights = np.zeros((replicates, len(cells)))
    for stratum in np.unique(strata):
        members = strata == stratum
        inside, at = np.unique(cells[members], return_inverse=True)
        drawn = np.array(
            [np.bincount(rng.integers(len(inside), size=len(inside)), minlength=len(inside)) for _ in range(replicates)]
        )
        weights[:, members] = drawn[:, at]
        several = sizes[inside] > 1
        for cell, times in zip(inside[several], drawn.T[several], strict=True) if within else ():
            share = np.full(sizes[cell], 1 / sizes[cell])
            weights[:, cells == cell] = rng.multinomial(times * sizes[cell], share)
    return weights


def interval_of(samples: Floats, cells: int, parameters: int) -> tuple[float, float] | None:
    """Return the expanded percentile interval, 95 % (Hesterberg 2015, "What teachers should know about the bootstrap").

    The plain percentile interval of a dozen points covers about 88 %. So the quantiles are moved out as the t
    distribution and the lost degrees of freedom say.

    Args:
        samples: the estimate in each replicate (R,); NaN where the replicate could not be fitted.
        cells: number of independent cells that carried an observed t*.
        parameters: number of parameters of the fitted mean.

    Returns:
        Low and high end; None with no degree of freedom left or more than half of the replicates unfitted.
    """
    fitted = samples[np.isfinite(samples)]
    freedom = cells - parameters
    if freedom < 1 or len(fitted) < len(samples) / 2:
        return None
    quantile = stats.norm.cdf(stats.t.ppf(0.025, freedom) * np.sqrt(cells / freedom))
    low, high = np.quantile(fitted, [float(quantile), float(1 - quantile)])
    return float(low), float(high)


def estimate_over(cells: Ints, statistic: Callable[[Floats], Floats], seed: int = 0) -> IntervalEstimate:
    """Estimate a statistic of weighted units, with the interval of the bootstrap over cells and, within them, seeds.

    With one or two cells the seeds alone are the independent units: the interval then says nothing of other cells.

    Args:
        cells: cell of each unit (n,), integers from 0; the units of one cell are its seeds.
        statistic: function of weights (R, n) that returns values (R,), NaN where a replicate has none.
        seed: of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    weights = draw_weights(cells, np.zeros_like(cells), REPLICATES, rng)
    values = statistic(np.concatenate([np.ones((1, len(cells))), weights]))
    count = len(np.unique(cells))
    return IntervalEstimate(
        value=float(values[0]), interval=interval_of(values[1:], count if count > 2 else len(cells), 1)
    )


class Slopes(NamedTuple):
    """Slopes of a response on several regressors.

    Attributes:
        estimates: slope of each regressor; None where the points cannot determine it.
        level: mean level of the response at the means of the regressors.
        sigma: spread of the response about the fit.
    """

    estimates: list[IntervalEstimate | None]
    level: float
    sigma: float


class Bootstrap:
    """One response (n,), fitted with any regressors on the points as they are (row 0) and on every replicate.

    Replicates draw cells with all their seeds, or with fewer than ``MIN_SEEDS`` seeds also these. With several seeds
    there are further replicates that draw whole seeds and single points. The variance of the first beyond that of the
    second is what the seeds share; the interval is widened by it (two-way clustering: Cameron, Gelbach and Miller 2011,
    eq. 2.11). A sweep of one seed says nothing of it; its cells are those of one λ, with all their η.

    Attributes:
        y: response (n,).
        groups: group of μ and further axes of each point (n,).
        censored: points whose response is only a lower bound (n,).
        observed: number of the other points.
        cells: number of cells with an observed point.
        seeds: number of seeds.
        weights: (1 + R, n), the first row all ones, or (1 + R + 2 ``SEED_REPLICATES``, n) with several seeds.
    """

    def __init__(self, law: pd.DataFrame, y: Floats, replicates: int, seed: int) -> None:
        axes = ["mu", *extra_axes(law)]
        self.seeds = int(law["seed"].nunique()) if "seed" in law else 1
        one_path = self.seeds == 1 and law["lam"].nunique() >= MIN_LAMS
        cells = group_ids(law, ["lam", *axes] if one_path else ["eta", "lam", *axes])
        self.y = y
        self.groups = group_ids(law, axes)
        self.censored: Bools = law["censored"].to_numpy(dtype=np.bool_)
        self.observed = int((~self.censored).sum())
        self.cells = len(np.unique(cells[~self.censored]))
        self.weights = np.ones((1, len(law)))
        if len(law):
            within, random = self.seeds < MIN_SEEDS, np.random.default_rng(seed)
            drawn = [draw_weights(cells, self.groups, replicates, random, within=within)]
            if self.seeds > 1:
                random = np.random.default_rng([seed, 1])
                drawn += [_draw(group_ids(law, ["seed"]), random), _draw(np.arange(len(law)), random)]
            self.weights = np.concatenate([self.weights, *drawn])

    def fit(self, regressors: list[Floats], groups: Bools | None = None) -> tuple[Floats, Floats]:
        """Fit the response on regressors, each centered at its mean.

        Args:
            regressors: each (n,).
            groups: membership (n, G) of points in groups with a constant of their own; one constant for all if None.

        Returns:
            Coefficients, with the constants last, and sigma: a row for each row of ``weights``.
        """
        constants = np.ones((len(self.y), 1)) if groups is None else groups.astype(np.float64)
        centered = [values - values.mean() for values in regressors]
        design = np.column_stack([*centered, constants])
        shift = float(self.y.mean()) if len(self.y) else 0.0
        beta, sigma = fit_tobit(design, self.y - shift, self.censored, self.weights)
        beta[:, len(regressors) :] += shift
        return beta, sigma

    def slopes(self, regressors: list[Floats]) -> Slopes:
        """Fit slopes on regressors, each (n,), with a constant for each group of μ and further axes.

        The level is the mean of these constants, weighted by points.
        """
        groups = self.groups[:, None] == np.unique(self.groups)
        beta, sigma = self.fit(regressors, groups)
        found = [self.estimate(beta[:, i], beta.shape[1]) for i in range(len(regressors))]
        level = float(beta[0, len(regressors) :] @ groups.mean(axis=0))
        estimates = [e if np.isfinite(e.value) else None for e in found]
        return Slopes(estimates, level, float(sigma[0]))

    def estimate(self, samples: Floats, parameters: int) -> IntervalEstimate:
        """Return the value of row 0 with the interval of the replicates below it.

        Args:
            samples: the estimate for each row of ``weights``.
            parameters: number of parameters of the fitted mean.
        """
        value, rest = float(samples[0]), samples[1:]
        if self.seeds < 2:
            return IntervalEstimate(value=value, interval=interval_of(rest, self.cells, parameters))
        nested, by_seed, by_point = np.split(rest, [-2 * SEED_REPLICATES, -SEED_REPLICATES])
        interval = interval_of(nested, self.cells, parameters)
        if interval is None:
            return IntervalEstimate(value=value, interval=None)
        # A bootstrap of S seeds has (S - 1)/S of their variance.
        shared = np.nanvar(by_seed) * self.seeds / (self.seeds - 1) - np.nanvar(by_point)
        widened = float(np.sqrt(1 + max(0.0, float(shared)) / max(float(np.nanvar(nested)), 1e-300)))
        low, high = (value + widened * (end - value) for end in interval)
        return IntervalEstimate(value=value, interval=(low, high))


def _draw(clusters: Ints, random: np.random.Generator) -> Floats:
    """Draw clusters of points (n,) with replacement; weights (``SEED_REPLICATES``, n)."""
    number = int(clusters.max()) + 1
    drawn = random.multinomial(number, np.full(number, 1 / number), size=SEED_REPLICATES)
    return drawn[:, clusters].astype(np.float64)
