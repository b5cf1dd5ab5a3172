"""Linear regression with lower bounds (Tobit, normal errors), for all bootstrap replicates at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.special import log_ndtr
from threadpoolctl import ThreadpoolController

from results.analysis.segments import Bools, Floats

__all__ = ["fit_tobit"]

# A residual spread of 0.1 % in t* is below any spacing of measurements; without this floor exact (synthetic) data
# have an unbounded likelihood.
SIGMA_FLOOR = 1e-3
MAX_ITERATIONS = 60
MAX_HALVINGS = 25
CHUNK_VALUES = 2_000_000  # replicates times points in memory at once: 16 MB an array
THREADS = 2  # chunks fitted at a time: numpy and LAPACK release Python's lock while they compute


class TobitFit(NamedTuple):
    """Fit of R replicates; NaN in replicates whose observed points cannot determine it.

    Attributes:
        beta: coefficients (R, k).
        sigma: standard deviations of the noise (R,).
    """

    beta: Floats
    sigma: Floats


def fit_tobit(design: Floats, y: Floats, censored: Bools, weights: Floats) -> TobitFit:
    """Fit y = design @ beta + sigma * noise by maximum likelihood, where censored y are lower bounds.

    Olsen's (1978) parameters beta/sigma and 1/sigma make the likelihood concave. So Newton's method finds its one
    maximum, starting from the least squares of all points. Without censored points that start is the answer.

    Args:
        design: regressors (n, k), with a constant in their span.
        y: observations or, where censored, lower bounds (n,).
        censored: which are bounds (n,).
        weights: how often each point counts in each replicate (R, n).
    """
    # Residuals of one fit replace y, so that sums of their squares lose no digits.
    center = np.linalg.lstsq(design, y, rcond=None)[0]
    rest, step = y - design @ center, max(1, CHUNK_VALUES // max(1, len(y)))
    chunks = [weights[i : i + step] for i in range(0, max(1, len(weights)), step)]
    # BLAS threads gain nothing on matrices this small, and spin while they wait for a core.
    with _blas().limit(limits=1, user_api="blas"), ThreadPoolExecutor(THREADS) as pool:
        parts = list(pool.map(lambda chunk: _fit_chunk(design, rest, censored, chunk), chunks))
    beta = center + np.concatenate([part.beta for part in parts])
    return TobitFit(beta, np.concatenate([part.sigma for part in parts]))


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    """Return the controller of the BLAS threads of this process."""
    return ThreadpoolController()


def log_likelihood(design: Floats, y: Floats, censored: Bools) -> float:
    """Return the logarithm of the largest likelihood of a fit, up to a constant.

    The constant depends on the number of observed points alone.

    Args:
        design: regressors (n, k), a constant included.
        y: response (n,), a lower bound where ``censored``.
        censored: which are bounds (n,).

    Returns:
        Minus infinity where the observed points cannot determine the fit.
    """
    beta, sigma = fit_tobit(design, y, censored, np.ones((1, len(y))))
    if not np.isfinite(sigma[0]):
        return -np.inf
    z = (y - design @ beta[0]) / sigma[0]
    observed = -np.log(sigma[0]) - 0.5 * z[~censored] ** 2
    return float(observed.sum() + log_ndtr(-z[censored]).sum())


def _fit_chunk(design: Floats, y: Floats, censored: Bools, weights: Floats) -> TobitFit:
    """Fit some of the replicates, arguments and result as for ``fit_tobit``."""
    beta = np.full((len(weights), design.shape[1]), np.nan)
    sigma = np.full(len(weights), np.nan)
    good = _determined(design, weights * ~censored)
    if not good.any():
        return TobitFit(beta, sigma)
    kept = weights[good]
    beta[good], sigma[good] = _least_squares(design, y, kept)
    if censored.any():
        beta[good], sigma[good] = _newton(design, y, censored, kept, TobitFit(beta[good], sigma[good]))
    return TobitFit(beta, sigma)


def _determined(design: Floats, observed: Floats) -> Bools:
    """Select the replicates whose observed points span the design and leave a degree of freedom (R,)."""
    eigenvalues = np.linalg.eigvalsh(_gram(design, observed))
    spanned = eigenvalues[:, 0] > 1e-9 * np.maximum(eigenvalues[:, -1], 1e-300)
    enough: Bools = spanned & ((observed > 0).sum(axis=1) > design.shape[1])
    return enough


def _gram(design: Floats, weights: Floats) -> Floats:
    """Return weighted sums of the products of every two regressors (R, k, k), from design (n, k) and weights (R, n).

    A constant for each of many groups is zero for most points: only products of nonzero values are formed.
    """
    n, k = design.shape
    row, column = np.nonzero(design)
    value, count = design[row, column], np.bincount(row, minlength=n)
    left = np.repeat(np.arange(len(row)), count[row])
    number = np.arange(len(left)) - np.repeat(np.cumsum(count[row]) - count[row], count[row])
    right = (np.cumsum(count) - count)[row[left]] + number
    places = (row[left], column[left] * k + column[right])
    products = csr_array((value[left] * value[right], places), shape=(n, k * k))
    return np.asarray(weights @ products).reshape(-1, k, k)


def _least_squares(design: Floats, y: Floats, weights: Floats) -> TobitFit:
    """Fit all points as if observed: beta (R, k) and sigma (R,)."""
    right = weights @ (design * y[:, None])
    beta = np.asarray(np.linalg.solve(_gram(design, weights), right[:, :, None])[:, :, 0], dtype=np.float64)
    residual = y - beta @ design.T
    variance: Floats = (weights * residual**2).sum(axis=1) / weights.sum(axis=1)
    return TobitFit(beta, np.sqrt(variance + SIGMA_FLOOR**2))


def _newton(design: Floats, y: Floats, censored: Bools, weights: Floats, start: TobitFit) -> TobitFit:
    """Maximize the likelihood from a start of beta (R, k) and sigma (R,)."""
    beta, sigma = start
    likelihood = _Likelihood.of(np.column_stack([-design, y]), censored, weights)
    p = np.column_stack([beta / sigma[:, None], 1 / sigma])
    value = likelihood.value(p)
    for _ in range(MAX_ITERATIONS):
        p, new = _line_search(likelihood, p, likelihood.step(p), value)
        settled = bool(np.all(new - value < 1e-9))
        value = new
        if settled:
            break
    return TobitFit(p[:, :-1] / p[:, -1:], 1 / p[:, -1])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Likelihood:
    """Logarithm of the likelihood of each replicate, a function of p = (beta, 1)/sigma (R, k + 1).

    The standardized residual of a point is z = slopes @ p. That of observed points enters as a square, which is summed
    over them once and for all. Only bounds are evaluated again at each p.

    Attributes:
        square: sum of squares of the observed points, with the floor of sigma (R, k + 1, k + 1).
        observed: total weight of the observed points (R,).
        bounds: slopes of the b bounds (b, k + 1).
        weights: weights of the bounds (R, b).
    """

    square: Floats
    observed: Floats
    bounds: Floats
    weights: Floats

    @classmethod
    def of(cls, slopes: Floats, censored: Bools, weights: Floats) -> "_Likelihood":
        """Build the likelihood from the slopes of all points (n, k + 1), their mask (n,) and weights (R, n)."""
        observed = weights[:, ~censored]
        square = _gram(slopes[~censored], observed)
        square[:, -1, -1] += SIGMA_FLOOR**2 * weights.sum(axis=1)
        return cls(square=square, observed=observed.sum(axis=1), bounds=slopes[censored], weights=weights[:, censored])

    def only(self, some: Bools) -> "_Likelihood":
        """Return the likelihood of some replicates (R,)."""
        return replace(self, square=self.square[some], observed=self.observed[some], weights=self.weights[some])

    def value(self, p: Floats) -> Floats:
        """Return the logarithm at p (R, k + 1) for each replicate (R,)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            observed = self.observed * np.log(p[:, -1])
        bounds = (self.weights * log_ndtr(-(p @ self.bounds.T))).sum(axis=1)
        value: Floats = observed + bounds - 0.5 * ((self.square @ p[:, :, None])[:, :, 0] * p).sum(axis=1)
        return np.where(p[:, -1] > 0, value, -np.inf)

    def step(self, p: Floats) -> Floats:
        """Return Newton's step towards the maximum (R, k + 1)."""
        z = p @ self.bounds.T
        hazard = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(-z))
        gradient = -(self.square @ p[:, :, None])[:, :, 0] - (self.weights * hazard) @ self.bounds
        hessian = self.square + _gram(self.bounds, self.weights * hazard * (hazard - z))
        gradient[:, -1] += self.observed / p[:, -1]
        hessian[:, -1, -1] += self.observed / p[:, -1] ** 2
        return np.asarray(np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0], dtype=np.float64)


def _line_search(likelihood: _Likelihood, p: Floats, move: Floats, value: Floats) -> tuple[Floats, Floats]:
    """Halve each replicate's step until its likelihood no longer falls; return the new p (R, k + 1) and value (R,)."""
    best, best_value = p.copy(), value.copy()
    pending = np.ones(len(p), dtype=np.bool_)
    length = 1.0
    for _ in range(MAX_HALVINGS):
        trial = p[pending] + length * move[pending]
        new = likelihood.only(pending).value(trial)
        better = new >= value[pending]
        index = np.flatnonzero(pending)[better]
        best[index], best_value[index] = trial[better], new[better]
        pending[index] = False
        if not pending.any():
            break
        length /= 2
    return best, best_value
