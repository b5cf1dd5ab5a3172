"""Linear regression with lower bounds (Tobit, normal errors), for all bootstrap replicates at once."""

import numpy as np
from scipy.special import log_ndtr

from results.segments import Bools, Floats

__all__ = ["fit_tobit"]

# A residual spread of 0.1 % in t* is below any spacing of measurements; without this floor exact (synthetic) data
# have an unbounded likelihood.
SIGMA_FLOOR = 1e-3
ITERATIONS = 60
HALVINGS = 25
CHUNK = 2_000_000  # replicates times points in memory at once: 16 MB an array


def fit_tobit(design: Floats, y: Floats, censored: Bools, weights: Floats) -> tuple[Floats, Floats]:
    """Maximum likelihood of y = design @ beta + sigma * noise, where censored y are lower bounds.

    Olsen's (1978) parameters beta/sigma and 1/sigma make the likelihood concave, so Newton's method from the least
    squares of all points finds its one maximum. Without censored points that start is the answer.

    Args:
        design: regressors (n, k), with a constant in their span.
        y: observations or, where censored, lower bounds (n,).
        censored: which are bounds (n,).
        weights: how often each point counts in each replicate (R, n).

    Returns:
        beta (R, k) and sigma (R,), NaN in replicates whose observed points cannot determine them.
    """
    step = max(1, CHUNK // max(1, len(y)))
    parts = [_fit_chunk(design, y, censored, weights[i : i + step]) for i in range(0, max(1, len(weights)), step)]
    return np.concatenate([beta for beta, _ in parts]), np.concatenate([sigma for _, sigma in parts])


def _fit_chunk(design: Floats, y: Floats, censored: Bools, weights: Floats) -> tuple[Floats, Floats]:
    beta = np.full((len(weights), design.shape[1]), np.nan)
    sigma = np.full(len(weights), np.nan)
    good = _determined(design, weights * ~censored)
    if not good.any():
        return beta, sigma
    kept = weights[good]
    beta[good], sigma[good] = _least_squares(design, y, kept)
    if censored.any():
        beta[good], sigma[good] = _newton(design, y, censored, kept, (beta[good], sigma[good]))
    return beta, sigma


def _determined(design: Floats, observed: Floats) -> Bools:
    """Replicates whose observed points span the design and leave a degree of freedom (R,)."""
    eigenvalues = np.linalg.eigvalsh(_gram(design, observed))
    spanned = eigenvalues[:, 0] > 1e-9 * np.maximum(eigenvalues[:, -1], 1e-300)
    enough: Bools = spanned & ((observed > 0).sum(axis=1) > design.shape[1])
    return enough


def _gram(design: Floats, weights: Floats) -> Floats:
    n, k = design.shape
    products = (design[:, :, None] * design[:, None, :]).reshape(n, k * k)
    return (weights @ products).reshape(-1, k, k)


def _least_squares(design: Floats, y: Floats, weights: Floats) -> tuple[Floats, Floats]:
    right = weights @ (design * y[:, None])
    beta = np.asarray(np.linalg.solve(_gram(design, weights), right[:, :, None])[:, :, 0], dtype=np.float64)
    residual = y - beta @ design.T
    variance: Floats = (weights * residual**2).sum(axis=1) / weights.sum(axis=1)
    return beta, np.sqrt(variance + SIGMA_FLOOR**2)


def _newton(
    design: Floats, y: Floats, censored: Bools, weights: Floats, start: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    beta, sigma = start
    slopes = np.column_stack([-design, y])  # z = slopes @ p is the standardised residual
    p = np.column_stack([beta / sigma[:, None], 1 / sigma])
    value = _log_likelihood(slopes, censored, weights, p)
    for _ in range(ITERATIONS):
        move = _newton_step(slopes, censored, weights, p)
        p, new = _line_search(slopes, censored, weights, (p, move, value))
        settled = bool(np.all(new - value < 1e-9))
        value = new
        if settled:
            break
    return p[:, :-1] / p[:, -1:], 1 / p[:, -1]


def _newton_step(slopes: Floats, censored: Bools, weights: Floats, p: Floats) -> Floats:
    z = p @ slopes.T
    hazard = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(-z))
    pull = np.where(censored, hazard, z)
    curvature = np.where(censored, hazard * (hazard - z), 1.0)
    gradient = -(weights * pull) @ slopes
    hessian = _gram(slopes, weights * curvature)
    observed = (weights * ~censored).sum(axis=1)
    floor = SIGMA_FLOOR**2 * weights.sum(axis=1)
    gradient[:, -1] += observed / p[:, -1] - floor * p[:, -1]
    hessian[:, -1, -1] += observed / p[:, -1] ** 2 + floor
    return np.asarray(np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0], dtype=np.float64)


def _log_likelihood(slopes: Floats, censored: Bools, weights: Floats, p: Floats) -> Floats:
    z = p @ slopes.T
    theta = p[:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.log(theta) - 0.5 * z**2
        terms = np.where(censored, log_ndtr(-z), observed)
    floor = 0.5 * SIGMA_FLOOR**2 * weights.sum(axis=1) * p[:, -1] ** 2
    value: Floats = (weights * terms).sum(axis=1) - floor
    return np.where(p[:, -1] > 0, value, -np.inf)


def _line_search(
    slopes: Floats, censored: Bools, weights: Floats, at: tuple[Floats, Floats, Floats]
) -> tuple[Floats, Floats]:
    p, move, value = at
    best, best_value = p.copy(), value.copy()
    pending = np.ones(len(p), dtype=np.bool_)
    length = 1.0
    for _ in range(HALVINGS):
        trial = p[pending] + length * move[pending]
        new = _log_likelihood(slopes, censored, weights[pending], trial)
        better = new >= value[pending]
        index = np.flatnonzero(pending)[better]
        best[index], best_value[index] = trial[better], new[better]
        pending[index] = False
        if not pending.any():
            break
        length /= 2
    return best, best_value
