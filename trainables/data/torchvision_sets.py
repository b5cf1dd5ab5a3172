"""MNIST, FashionMNIST and CIFAR-10, from the files that torchvision keeps."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from search_spaces.errors import InputError
from search_spaces.sections.data import TorchvisionImages
from trainables.data.cache import folder_lock
from trainables.data.counts import requested_count, split_counts
from trainables.data.dataset import Dataset
from trainables.data.digits import relabel
from trainables.data.samples import InMemory

CLASSES = 10
_IDX_FILES = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte"
_CIFAR_FILES = "data_batch_1 to data_batch_5, test_batch and batches.meta"
# Torchvision's class, its folder under root, and the files that it reads there.
_SETS = {
    "mnist": ("MNIST", "MNIST/raw", _IDX_FILES),
    "fashion_mnist": ("FashionMNIST", "FashionMNIST/raw", _IDX_FILES),
    "cifar10": ("CIFAR10", "cifar-10-batches-py", _CIFAR_FILES),
}
# Training and test images as published, and the shape of one.
_PUBLISHED = {
    "mnist": (60_000, 10_000, (1, 28, 28)),
    "fashion_mnist": (60_000, 10_000, (1, 28, 28)),
    "cifar10": (50_000, 10_000, (3, 32, 32)),
}


class DataNotFoundError(InputError):
    """A data set whose sizes are known is missing."""


def published_shapes(spec: TorchvisionImages) -> Dataset:
    """Return the set as published, without its images, to plan with where the files are missing.

    The tensors are on the meta device.

    Raises:
        InputError: the set has fewer images than the grid asks for.
    """
    *counts, shape = _PUBLISHED[spec.name]
    root = Path(spec.root).expanduser().absolute()
    train, held_out = split_counts(spec.train, spec.validation, counts[0], spec.name, root)
    parts = [
        InMemory(
            x=torch.empty(n, *shape, dtype=torch.uint8, device="meta"),
            labels=torch.empty(n, dtype=torch.int64, device="meta"),
        )
        for n in (train, held_out or requested_count("test", spec.test, counts[1], spec.name, root))
    ]
    _, classes = relabel(torch.zeros(1, dtype=torch.int64), spec.labels, CLASSES)
    nothing = torch.zeros(())
    return Dataset(train=parts[0], test=parts[1], classes=classes, mean=nothing, std=nothing)


def load_torchvision(spec: TorchvisionImages) -> Dataset:
    """Load the first images of a set, uint8 (N, 1, 28, 28) or (N, 3, 32, 32); its test set is read only if asked for.

    Raises:
        DataNotFoundError: the set is missing, or cannot be downloaded.
        InputError: the set has fewer images than the grid asks for.
    """
    root = Path(spec.root).expanduser().absolute()
    images = _torchvision_set(spec, "train")
    train, held_out = split_counts(spec.train, spec.validation, len(images.data), spec.name, root)
    x_train, y_train = _part(images, 0, train)
    if held_out:
        x_test, y_test = _part(images, train, train + held_out)
    else:
        images = _torchvision_set(spec, "test")
        x_test, y_test = _part(images, 0, requested_count("test", spec.test, len(images.data), spec.name, root))
    y_train, classes = relabel(y_train, spec.labels, CLASSES)
    y_test, _ = relabel(y_test, spec.labels, CLASSES)
    return Dataset.from_tensors(x_train, y_train, x_test, y_test, classes, spec.normalize)


def _part(images: Any, start: int, end: int) -> tuple[Tensor, Tensor]:
    x, y = nchw(images.data), torch.as_tensor(images.targets)
    some = slice(start, end)
    return (x, y) if end - start == len(x) else (x[some].clone(), y[some].clone())  # a view would keep all in memory


def nchw(images: Any) -> Tensor:
    """Return images of torchvision, uint8 (N, H, W) or (N, H, W, 3), as (N, C, H, W)."""
    x = torch.as_tensor(np.asarray(images))
    return x[:, None] if x.ndim == 3 else x.permute(0, 3, 1, 2).contiguous()


def _torchvision_set(spec: TorchvisionImages, part: Literal["train", "test"]) -> Any:
    from torchvision import datasets  # noqa: PLC0415 - takes 1.5 s, which other data sets should not wait for

    read = getattr(datasets, _SETS[spec.name][0])
    root = Path(spec.root).expanduser().absolute()
    try:
        if not spec.download:
            return read(root, train=part == "train")
        root.mkdir(parents=True, exist_ok=True)
        with folder_lock(root):  # torchvision unpacks in place, where another worker would read half a file
            return read(root, train=part == "train", download=True)
    except Exception as error:  # RuntimeError for missing files; reading a damaged one may raise anything
        raise DataNotFoundError(_not_there(spec, root, error)) from error


def _not_there(spec: TorchvisionImages, root: Path, error: Exception) -> str:
    _, folder, files = _SETS[spec.name]
    if spec.download:
        return (
            f"trainable.data.download: true failed: torchvision could not download {spec.name} to {root}: {error}. "
            f"Put {files} in {root / folder} by hand."
        )
    damage = "" if isinstance(error, RuntimeError) else f" ({error})"  # its own message says "use download=True"
    return (
        f"trainable.data.root: {spec.root} is not allowed: torchvision finds no intact {spec.name} in "
        f"{root / folder}, where it expects {files}{damage}. Set trainable.data.root to the folder that holds "
        f"{folder}, or trainable.data.download: true."
    )
