"""The fully connected network (SM A: FC)."""

import math
from itertools import pairwise

from torch import nn

from search_spaces.sections.model import FullyConnected
from trainables.models.ntk_linear import NtkLinear


def fully_connected(spec: FullyConnected, sample_shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Return ``depth`` times Linear-ReLU, then Linear, as a plain Sequential, which packs as batched matrices.

    Args:
        spec: the grid's ``trainable.model``.
        sample_shape: shape of one input sample.
        outputs: numbers that the last layer gives for a sample.
    """
    widths = [math.prod(sample_shape)] + [spec.width] * spec.depth
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in pairwise(widths):
        layers += [_linear(spec, fan_in, fan_out), nn.ReLU()]
    layers.append(_linear(spec, widths[-1], outputs))
    return nn.Sequential(*layers)


def _linear(spec: FullyConnected, fan_in: int, fan_out: int) -> nn.Linear:
    ntk = spec.parametrization == "ntk"
    return NtkLinear(fan_in, fan_out) if ntk else nn.Linear(fan_in, fan_out, bias=spec.bias)
