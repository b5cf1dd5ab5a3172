"""Models, each an ordinary ``nn.Module``; packing is done elsewhere and for all of them alike."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from search_spaces.trainable import FullyConnected


def build_model(spec: FullyConnected, sample_shape: tuple[int, ...], classes: int) -> nn.Module:
    """The module on the ``meta`` device: its shape without its weights.

    Args:
        spec: the grid's ``trainable.model``.
        sample_shape: shape of one input sample.
        classes: outputs of the last layer.
    """
    widths = [math.prod(sample_shape)] + [spec.width] * spec.depth
    layers: list[nn.Module] = [nn.Flatten()]
    with torch.device("meta"):
        for fan_in, fan_out in pairwise(widths):
            layers += [nn.Linear(fan_in, fan_out, bias=spec.bias), nn.ReLU()]
        layers.append(nn.Linear(widths[-1], classes, bias=spec.bias))
    return nn.Sequential(*layers)


def initial_parameters(module: nn.Module, *, seed: int, sigma_w: float, sigma_b: float) -> dict[str, Tensor]:
    """LeCun initialization (SM A): W ~ N(0, σ_w²/fan_in), b ~ N(0, σ_b²); other vectors (norm scales) are 1.

    Drawn on the CPU from ``seed`` in the order of the module's parameters, so that points of one seed start from
    the same weights on every device, and points of one seed and different σ_w from multiples of them.
    """
    generator = torch.Generator().manual_seed(seed)
    parameters = {}
    for name, p in module.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if p.ndim > 1:
            parameters[name] = noise * (sigma_w / math.sqrt(p[0].numel()))
        else:
            parameters[name] = noise * sigma_b if name.endswith("bias") else torch.ones(p.shape)
    return parameters
