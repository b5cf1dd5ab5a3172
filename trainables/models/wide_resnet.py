"""Wide ResNets (Zagoruyko & Komodakis 2016, arXiv:1605.07146), in two forms.

``released`` is the network of the code published with the paper, written in stax; ``original`` is the network that the
paper cites.

For a 3×3 convolution of stride 2 on an even side, stax pads one row after the last; torch's ``padding=1`` pads one
before the first (no window reaches its row after the last). Each is the other's mirror image: turned by 180°, images
and kernels give the same numbers, and kernels are drawn alike in both orientations. So ``padding=1`` is used; odd sides
are padded the same by both.
"""

import torch
from torch import Tensor, nn

from search_spaces.sections.model import BatchNorm, WideResNet
from trainables.models.norm import batch_norm

CHANNELS = (16, 32, 64)  # channels of the three groups, before the widening factor; the stem has 16


def wide_resnet(spec: WideResNet, channels: int, outputs: int) -> nn.Sequential:
    """Return stem, three groups of blocks at full, half and quarter resolution, average, dense layer.

    The average is over all pixels. For images of 32×32 that is 8×8, as the pool of both forms; other sizes leave more
    or fewer.

    Args:
        spec: the grid's ``trainable.model``.
        channels: channels of an image.
        outputs: numbers that the last layer gives for a sample.
    """
    released = spec.form == "released"
    layers: list[nn.Module] = [nn.Conv2d(channels, CHANNELS[0], 3, padding=1, bias=released)]
    fan_in = CHANNELS[0]
    for base, stride in zip(CHANNELS, (1, 2, 2), strict=True):
        fan_out = base * spec.width
        for block in range((spec.depth - 4) // 6):
            change = fan_in, fan_out, stride if block == 0 else 1
            if released:
                layers.append(_ReleasedBlock(*change, first=block == 0, kind=spec.batch_norm))
            else:
                layers.append(_OriginalBlock(*change, kind=spec.batch_norm))
            fan_in = fan_out
    if not released:
        layers += [batch_norm(spec.batch_norm, fan_in), nn.ReLU()]
    return nn.Sequential(*layers, _GlobalAverage(), nn.Linear(fan_in, outputs))


class _GlobalAverage(nn.Module):
    """A layer (N, C, H, W) → (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class _Block(nn.Module):
    """BN-ReLU-Conv-BN-ReLU-Conv with the stride in the first convolution; subclasses add the shortcut."""

    def __init__(self, fan_in: int, fan_out: int, stride: int, *, bias: bool, kind: BatchNorm) -> None:
        super().__init__()
        self.norm1 = batch_norm(kind, fan_in)
        self.conv1 = nn.Conv2d(fan_in, fan_out, 3, stride, padding=1, bias=bias)
        self.norm2 = batch_norm(kind, fan_out)
        self.conv2 = nn.Conv2d(fan_out, fan_out, 3, padding=1, bias=bias)

    def residual(self, activated: Tensor) -> Tensor:
        """Return everything after the first BN-ReLU, (N, C, H, W)."""
        h: Tensor = self.conv2(torch.relu(self.norm2(self.conv1(activated))))
        return h


class _ReleasedBlock(_Block):
    """A block with biases; the first of a group has a 3×3 convolution of its raw input as shortcut."""

    def __init__(self, fan_in: int, fan_out: int, stride: int, *, first: bool, kind: BatchNorm) -> None:
        super().__init__(fan_in, fan_out, stride, bias=True, kind=kind)
        self.shortcut = nn.Conv2d(fan_in, fan_out, 3, stride, padding=1) if first else None

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return self.residual(torch.relu(self.norm1(x))) + shortcut


class _OriginalBlock(_Block):
    """A block without biases; where channels change, a 1×1 convolution of the activated input is the shortcut."""

    def __init__(self, fan_in: int, fan_out: int, stride: int, *, kind: BatchNorm) -> None:
        super().__init__(fan_in, fan_out, stride, bias=False, kind=kind)
        self.shortcut = nn.Conv2d(fan_in, fan_out, 1, stride, bias=False) if fan_in != fan_out else None

    def forward(self, x: Tensor) -> Tensor:
        activated = torch.relu(self.norm1(x))
        shortcut = x if self.shortcut is None else self.shortcut(activated)
        return self.residual(activated) + shortcut
