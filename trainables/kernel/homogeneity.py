"""The degree of homogeneity of a network: k in f(αθ) = αᵏ f(θ)."""

import copy
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from search_spaces.errors import InputError
from trainables.models.init import NORMS, initial_buffers, initial_parameters

TRIAL_SAMPLES = 4
SCALE_FACTORS = (0.5, 2.0, 3.0)
RELATIVE_TOLERANCE = 1e-6  # float64 and norms with an ε of 1e-16 leave errors below 1e-9


def measure_homogeneity(module: nn.Module, sample_shape: tuple[int, ...]) -> float:
    """Return k, measured at random parameters and inputs; a network of L layers without biases has k = L.

    Biases are drawn with σ_b = 0.1. Beside a bias a layer is not homogeneous, although it looks so at its
    initialization, where all biases are 0.

    Args:
        module: the network; its own values are not used.
        sample_shape: shape of one input sample.

    Raises:
        InputError: the network is not homogeneous, or of a degree below 1, for which the theory is not made.
    """
    powers = _fitted_powers(module, sample_shape)
    degrees = [power.degree for power in powers]
    spread, error = max(degrees) - min(degrees), max(power.error for power in powers)
    if spread > RELATIVE_TOLERANCE or error > RELATIVE_TOLERANCE:
        raise InputError(
            "trainable.homogeneity: the network is not homogeneous: with all parameters times "
            + ", ".join(f"{factor:g}" for factor in SCALE_FACTORS)
            + " its outputs grow as the powers "
            + ", ".join(f"{degree:.3g}" for degree in degrees)
            + ". Leave out its biases (model.bias: false), or give the degree as a number."
        )
    if degrees[0] < 1 - RELATIVE_TOLERANCE:
        raise InputError(
            f"trainable.homogeneity: the network is homogeneous of degree {degrees[0]:.3g}; the theory of infinite "
            "width is made for degrees of at least 1."
        )
    return round(degrees[0], 6)


class _Power(NamedTuple):
    """The power of a scale factor α by which the outputs grow.

    Attributes:
        degree: exponent k in |f(αθ)| = αᵏ |f(θ)|.
        error: |f(αθ) - αᵏ f(θ)| over |f(αθ)|.
    """

    degree: float
    error: float


def _fitted_powers(module: nn.Module, sample_shape: tuple[int, ...]) -> list[_Power]:
    """Return the power of each of ``SCALE_FACTORS``."""
    module = copy.deepcopy(module)
    for part in module.modules():
        if isinstance(part, NORMS):
            part.eps = 1e-16  # ε would matter at small scales
    parameters = {k: p.double() for k, p in initial_parameters(module, seed=0, sigma_w=1.4, sigma_b=0.1).items()}
    buffers = {k: b.double() if b.is_floating_point() else b for k, b in initial_buffers(module).items()}
    x = torch.rand(TRIAL_SAMPLES, *sample_shape, generator=torch.Generator().manual_seed(0)).double()

    def outputs(factor: float) -> Tensor:
        scaled = {k: factor * p for k, p in parameters.items()}
        with torch.no_grad():
            f: Tensor = functional_call(module.train(), {**scaled, **{k: b.clone() for k, b in buffers.items()}}, (x,))
        return f

    f, powers = outputs(1.0), []
    for factor in SCALE_FACTORS:
        scaled = outputs(factor)
        degree = math.log(float(scaled.norm() / f.norm())) / math.log(factor)
        powers.append(_Power(degree, float((scaled - factor**degree * f).norm() / scaled.norm())))
    return powers
