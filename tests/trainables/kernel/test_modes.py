"""Theorem 2 against an ODE solver, against quadrature with 20 digits, and in its limits."""

import math

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from trainables.kernel.modes import effective_time, propagator, response, unforced

DEGREES = [1.0, 1 + 1e-6, 4 / 3, 2.0, 50.0]
LAM = 0.01


def solution(gamma, t, lam, k, f, y):
    gamma = np.atleast_1d(np.asarray(gamma, dtype=float))
    return propagator(gamma, t, lam, k) * f + gamma * response(gamma, t, lam, k) * y


@pytest.mark.parametrize("k", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("ratio", [1e-4, 0.1, 0.99, 1.01, 10.0, 1e3, 1e6])
def test_a_mode_follows_its_differential_equation(ratio, k):
    gamma, f, y = ratio * LAM, -0.7, 1.3
    times = np.geomspace(1e-3 / max(gamma, LAM), 10 / LAM, 25)

    def slope(t, value):
        return -gamma * math.exp(-2 * (k - 1) * LAM * t) * (value - y) - k * LAM * value

    exact = solve_ivp(slope, (0, times[-1]), [f], method="Radau", t_eval=times, rtol=1e-10, atol=1e-13).y[0]
    ours = np.array([solution(gamma, t, LAM, k, f, y)[0] for t in times])
    np.testing.assert_allclose(ours, exact, rtol=0, atol=2e-9)


def quadrature(gamma, t, lam, k):
    """g(t) by mpmath, from its definition, on intervals that double from 1/rate on."""
    gamma, t, lam, k = map(mpmath.mpf, (gamma, t, lam, k))
    s = 2 * (k - 1) * lam
    tau = (lambda u: -mpmath.expm1(-s * u) / s) if s else (lambda u: u)

    def integrand(u):  # u = t - t′
        return mpmath.e ** (-s * (t - u) - gamma * mpmath.e ** (-s * (t - u)) * tau(u) - k * lam * u)

    ends, u = [mpmath.mpf(0)], 1 / (gamma + k * lam + s) / 4
    while u < t:
        ends.append(u)
        u *= 2
    return float(mpmath.quad(integrand, [*ends, t]))


@pytest.mark.parametrize("ratio", [1e-4, 0.9, 1.1, 1e8])
def test_a_mode_is_right_to_the_last_digits_for_any_strength(ratio):
    gamma = np.array([ratio * LAM])
    for k in DEGREES:
        for s in (1e-3, 0.3, 3.0):
            with mpmath.workdps(20):
                expected = gamma[0] * quadrature(gamma[0], s / LAM, LAM, k)
            assert gamma[0] * response(gamma, s / LAM, LAM, k)[0] == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("gamma", [0.0, 1e-6, 0.3, 1e6])
@pytest.mark.parametrize("t", [0.0, 1e-5, 1.0, 1e4])
def test_limits(gamma, t):
    f, y = 0.4, -1.0
    linear = y + (f - y) * math.exp(-gamma * t)  # the NTK's dynamics without L2
    for k in (1.0, 2.0, 7.5):
        for lam in (0.0, 1e-30):
            assert solution(gamma, t, lam, k, f, y)[0] == pytest.approx(linear, rel=1e-12, abs=1e-15)
    rate, rest = gamma + LAM, math.exp(-(gamma + LAM) * t)
    model = y * gamma / rate * (1 - rest) + f * rest  # k = 1
    assert solution(gamma, t, LAM, 1.0, f, y)[0] == pytest.approx(model, rel=1e-12, abs=1e-15)
    assert solution(gamma, t, LAM, 1 + 1e-13, f, y)[0] == pytest.approx(model, rel=1e-8, abs=1e-12)


def test_a_mode_learns_and_then_decays_unless_it_is_linear():
    """Figure 5a: γ ≫ λ."""
    gamma = 100 * LAM
    learned, late = 10 / gamma, 10 / LAM
    assert solution(gamma, learned, LAM, 2.0, 0.0, 1.0)[0] > 0.8
    assert solution(gamma, late, LAM, 2.0, 0.0, 1.0)[0] < 1e-5
    assert solution(gamma, late, LAM, 1.0, 0.0, 1.0)[0] == pytest.approx(100 / 101)


@pytest.mark.parametrize("t", [1e-6, 1.0, 50.0, 1e3, 1e5, 1e8])
def test_nothing_overflows(t):
    gamma = np.concatenate([[0.0], np.geomspace(1e-300, 1e10, 400)])
    for k in DEGREES:
        for lam in (0.0, 1e-12, 1e-2, 1e2):
            with np.errstate(over="raise", invalid="raise", divide="raise"):
                kept, moved = propagator(gamma, t, lam, k), gamma * response(gamma, t, lam, k)
                other = unforced(gamma, t, lam, k)
            assert np.all((kept >= 0) & (kept <= 1))
            assert np.all((moved > -1e-14) & (moved < 1 + 1e-14))
            assert np.all((other <= 0) & np.isfinite(other))


def test_a_start_moves_other_samples_as_its_own():
    gamma = np.array([1e-3, 0.5, 40.0])
    for k in (1.0, 2.0, 3.5):
        expected = propagator(gamma, 7.0, LAM, k) - math.exp(-k * LAM * 7.0)
        np.testing.assert_allclose(gamma * unforced(gamma, 7.0, LAM, k), expected, rtol=1e-10)
    assert unforced(np.zeros(1), 7.0, LAM, 2.0)[0] == pytest.approx(-effective_time(7.0, LAM, 2.0) * math.exp(-0.14))
