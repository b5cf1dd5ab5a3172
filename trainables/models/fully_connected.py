"""The fully connected network (SM A: FC)."""

import math
from itertools import pairwise

from torch import nn

from search_spaces.trainable import FullyConnected


def fully_connected(spec: FullyConnected, sample_shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """``depth`` times Linear-ReLU, then Linear; a plain Sequential of these, which packs as batched matrices."""
    widths = [math.prod(sample_shape)] + [spec.width] * spec.depth
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out, bias=spec.bias), nn.ReLU()]
    layers.append(nn.Linear(widths[-1], outputs, bias=spec.bias))
    return nn.Sequential(*layers)
