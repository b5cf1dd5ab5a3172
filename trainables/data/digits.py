"""The handwritten digits of scikit-learn."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.errors import InputError
from search_spaces.sections.data import Digits, Labels
from trainables.data.dataset import Dataset

CLASSES = 10
MINIMUM_TEST_IMAGES = 297  # images that are never trained on, so that a test set remains


def load_digits(spec: Digits) -> Dataset:
    """Load the digits, uint8 (N, 1, 8, 8) from 0 to 16.

    Raises:
        InputError: the grid asks for more training or validation samples than the set has.
    """
    images, labels = read_digits()
    total, most = len(labels), len(labels) - MINIMUM_TEST_IMAGES
    if spec.train > most:
        raise InputError(
            f"trainable.data.train: {spec.train} is not allowed: digits has {total} images, of which at most {most} "
            "can be trained on, so that a test set remains."
        )
    held_out, train = spec.validation or 0, spec.train
    if held_out >= most:
        raise InputError(
            f"trainable.data.validation: {held_out} is not allowed: digits has {total} images, of which at most "
            f"{most - 1} can be held out, so that a training and a test set remain."
        )
    train = min(train, most - held_out)
    end = train + held_out if held_out else total
    order = np.random.default_rng(0).permutation(total)  # one split for every point of every sweep
    x = torch.from_numpy(images[order]).reshape(total, 1, 8, 8)
    y, classes = relabel(torch.from_numpy(labels[order]).long(), spec.labels, CLASSES)
    return Dataset.from_tensors(x[:train], y[:train], x[train:end], y[train:end], classes)


def read_digits() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read the data of scikit-learn's ``load_digits()`` from its file.

    Importing the package would take every worker a second.

    Returns:
        (images (1797, 64) with numbers from 0 to 16, labels (1797,)).
    """
    package = find_spec("sklearn")
    assert package is not None, "scikit-learn is a dependency of sweeper"
    file = Path(str(package.origin)).parent / "datasets" / "data" / "digits.csv.gz"
    table = np.loadtxt(file, delimiter=",").astype(np.uint8)
    return table[:, :-1], table[:, -1]


def relabel(y: Tensor, labels: Labels, classes: int) -> tuple[Tensor, int]:
    """Return the labels and their number of classes as ``trainable.data.labels`` asks for.

    Args:
        y: labels, int64 (N,).
        labels: ``trainable.data.labels``; ``parity`` keeps whether a label is odd.
        classes: number of classes of ``y``.

    Returns:
        (labels (N,), number of classes).
    """
    return (y % 2, 2) if labels == "parity" else (y, classes)
