"""(S20) and its solutions against deep linear networks trained to rest."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from trainables.kernel.fixed_points import fixed_points


def _train(x, y, lam, layers, beta, width, steps=5000, eta=0.01):
    """Gradient descent with momentum on ½Σ(f - y)² + ½λ‖θ‖² until it rests: the matrices."""
    generator = torch.Generator().manual_seed(0)
    widths = [x.shape[1], *[width] * (layers - 1), 1]
    spread = beta ** (-1 / layers) / math.sqrt(width)  # products of order one
    weights = [
        (torch.randn(b, a, generator=generator, dtype=torch.float64) * spread).requires_grad_()
        for a, b in pairwise(widths)
    ]
    moving = [torch.zeros_like(w) for w in weights]
    for _ in range(steps):
        f = x.T
        for w in weights:
            f = w @ f
        loss = 0.5 * (beta * f[0] - y).square().sum() + 0.5 * lam * sum(w.square().sum() for w in weights)
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for w, v, g in zip(weights, moving, gradients, strict=True):
                w.sub_(v.mul_(0.9).add_(g), alpha=eta)
        if max(float(g.abs().max()) for g in gradients) < 1e-8:
            break
    return [w.detach() for w in weights]


def _sides_of_s20(x, slopes, outputs, *, lam, layers, beta):
    """Both sides of (S20), equal at a fixed point, for inputs x (N, F), slopes ℓ′ (N,) and outputs f (N,)."""
    pull = float(-slopes @ outputs)
    return lam**layers / beta**2, pull ** (layers - 2) * float(np.square(slopes @ x).sum())


@pytest.mark.parametrize(
    ("layers", "width", "lam", "eta"),
    [(2, 8, 0.3, 0.01), (3, 6, 0.25, 0.01), (4, 5, 0.2, 0.01)],
    ids=["L1", "L2", "L3"],
)
def test_training_comes_to_rest_at_the_fixed_point(layers, width, lam, eta):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    y = x @ torch.tensor([1.0, -0.5, 0.3], dtype=torch.float64) + 0.3
    beta = width ** (-(layers - 1) / 2)
    weights = _train(x, y, lam * beta, layers, beta, width, eta=eta)
    lam = lam * beta
    product = beta * torch.linalg.multi_dot(weights[::-1])[0] if layers > 2 else beta * (weights[1] @ weights[0])[0]
    first = fixed_points(x.numpy(), y.numpy(), lam=lam, layers=layers, beta=beta)[0]
    np.testing.assert_allclose(product.numpy(), first.weights, rtol=1e-5)
    for w in weights:
        assert float(w.square().sum()) == pytest.approx(first.norm, rel=1e-5)
    f = x @ product
    left, right = _sides_of_s20(x.numpy(), (f - y).numpy(), f.numpy(), lam=lam, layers=layers, beta=beta)
    assert left == pytest.approx(right, rel=1e-4)


@pytest.mark.parametrize("width", [4, 100])
def test_one_sample_and_one_hidden_layer(width):
    """(S21) with its sign set right: outputs are too small, not too large, by λ√n."""
    one, lam = np.ones((1, 1)), 0.3 / math.sqrt(width)
    (point,) = fixed_points(one, np.ones(1), lam=lam, layers=2, beta=width**-0.5)
    assert point.weights[0] == pytest.approx(1 - lam * math.sqrt(width), rel=1e-10)
    assert lam * point.norm == pytest.approx((1 - point.weights[0]) * point.weights[0])


def test_one_sample_trains_to_below_its_target():
    one = torch.ones(1, 1, dtype=torch.float64)
    weights = _train(one, one[0], 0.15, 2, 0.5, 4)
    assert 0.5 * float(weights[1] @ weights[0]) == pytest.approx(1 - 0.15 * 2, rel=1e-6)


def test_strong_regularization_leaves_zero_alone():
    one = np.ones((1, 1))
    assert fixed_points(one, np.ones(1), lam=1.01, layers=2, beta=1.0) == ()
    assert fixed_points(one, np.ones(1), lam=1.0, layers=4, beta=1.0) == ()


@pytest.mark.parametrize("layers", [3, 4, 6])
def test_deeper_networks_have_two_fixed_points_and_both_obey_s20(layers):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 3)), rng.normal(size=5)
    points = fixed_points(x, y, lam=1e-2, layers=layers, beta=1.0)
    assert len(points) == 2
    assert points[0].norm > points[1].norm
    for point in points:
        f = x @ point.weights
        left, right = _sides_of_s20(x, f - y, f, lam=1e-2, layers=layers, beta=1.0)
        assert left == pytest.approx(right, rel=1e-8)
