"""Integration of stiff differential equations by the Runge-Kutta-Chebyshev method, for real negative spectra.

The method is explicit. With m stages a step is stable up to 0.65 m²/ρ, ρ being the spectral radius of the Jacobian. m
steps of an ordinary explicit method reach some 2m/ρ. So the method needs products with the kernel alone, as many as the
square root of the stiffness. An implicit method would factor a matrix of (N·C)² numbers. Gradient flow fits: the
Jacobian of -Θ∇L(f) is a product of two positive semi-definite matrices, whose eigenvalues are real.

Sommeijer, Shampine & Verwer 1997, "RKC: an explicit solver for parabolic PDEs": second order, error estimate of
equation (2.9) there, cubic interpolation between steps.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

DAMPING = 2 / 13  # ε: the stability interval is 2 % shorter than without, and has a margin around the real axis
MAX_STAGES = 2000  # rounding grows as the square: 1e-16 · 4e6 stays far below the tolerance
SAFETY_FACTOR, MIN_STEP_FACTOR, MAX_STEP_FACTOR = 0.8, 0.1, 5.0


class Chebyshev:
    """The solution of y′ = F(t, y) with y(0) given, integrated as far as it is asked for.

    Attributes:
        evaluations: number of evaluations of F so far.
    """

    def __init__(
        self,
        slope: Callable[[float, Tensor], Tensor],
        radius: Callable[[float], float],
        error_norm: Callable[[Tensor, Tensor], float],
        start: Tensor,
    ) -> None:
        """Start at time 0.

        Args:
            slope: F(t, y), of the shape of y.
            radius: a bound of the spectral radius of ∂F/∂y at all times after t.
            error_norm: norm of an error, given the error and the y it was made at; a step is accepted up to 1.
            start: y(0), of any shape (...).
        """
        self._slope, self._radius, self._norm = slope, radius, error_norm
        self._t, self._y, self._f = 0.0, start, slope(0.0, start)
        self._previous = self._t, self._y, self._f
        self._step = 0.1 / max(radius(0.0), 1e-300)
        self.evaluations = 1

    def at(self, t: float) -> Tensor:
        """Return y(t), of the shape (...) of y(0); times must not decrease from call to call."""
        while self._t < t:
            self._advance()
        (t0, y0, f0), h = self._previous, self._t - self._previous[0]
        if h == 0:
            return self._y
        u = (t - t0) / h
        ends = y0 * (1 - u) + self._y * u
        bend = (1 - 2 * u) * (self._y - y0) + h * ((u - 1) * f0 + u * self._f)
        return ends + u * (u - 1) * bend

    def _advance(self) -> None:
        """Take one accepted step."""
        while True:
            radius = self._radius(self._t)
            self._step = min(self._step, 0.65 * (MAX_STAGES**2 - 1) / radius) if radius > 0 else self._step
            h = self._step
            y = self._stages(h, 1 + math.ceil(math.sqrt(1 + 1.54 * h * radius)))
            f = self._slope(self._t + h, y)
            self.evaluations += 1
            error = self._norm((12 * (self._y - y) + 6 * h * (self._f + f)) / 15, y)
            factor = SAFETY_FACTOR * max(error, 1e-12) ** (-1 / 3)
            self._step = h * (
                min(MAX_STEP_FACTOR, max(MIN_STEP_FACTOR, factor)) if math.isfinite(error) else MIN_STEP_FACTOR
            )
            if error <= 1:  # False for NaN, the error of a step that overflowed
                self._previous = self._t, self._y, self._f
                self._t, self._y, self._f = self._t + h, y, f
                return

    def _stages(self, h: float, m: int) -> Tensor:
        first, coefficients = _coefficients(m)
        older, y = self._y, self._y + first * h * self._f
        for c, mu, nu, mu_f, gamma_f in coefficients:
            slope = self._slope(self._t + c * h, y)
            older, y = (
                y,
                (1 - mu - nu) * self._y + mu * y + nu * older + mu_f * h * slope + gamma_f * h * self._f,
            )
        self.evaluations += m - 1
        return y


@lru_cache(maxsize=256)
def _coefficients(m: int) -> tuple[float, tuple[tuple[float, float, float, float, float], ...]]:
    """Return μ̃₁, and (c_{j-1}, μ_j, ν_j, μ̃_j, γ̃_j) of the stages j = 2 … m ≥ 2; equations (2.3)-(2.5) there."""
    w0 = 1 + DAMPING / m**2
    value, first, second = _chebyshev(m, w0)
    w1 = first[m] / second[m]
    b = np.empty(m + 1)
    b[2:] = second[2:] / first[2:] ** 2
    b[:2] = b[2]
    c = np.empty(m + 1)
    c[2:] = w1 * second[2:] / first[2:]
    c[0], c[1] = 0.0, c[2] / (4 * w0)
    rows = []
    for j in range(2, m + 1):
        mu_f = 2 * b[j] * w1 / b[j - 1]
        gamma_f = -(1 - b[j - 1] * value[j - 1]) * mu_f
        rows.append((c[j - 1], 2 * b[j] * w0 / b[j - 1], -b[j] / b[j - 2], mu_f, gamma_f))
    return float(b[1] * w1), tuple(tuple(map(float, row)) for row in rows)  # type: ignore[misc]


def _chebyshev(m: int, w: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return T_j(w), T_j′(w) and T_j″(w) for j = 0 … m, (m + 1,) each."""
    value, first, second = np.zeros(m + 1), np.zeros(m + 1), np.zeros(m + 1)
    value[:2], first[1] = (1.0, w), 1.0
    for j in range(2, m + 1):
        value[j] = 2 * w * value[j - 1] - value[j - 2]
        first[j] = 2 * value[j - 1] + 2 * w * first[j - 1] - first[j - 2]
        second[j] = 4 * first[j - 1] + 2 * w * second[j - 1] - second[j - 2]
    return value, first, second
