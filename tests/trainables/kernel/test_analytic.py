import math

import pytest
import torch

from search_spaces.sections.model import FullyConnected
from trainables.kernel.analytic import relu_kernel
from trainables.kernel.ntk import empirical_kernel
from trainables.models import build_model, initial_buffers, initial_parameters


def _inputs(samples):
    return torch.randn(samples, 10, generator=torch.Generator().manual_seed(samples))


@pytest.mark.parametrize("depth", [0, 1, 2, 4])
@pytest.mark.parametrize("sigma_w", [1.0, 2**0.5])
def test_the_diagonal(depth, sigma_w):
    """Each hidden layer keeps σ_w²/2 of the variance, and each of the depth + 1 layers adds the same to the kernel."""
    x = _inputs(6)
    expected = (depth + 1) * sigma_w**2 * (sigma_w**2 / 2) ** depth * x.double().square().mean(1)
    torch.testing.assert_close(relu_kernel(x, x, depth=depth, sigma_w=sigma_w).diag(), expected, rtol=1e-7, atol=0)


def test_opposite_and_zero_inputs():
    x = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
    kernel = relu_kernel(x, x, depth=1, sigma_w=1.0)
    assert kernel[0, 1] == pytest.approx(0.0, abs=1e-12)
    assert kernel[2].abs().max() == 0
    assert kernel[0, 0] == pytest.approx(0.5)


def test_two_perpendicular_inputs_by_hand():
    x = torch.eye(2) * math.sqrt(2)  # Σ⁰(x, x) = 1 for σ_w = 1
    assert relu_kernel(x, x, depth=1, sigma_w=1.0)[0, 1] == pytest.approx(1 / (2 * math.pi))


@pytest.mark.parametrize("depth", [1, 3])
def test_wide_networks_in_ntk_parametrization_have_this_kernel(depth):
    x, y = _inputs(6), _inputs(4)
    spec = FullyConnected(name="fc", width=2048, depth=depth, bias=False, parametrization="ntk")
    module = build_model(spec, (10,), 1)
    kernels = []
    for seed in range(4):
        parameters = initial_parameters(module, seed=seed, sigma_w=1.3, sigma_b=0.0)
        state = {k: p.requires_grad_() for k, p in parameters.items()} | initial_buffers(module, sigma_w=1.3)
        kernels.append(empirical_kernel(module, state, x, y))
    exact = relu_kernel(x, y, depth=depth, sigma_w=1.3)
    error = (torch.stack(kernels).double().mean(0) - exact).norm() / exact.norm()
    assert error < 0.03
