"""Theorem 2: one mode of an infinitely wide network under MSE and L2 regularization.

A mode with eigenvalue γ of the kernel and homogeneity k follows (1), projected on its eigenvector:

    df/dt = -γ e^{-st} (f - y) - kλ f,    s = 2(k-1)λ,    with the solution    f(t) = P(t) f(0) + γ g(t) y.

Equation (3) has the same P and g as products of numbers that overflow for γ ≫ λ. Here every exponential has an exponent
≤ 0, for any real k ≥ 1 (the paper proves k ≥ 2) and λ ≥ 0:

    P(t) = e^{-γτ(t) - kλt},    τ(t) = (1 - e^{-st})/s,
    g(t) = ∫₀ᵗ exp[-st′ - γ(τ(t) - τ(t′)) - kλ(t - t′)] dt′.

Let x(t) = γ e^{-st}/s and p = kλ/s = k/(2(k-1)). Then γ g = H(x(t)) - P(t) H(x(0)), where H(x) = x eˣ E_p(x) with the
exponential integral E_p. H is the value that follows the decaying kernel adiabatically: H → 1 for γ ≫ λ, and γ/(γ + λ)
for k = 1. The tests compare all of this with an ODE solver; errors are below 1e-12 of |f(0)| + |y|.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)  # exact to 1e-16 for integrands whose exponent changes by ≤ 1
_FRACTION_TERMS = 100  # terms of the continued fraction of E_p(x): relative error below 1e-15 from x = 1 on
_SERIES_TERMS = 20  # terms of Σ xⁿ/n! for x < 1


def effective_time(t: float, lam: float, k: float) -> float:
    """Return τ(t) = (1 - e^{-st})/s: the time a kernel without decay takes for what this kernel does in time ``t``.

    Args:
        t: time nη ≥ 0.
        lam: λ ≥ 0.
        k: degree of homogeneity ≥ 1.
    """
    return float(_effective_time(np.array(t), 2 * (k - 1) * lam))


def propagator(gamma: Floats, t: float, lam: float, k: float) -> Floats:
    """Return P(t), the factor of f(0) in f(t), (M,).

    Args:
        gamma: eigenvalues γ ≥ 0 of the kernel times the scale of the loss, (M,); unit 1/time.
        t: time nη ≥ 0.
        lam: λ ≥ 0.
        k: degree of homogeneity ≥ 1.
    """
    return np.asarray(np.exp(-gamma * effective_time(t, lam, k) - k * lam * t))


def response(gamma: Floats, t: float, lam: float, k: float) -> Floats:
    """Return g(t), the factor of γy in f(t), (M,); unit of time.

    Args:
        gamma: eigenvalues γ ≥ 0 of the kernel times the scale of the loss, (M,); unit 1/time.
        t: time nη ≥ 0.
        lam: λ ≥ 0.
        k: degree of homogeneity ≥ 1.
    """
    s, decay = 2 * (k - 1) * lam, k * lam
    g = np.empty_like(gamma)
    early = (gamma + decay + s) * t <= 1
    weak = ~early & (gamma < s)
    strong = ~early & ~weak
    for part, method in ((early, _quadrature), (weak, _series), (strong, _difference)):
        if part.any():
            g[part] = method(gamma[part], np.full(int(part.sum()), t), lam, k)
    return g


def unforced(gamma: Floats, t: float, lam: float, k: float) -> Floats:
    """Return (P(t) - e^{-kλt})/γ, the effect of f(0) on other samples through the kernel, (M,); unit of time, ≤ 0.

    Args:
        gamma: eigenvalues γ ≥ 0 of the kernel times the scale of the loss, (M,); unit 1/time.
        t: time nη ≥ 0.
        lam: λ ≥ 0.
        k: degree of homogeneity ≥ 1.
    """
    tau = effective_time(t, lam, k)
    return np.asarray(-tau * math.exp(-k * lam * t) * _mean_exponential(-gamma * tau))


def _quadrature(gamma: Floats, t: Floats, lam: float, k: float) -> Floats:
    """Return g by Gauss-Legendre quadrature: differences of H would cancel while all exponents are small."""
    s, decay = 2 * (k - 1) * lam, k * lam
    g = np.zeros_like(gamma)
    for node, weight in zip((_NODES + 1) / 2, _WEIGHTS / 2, strict=True):
        kernel_decay, rest = np.exp(-s * t * node), t * (1 - node)
        # τ(t) - τ(t′) = e^{-st′} τ(t - t′)
        g += weight * t * kernel_decay * np.exp(-gamma * kernel_decay * _effective_time(rest, s) - decay * rest)
    return g


def _series(gamma: Floats, t: Floats, lam: float, k: float) -> Floats:
    """Return g for x(0) ≤ 1: ∫ z^{-p} e^{-z} dz from x(t) to x(0) by the series of e^{-z}.

    γ g = e^{x(t)} x(t)^p Σₙ (-1)ⁿ/n! (x(0)^q - x(t)^q)/q with q = n + 1 - p, each term without a division by 0.
    """
    s, decay = 2 * (k - 1) * lam, k * lam
    x, p = gamma / s, k / (2 * (k - 1))
    total, power = np.zeros_like(gamma), np.ones_like(gamma)
    for n in range(_SERIES_TERMS):
        slower = min(decay, (n + 1) * s)
        total += power * (t * np.exp(-slower * t) * _mean_exponential(-abs(n + 1 - p) * s * t))
        power *= -x / (n + 1)
    return np.asarray(np.exp(x * np.exp(-s * t)) * total)


def _difference(gamma: Floats, t: Floats, lam: float, k: float) -> Floats:
    """Return g for x(0) ≥ 1: by H while x(t) ≥ 1, by the series from there on."""
    s, decay = 2 * (k - 1) * lam, k * lam
    until = np.minimum(t, np.log(gamma / s) / s) if s > 0 else t
    kernel_decay = np.exp(-s * until)
    remaining = np.exp(-gamma * _effective_time(until, s) - decay * until)
    g = kernel_decay / _denominator(gamma * kernel_decay, s, decay) - remaining / _denominator(gamma, s, decay)
    late = until < t
    if late.any():
        one, rest = gamma[late] * kernel_decay[late], (t - until)[late]
        remaining = np.exp(-one * _effective_time(rest, s) - decay * rest)
        g[late] = g[late] * remaining + kernel_decay[late] * _series(one, rest, lam, k)
    return g


def _effective_time(t: Floats, s: float) -> Floats:
    return np.asarray(-np.expm1(-s * t) / s if s > 0 else t)


def _denominator(gamma: Floats, s: float, decay: float) -> Floats:
    """Return γ/H(γ/s): Legendre's continued fraction of E_p, times s so that λ → 0 and k → 1 are ordinary values."""
    value = gamma + decay + 2 * _FRACTION_TERMS * s
    for n in range(_FRACTION_TERMS, 0, -1):
        value = gamma + decay + 2 * (n - 1) * s - n * s * (decay + (n - 1) * s) / value
    return value


def _mean_exponential(z: Floats | float) -> Floats:
    """Return (e^z - 1)/z, the mean of e^{uz} over u in [0, 1]; 1 at z = 0."""
    z = np.asarray(z, dtype=np.float64)
    safe = np.where(z == 0, 1.0, z)
    return np.where(z == 0, 1.0, np.expm1(safe) / safe)
