"""Mean and standard deviation of samples, without a float64 copy of them.

Axis letters: N samples, C channels; ``...`` the shape of one sample.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.sections.data import Normalize

CHUNK_NUMBERS = 2**20  # numbers summed at a time: 8 MB as float64
# Ratio of the standard deviation to the mean. Numbers that differ less count as constant: float32 resolves 6e-8 of the
# mean.
MIN_RELATIVE_DEVIATION = 1e-6


def channel_sums(x: Tensor) -> NDArray[np.float64]:
    """Return count, sum and sum of squares of each channel, (3, C).

    Args:
        x: samples (N, C, ...), uint8 or float32; of vectors (N, C) each number is a channel.
    """
    rows = max(1, CHUNK_NUMBERS // math.prod(x.shape[1:]))
    chunks = (chunk.detach().cpu().numpy() for chunk in torch.split(x, rows))
    if x.dtype == torch.uint8:
        return _sums_of_bytes(sum(_histograms(chunk) for chunk in chunks))
    return np.asarray(sum(_sums_of_floats(chunk) for chunk in chunks))


def _histograms(chunk: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count how often each channel has each of the 256 values, (C, 256).

    CIFAR-10's 1.5e8 numbers take 0.5 s on one core this way, and 2 to 3 s as sums of float64 copies.
    """
    return np.stack([np.bincount(chunk[:, c].ravel(), minlength=256) for c in range(chunk.shape[1])])


def _sums_of_bytes(histograms: Any) -> NDArray[np.float64]:
    """Return the sums (3, C) of histograms (C, 256), exact below 2^53: the squares of 10^11 pixels stay below."""
    values = np.arange(256)
    return np.stack([histograms.sum(1), histograms @ values, histograms @ values**2]).astype(np.float64)


def _sums_of_floats(chunk: NDArray[np.float32]) -> NDArray[np.float64]:
    values = chunk.reshape(*chunk.shape[:2], -1).astype(np.float64)
    count = np.full(values.shape[1], len(values) * values.shape[2], np.float64)
    return np.stack([count, values.sum((0, 2)), np.square(values).sum((0, 2))])


def mean_and_std(sums: NDArray[np.float64], normalize: Normalize, sample_ndim: int) -> tuple[Tensor, Tensor]:
    """Return mean and (n - 1) standard deviation from ``channel_sums``.

    Args:
        sums: count, sum and sum of squares of each channel, (3, C).
        normalize: ``global``: one number; ``channel``: one for each channel.
        sample_ndim: number of axes of one sample.

    Returns:
        (mean, standard deviation), float32 tensors that can be broadcast to a sample: () or (C, 1, ...).

    Raises:
        ValueError: the numbers do not vary.
    """
    count, total, squares = sums.sum(1, keepdims=True) if normalize == "global" else sums
    mean = total / count
    std = np.sqrt(np.maximum(squares - total * mean, 0) / np.maximum(count - 1, 1))
    constant = np.flatnonzero(std <= MIN_RELATIVE_DEVIATION * np.abs(mean))
    if constant.size:
        where = "all training samples" if normalize == "global" else f"channel {constant[0]} of the training samples"
        raise ValueError(f"the numbers of {where} do not vary (all are {mean[constant[0]]:g}) and cannot be normalized")
    shape = () if normalize == "global" else (-1, *[1] * (sample_ndim - 1))
    return torch.from_numpy(mean).float().reshape(shape), torch.from_numpy(std).float().reshape(shape)
