"""Data sets as tensors, the same on every worker."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.errors import InputError
from search_spaces.trainable import Digits

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
    images, labels = _read_digits()
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


def _read_digits() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """scikit-learn's ``load_digits()``, read from its file: importing the package takes every worker a second."""
    package = find_spec("sklearn")
    assert package is not None, "scikit-learn is a dependency of sweeper"
    table = np.loadtxt(Path(str(package.origin)).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    return table[:, :-1], table[:, -1]


def _split(x: Tensor, y: Tensor, train: int, classes: int) -> Dataset:
    mean, std = x[:train].mean(), x[:train].std()
    x = (x - mean) / std
    return Dataset(x[:train], y[:train], x[train:], y[train:], classes)
