import math

import numpy as np
import pytest
import torch

from trainables.kernel.chebyshev import Chebyshev, _coefficients

RATES = torch.logspace(-2, 4, 20, dtype=torch.float64)


def _follow(tolerance):
    """y′ = -r (y - cos t) for stiff and slow r: (largest error, evaluations)."""
    solver = Chebyshev(
        lambda t, y: -RATES * (y - math.cos(t)),
        lambda t: float(RATES.max()),
        lambda error, y: float((error / tolerance).square().mean().sqrt()),
        torch.zeros_like(RATES),
    )
    worst = 0.0
    for t in np.linspace(0.01, 10, 200):
        exact = (RATES * math.cos(t) + math.sin(t) - RATES * torch.exp(-RATES * t)) * RATES / (RATES**2 + 1)
        worst = max(worst, float((solver.at(t) - exact).abs().max()))
    return worst, solver.evaluations


def test_second_order_and_far_fewer_evaluations_than_stability_would_ask_for():
    (coarse, _), (fine, evaluations) = _follow(1e-5), _follow(1e-7)
    assert coarse < 3e-4
    assert fine < coarse / 10  # at order 1 it would be 3, and the steps 10 times as many
    assert evaluations < 10 * float(RATES.max()) / 2


@pytest.mark.parametrize("stages", [2, 3, 7, 40])
def test_the_stability_polynomial_agrees_with_the_exponential_and_stays_below_one(stages):
    def amplified(z):
        first, rows = _coefficients(stages)
        older, y = 1.0, 1.0 + first * z
        for _, mu, nu, mu_f, gamma_f in rows:
            older, y = y, (1 - mu - nu) + mu * y + nu * older + mu_f * z * y + gamma_f * z
        return y

    z = -1e-3
    assert amplified(z) == pytest.approx(math.exp(z), abs=abs(z) ** 3)
    reach = 2 / 3 * (stages**2 - 1) * (1 - 2 / 15 * 2 / 13)
    assert all(abs(amplified(-u)) <= 1 for u in np.linspace(0, reach, 500))


def test_time_may_stand_still():
    solver = Chebyshev(lambda t, y: -y, lambda t: 1.0, lambda e, y: float(e.abs() / 1e-8), torch.ones(()).double())
    assert float(solver.at(0.0)) == 1.0
    assert float(solver.at(2.0)) == float(solver.at(2.0)) == pytest.approx(math.exp(-2), rel=1e-5)
