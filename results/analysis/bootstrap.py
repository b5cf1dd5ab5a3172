"""Bootstrap by weights: a replicate says how often each point was drawn, so that all of them are fitted at once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from results.analysis.segments import Bools, Floats, Ints, extra_axes, group_ids
from results.analysis.tobit import fit_tobit

__all__ = ["REPLICATES", "Bootstrap", "Estimate", "draw_weights", "estimate_over", "interval_of"]

REPLICATES = 1000  # enough for the 2.5 % quantile to be good to about a tenth of the interval's width


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval; the interval is None where the data leave no degree of freedom."""

    value: float
    interval: tuple[float, float] | None


def draw_weights(cells: Ints, strata: Ints, replicates: int, rng: np.random.Generator) -> Floats:
    """How often each point is drawn in each replicate of a two-stage cluster bootstrap.

    In each stratum (one momentum and combination of further axes) cells of one eta and lam are drawn with
    replacement; in a cell that was drawn, so are its seeds. With one seed a cell and one stratum this is the ordinary
    bootstrap of points. Seeds share initial weights across cells; that correlation is not modelled.

    Args:
        cells: cell of each point (n,), integers from 0; a cell lies in one stratum.
        strata: stratum of each point (n,), integers from 0.
        replicates: number of replicates R.
        rng: source of randomness.

    Returns:
        Weights (R, n), each row summing on average to n.
    """
    sizes, first = np.bincount(cells), np.zeros(int(cells.max(initial=-1)) + 1, dtype=np.int64)
    first[cells] = np.arange(len(cells))
    weights = np.zeros((replicates, len(cells)))
    for stratum in np.unique(strata):
        inside = np.unique(cells[strata == stratum])
        drawn = np.array(
            [np.bincount(rng.integers(len(inside), size=len(inside)), minlength=len(inside)) for _ in range(replicates)]
        )
        alone = sizes[inside] == 1
        weights[:, first[inside[alone]]] = drawn[:, alone]
        for cell, times in zip(inside[~alone], drawn.T[~alone], strict=True):
            share = np.full(sizes[cell], 1 / sizes[cell])
            weights[:, cells == cell] = rng.multinomial(times * sizes[cell], share)
    return weights


def interval_of(samples: Floats, cells: int, parameters: int) -> tuple[float, float] | None:
    """Expanded percentile interval, 95 % (Hesterberg 2015, "What teachers should know about the bootstrap").

    The plain percentile interval of a dozen points covers about 88 %; the quantiles are moved out as the t
    distribution and the lost degrees of freedom say.

    Args:
        samples: the estimate in each replicate (R,); NaN where the replicate could not be fitted.
        cells: independent cells that carried an observed t*.
        parameters: parameters of the fitted mean.

    Returns:
        Low and high, or None with no degree of freedom left or more than half of the replicates unfitted.
    """
    fitted = samples[np.isfinite(samples)]
    freedom = cells - parameters
    if freedom < 1 or len(fitted) < len(samples) / 2:
        return None
    quantile = stats.norm.cdf(stats.t.ppf(0.025, freedom) * np.sqrt(cells / freedom))
    low, high = np.quantile(fitted, [float(quantile), float(1 - quantile)])
    return float(low), float(high)


def estimate_over(cells: Ints, statistic: Callable[[Floats], Floats], seed: int = 0) -> Estimate:
    """A statistic of weighted units with the interval of the two-stage bootstrap over cells and, in them, seeds.

    With one or two cells the seeds alone are the independent units: the interval then says nothing of other cells.

    Args:
        cells: cell of each unit (n,), integers from 0; the units of one cell are its seeds.
        statistic: weights (R, n) to values (R,), NaN where a replicate has none.
        seed: of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    weights = draw_weights(cells, np.zeros_like(cells), REPLICATES, rng)
    values = statistic(np.concatenate([np.ones((1, len(cells))), weights]))
    count = len(np.unique(cells))
    return Estimate(value=float(values[0]), interval=interval_of(values[1:], count if count > 2 else len(cells), 1))


class Bootstrap:
    """One response, fitted with any regressors on the points as they are (row 0) and on every replicate."""

    def __init__(self, law: pd.DataFrame, y: Floats, replicates: int, seed: int) -> None:
        axes = ["mu", *extra_axes(law)]
        cells = group_ids(law, ["eta", "lam", *axes])
        self.y = y
        self.groups = group_ids(law, axes)
        self.censored: Bools = law["censored"].to_numpy(dtype=np.bool_)
        self.observed = int((~self.censored).sum())
        self.cells = len(np.unique(cells[~self.censored]))
        self.weights = np.ones((1, len(law)))
        if len(law):
            drawn = draw_weights(cells, self.groups, replicates, np.random.default_rng(seed))
            self.weights = np.concatenate([self.weights, drawn])

    def fit(self, regressors: list[Floats], groups: Bools | None = None) -> tuple[Floats, Floats]:
        """Coefficients (1 + R, k) and sigma (1 + R,); the constants come last."""
        constants = np.ones((len(self.y), 1)) if groups is None else groups.astype(np.float64)
        centred = [values - values.mean() for values in regressors]
        design = np.column_stack([*centred, constants])
        shift = float(self.y.mean()) if len(self.y) else 0.0
        beta, sigma = fit_tobit(design, self.y - shift, self.censored, self.weights)
        beta[:, len(regressors) :] += shift
        return beta, sigma

    def slopes(self, regressors: list[Floats]) -> tuple[list[Estimate | None], float, float]:
        """Slope of each regressor (None if undetermined), mean level of y at their means, and sigma.

        Each group of mu and further axes has its own constant; the level is their mean, weighted by points.
        """
        groups = self.groups[:, None] == np.unique(self.groups)
        beta, sigma = self.fit(regressors, groups)
        found = [self.estimate(beta[:, i], beta.shape[1]) for i in range(len(regressors))]
        level = float(beta[0, len(regressors) :] @ groups.mean(axis=0))
        return [e if np.isfinite(e.value) else None for e in found], level, float(sigma[0])

    def estimate(self, samples: Floats, parameters: int) -> Estimate:
        """The value of row 0 with the interval of the replicates below it."""
        interval = interval_of(samples[1:], self.cells, parameters)
        return Estimate(value=float(samples[0]), interval=interval)
