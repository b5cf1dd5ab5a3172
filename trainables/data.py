"""Data sets as tensors, the same on every worker."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from search_spaces.errors import InputError
from search_spaces.grid import Digits

# Axis letters: N samples, ... the shape of one sample.


@dataclass(frozen=True, slots=True)
class Dataset:
    """Training and test set on the CPU.

    Attributes:
        x_train, x_test: float32, (N, ...), normalized by one mean and standard deviation of the training images.
        y_train, y_test: int64 class labels, (N,).
        classes: number of classes k.
    """

    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    classes: int

    def to(self, device: torch.device) -> "Dataset":
        """The same data on ``device``."""
        x_train, y_train, x_test, y_test = (
            t.to(device) for t in (self.x_train, self.y_train, self.x_test, self.y_test)
        )
        return Dataset(x_train, y_train, x_test, y_test, self.classes)


@lru_cache(maxsize=4)
def load_data(spec: Digits) -> Dataset:
    """Load the data set of a grid; kept in memory, since a worker trains many packs on it.

    Raises:
        InputError: more training samples than the set has.
    """
    from sklearn.datasets import load_digits  # noqa: PLC0415 - costs a second that planning must not pay

    images, labels = load_digits(return_X_y=True)
    total, most = len(labels), len(labels) - 297
    if spec.train > most:
        raise InputError(
            f"trainable.data.train: {spec.train} is not allowed: digits has {total} images, of which at most {most} "
            "can be trained on, so that a test set remains."
        )
    order = np.random.default_rng(0).permutation(total)  # one split for every point of every sweep
    x = torch.from_numpy(images[order].astype(np.float32)).reshape(total, 1, 8, 8)
    y = torch.from_numpy(labels[order].astype(np.int64))
    return _split(x, y, spec.train, classes=10)


def _split(x: Tensor, y: Tensor, train: int, classes: int) -> Dataset:
    mean, std = x[:train].mean(), x[:train].std()
    x = (x - mean) / std
    return Dataset(x[:train], y[:train], x[train:], y[train:], classes)
