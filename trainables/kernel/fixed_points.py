"""Fixed points of gradient descent with L2 in a deep linear network (SM B.1).

Axis letters: N samples, F features.

f(x) = β W_L … W_0 x with L + 1 weight matrices; β = n^{-L/2} for NTK parametrization of width n, 1 for standard. At a
fixed point other than 0 all matrices have rank one and the same norm σ, λσ² = -Σ ℓ′f, and (S20)

    λ^{L+1}/β² = [-Σ ℓ′ f]^{L-1} Σ ℓ′ ℓ′ x·x′.

For L = 1 and one sample x = y = 1 under MSE this is λ√n = |f - 1|. The paper's (S21) reads λ√n = f - 1; but L2 makes
outputs smaller, and the second condition, λσ² = -ℓ′f ≥ 0, holds only for f ≤ 1: λ√n = 1 - f.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]

_SCAN = np.linspace(-60.0, 60.0, 4801)  # log μ around the data's scale; two roots within 0.025 are missed


@dataclass(frozen=True, slots=True, eq=False)
class FixedPoint:
    """A fixed point under MSE.

    Attributes:
        weights: the product β W_L … W_0, (F,), so that f = weights · x.
        norm: ‖W_l‖² of each of the L + 1 matrices.
    """

    weights: Floats
    norm: float


def fixed_points(x_NF: Floats, y_N: Floats, *, lam: float, layers: int, beta: float) -> tuple[FixedPoint, ...]:
    """Return the fixed points other than 0 under ℓ = ½(f - y)²; the first has the largest norm and is stable.

    At rest the product w = β W_L … W_0 solves a ridge regression whose coefficient depends on w itself,

        (XᵀX + μ) w = Xᵀy,    μ = λ/(β² σ^{2L}),    ‖w‖ = β σ^{L+1},

    which leaves one equation for μ. L = 1 has one solution if λ < β‖Xᵀy‖ and none else; larger L have two or none.

    Args:
        x_NF: inputs (N, F).
        y_N: targets (N,).
        lam: λ of ½λ‖θ‖².
        layers: number of weight matrices, L + 1 ≥ 2.
        beta: the factor β before the matrices.
    """
    values, vectors = np.linalg.eigh(x_NF.T @ x_NF)
    values, target = np.clip(values, 0, None), vectors.T @ (x_NF.T @ y_N)
    exponent = layers / (2 * (layers - 1))

    def product(log_mu: float) -> Floats:
        return np.asarray(target / (values + math.exp(log_mu)))

    def excess(log_mu: float) -> float:
        """Return the logarithm of ‖w(μ)‖ over β σ(μ)^{L+1}."""
        size = math.log(float(np.linalg.norm(product(log_mu))))
        return size - math.log(beta) - exponent * (math.log(lam / beta**2) - log_mu)

    grid = math.log(float(values.max())) + _SCAN
    signs = [excess(log_mu) > 0 for log_mu in grid]
    points = []
    for i in np.flatnonzero(np.diff(signs)):
        log_mu = float(brentq(excess, grid[i], grid[i + 1], xtol=1e-14, rtol=1e-14))
        norm = (lam / (beta**2 * math.exp(log_mu))) ** (1 / (layers - 1))
        points.append(FixedPoint(vectors @ product(log_mu), norm))
    return tuple(points)
