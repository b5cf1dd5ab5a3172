"""The kernel of infinitely wide fully connected ReLU networks.

Axis letters: N and M samples, F features.
"""

import math

import torch
from torch import Tensor


def relu_kernel(x_NF: Tensor, y_MF: Tensor, *, depth: int, sigma_w: float) -> Tensor:
    """Return Θ₀ of a network with hidden layers without biases in NTK parametrization, float64 (N, M).

    This is the arc-cosine recursion of Cho & Saul 2009 and Jacot et al. 2018, with σ = σ_w. It starts with Σ⁰ = Θ⁰ = σ²
    x·y/F. For each hidden layer, ϑ being the angle between x and y under Σ,

        Σ ← σ²/(2π) √(Σ(x, x) Σ(y, y)) (sin ϑ + (π - ϑ) cos ϑ),    Θ ← Σ + Θ σ² (π - ϑ)/(2π).

    Each output of the network has this kernel, and two outputs share none. Angles have an absolute error of 1e-8.

    Args:
        x_NF: samples (N, F).
        y_MF: samples (M, F).
        depth: number of hidden layers.
        sigma_w: initialization scale σ_w.
    """
    x_NF, y_MF = x_NF.double(), y_MF.double()
    variance = sigma_w**2
    norms = variance * x_NF.square().mean(1), variance * y_MF.square().mean(1)
    sigma = variance * (x_NF @ y_MF.T) / x_NF.shape[1]
    theta = sigma
    for _ in range(depth):
        scale = (norms[0].unsqueeze(1) * norms[1]).sqrt()
        cosine = torch.where(scale > 0, sigma / scale, 0.0).clamp(-1, 1)
        angle = cosine.arccos()
        slope = variance * (math.pi - angle) / (2 * math.pi)
        sigma = variance / (2 * math.pi) * scale * angle.sin() + slope * sigma
        theta = sigma + theta * slope
        norms = norms[0] * (variance / 2), norms[1] * (variance / 2)
    return theta
