"""Channels last, the layout in which the matrix units of a GPU read images and the weights of convolutions.

Axis letters: P pack, N images or output channels, C channels, H and W pixels.
"""

import torch
from torch import Tensor


def channels_last(x: Tensor) -> Tensor:
    """Return images or weights (N, C, H, W) with the channels last in memory.

    Their strides say so too where another layout has the same order, as with a single channel. Torch would take that
    for channels first, and so would all later layers.
    """
    _, c, h, w = x.shape
    return x.contiguous(memory_format=torch.channels_last).as_strided(x.shape, (c * h * w, 1, c * w, c))


def weights_of_pack(t: Tensor) -> Tensor:
    """Return a parameter of a pack, or a tensor that goes with it, (P, ...), in the layout that its device reads best.

    Weights of convolutions on a GPU (1, N, C, H, W) have their channels last where a point trains alone. cuDNN would
    else turn them at each step, and their gradients.
    """
    turns = t.is_cuda and t.ndim == 5 and len(t) == 1
    return channels_last(t.squeeze(0)).unsqueeze(0) if turns else t
