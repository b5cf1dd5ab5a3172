"""Images in folders ``train/CLASS/*`` and ``test/CLASS/*``."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.errors import InputError
from search_spaces.sections.data import ImageFolder
from trainables.data.cache import cached_array
from trainables.data.counts import requested_count, split_counts
from trainables.data.dataset import Dataset
from trainables.data.decode import EXTENSIONS, check_same_size, decode_all
from trainables.data.moments import channel_sums, mean_and_std
from trainables.data.streamed import Streamed

# Training images whose mean and deviation stand for all of a streamed set. A thousand photographs of 500×375 pixels
# take 2 s of one core; the mean of CIFAR-10's first thousand is off by 0.02 of a deviation, where chance gives 0.016.
STATISTICS_IMAGES = 1000
_LAYOUT = "ROOT/train/CLASS/*.jpg and ROOT/test/CLASS/*.jpg (or ROOT/val)"


@dataclass(frozen=True, slots=True)
class _Files:
    """Image files of one set in the order of use.

    Attributes:
        paths: N files, as strings: an ImageNet of Path objects would take 0.6 GB.
        labels: their classes, int64 (N,).
    """

    paths: list[str]
    labels: Tensor

    def part(self, start: int, end: int) -> "_Files":
        """Return the files from ``start`` to ``end``."""
        return _Files(self.paths[start:end], self.labels[start:end])


def load_image_folder(spec: ImageFolder) -> Dataset:
    """Load the images, uint8 (N, 3, H, W): in memory, or decoded from the disk whenever they are needed.

    Raises:
        InputError: a folder has another layout, a file is not an image, or images have several sizes.
    """
    root = Path(spec.root).expanduser().absolute()
    classes = _class_names(root / "train")
    if len(classes) < 2:
        raise InputError(
            f"trainable.data.root: {root / 'train'} has {_listed(classes)}; at least 2 classes are needed."
        )
    files = _files(root, "train", classes)
    n, held_out = split_counts(spec.train, spec.validation, len(files.paths), "image_folder", root)
    test = files.part(n, n + held_out) if held_out else _test_files(spec, root, classes)
    return (_streamed if spec.stream else _in_memory)(spec, root, files.part(0, n), test, len(classes))


def _test_files(spec: ImageFolder, root: Path, classes: Sequence[str]) -> _Files:
    only_val = (root / "val").is_dir() and not (root / "test").is_dir()
    files = _files(root, "val" if only_val else "test", classes)
    return files.part(0, requested_count("test", spec.test, len(files.paths), "image_folder", root))


def _in_memory(spec: ImageFolder, root: Path, train: _Files, test: _Files, classes: int) -> Dataset:
    x_train, x_test = (torch.from_numpy(_images_of(files, spec.size, root)) for files in (train, test))
    (h, w), (test_h, test_w) = x_train.shape[2:], x_test.shape[2:]
    check_same_size((train.paths[0], w, h), (test.paths[0], test_w, test_h))
    return Dataset.from_tensors(x_train, train.labels, x_test, test.labels, classes, spec.normalize)


def _images_of(files: _Files, size: int | None, root: Path) -> NDArray[np.uint8]:
    return cached_array(root, _key(root, files.paths, "images", size), partial(decode_all, files.paths, size))


def _streamed(spec: ImageFolder, root: Path, train: _Files, test: _Files, classes: int) -> Dataset:
    assert spec.size is not None, "the grid's check of stream: true"
    sample = train.paths[:STATISTICS_IMAGES]  # random already: training files are permuted

    def sums() -> NDArray[Any]:
        return channel_sums(torch.from_numpy(decode_all(sample, spec.size)))

    mean, std = mean_and_std(cached_array(root, _key(root, sample, "sums", spec.size), sums), spec.normalize, 3)
    return Dataset(
        Streamed(train.paths, train.labels, spec.size), Streamed(test.paths, test.labels, spec.size), classes, mean, std
    )


def _class_names(folder: Path) -> list[str]:
    """Return the names of the folders in ``folder``, sorted."""
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError as error:
        raise InputError(
            f"trainable.data.root: {folder} cannot be read ({error.strerror}). Set trainable.data.root to a folder "
            f"with {_LAYOUT}."
        ) from error


def _files(root: Path, folder: Literal["train", "test", "val"], classes: Sequence[str]) -> _Files:
    """Return the image files in a fixed permutation, so that each class has about its share of the first of them."""
    part: Literal["train", "test"] = "train" if folder == "train" else "test"
    names = classes if part == "train" else _class_names(root / folder)
    unknown = sorted(set(names) - set(classes))
    if unknown:
        raise InputError(
            f"trainable.data.root: {root / folder} has {_listed(unknown)}, which {root / 'train'} has not. Classes are "
            "the folders of train: move or delete the others."
        )
    number = {name: i for i, name in enumerate(classes)}
    files = [(path, number[name]) for name in names for path in _images(root / folder / name, part)]
    if not files:
        raise InputError(f"trainable.data.root: {root / folder} has no images. Expected are {_LAYOUT}.")
    order = np.random.default_rng(0).permutation(len(files))
    return _Files([files[i][0] for i in order], torch.tensor([files[i][1] for i in order]))


def _images(folder: Path, part: Literal["train", "test"]) -> list[str]:
    """Return the image files of a class, sorted by name."""
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if e.name.lower().endswith(EXTENSIONS) and not e.name.startswith("."))
    if part == "train" and not names:
        raise InputError(
            f"trainable.data.root: the class {folder} has no images ({', '.join(EXTENSIONS)}). Add some, or delete the "
            "folder."
        )
    return [f"{folder}/{name}" for name in names]


def _listed(classes: Sequence[str]) -> str:
    """List at most five names for a message: ImageNet has a thousand."""
    if not classes:
        return "no class folders"
    more = f" and {len(classes) - 5} more" if len(classes) > 5 else ""
    return f"the class{'es' if len(classes) > 1 else ''} {', '.join(classes[:5])}{more}"


def _key(root: Path, paths: Sequence[str], kind: Literal["images", "sums"], size: int | None) -> str:
    """Return a key that changes with the length or the modification time of any of the files."""
    digest = hashlib.sha256(f"{size}\n".encode())
    for path in paths:
        try:
            status = Path(path).stat()
        except OSError as error:
            raise InputError(
                f"trainable.data.root: {path} cannot be read ({error.strerror}). Replace it, or delete it."
            ) from error
        digest.update(f"{path.removeprefix(str(root))}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return f"{kind}-{digest.hexdigest()[:32]}"
