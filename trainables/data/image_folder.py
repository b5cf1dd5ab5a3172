"""Images in folders ``train/CLASS`` and ``test/CLASS``, and in folders below them."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NoReturn

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
        notes: files of the set that were left out, in sentences.
    """

    paths: list[str]
    labels: Tensor
    notes: tuple[str, ...] = ()

    def part(self, start: int, end: int) -> "_Files":
        """Return the files from ``start`` to ``end``."""
        return _Files(self.paths[start:end], self.labels[start:end], self.notes)


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
    data = (_streamed if spec.stream else _in_memory)(spec, root, files.part(0, n), test, len(classes))
    return replace(data, notes=tuple(dict.fromkeys((*files.notes, *test.notes))))


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
            return sorted(_utf8(e.name) for e in entries if e.is_dir() and not e.name.startswith("."))
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
    if lacking := [name for name in classes if name not in names]:
        raise InputError(
            f"trainable.data.root: {root / folder} lacks {_listed(lacking)} of {root / 'train'}. Add images of it, or "
            "delete the class there."
        )
    number, left_out = {name: i for i, name in enumerate(classes)}, Counter[str]()
    images = {name: _images(root / folder / name, left_out) for name in names}
    files = [(path, number[name]) for name in names for path in images[name]]
    if not files and part == "test":
        raise InputError(f"trainable.data.root: {root / folder} has no images. Expected are {_LAYOUT}.")
    if empty := [name for name in names if not images[name]]:
        raise InputError(
            f"trainable.data.root: the class {root / folder / empty[0]} has no images ({', '.join(EXTENSIONS)}). Add "
            "some, or delete the class."
        )
    order = np.random.default_rng(0).permutation(len(files))
    labels = torch.tensor([files[i][1] for i in order], dtype=torch.int64, device="cpu")
    return _Files([files[i][0] for i in order], labels, _note(root / folder, left_out))


def _images(folder: Path, left_out: Counter[str]) -> list[str]:
    """Return the image files of a class and of folders in it, sorted; count those that are no images by extension."""
    images: list[str] = []
    others: Counter[str] = Counter()
    for directory, names in sorted(_walk(folder)):
        for name in sorted(name for name in names if not name.startswith(".")):
            if name.lower().endswith(EXTENSIONS):
                images.append(_utf8(f"{directory}/{name}"))
            else:
                others[_utf8(Path(name).suffix.lower()) or "without extension"] += 1
    if not images and others:
        raise InputError(
            f"trainable.data.root: the class {folder} has no images ({', '.join(EXTENSIONS)}), but {_kinds(others)}. "
            "Convert these, or delete the class."
        )
    left_out.update(others)
    return images


def _walk(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder below ``folder``, with it, and the names of its files; a link in a circle is followed once."""

    def refuse(error: OSError) -> NoReturn:
        raise InputError(f"trainable.data.root: {error.filename} cannot be read ({error.strerror}).") from error

    seen: set[str] = set()
    for directory, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        seen.add(os.path.realpath(directory))
        folders[:] = [f for f in folders if f[0] != "." and os.path.realpath(f"{directory}/{f}") not in seen]
        yield directory, names


def _utf8(path: str) -> str:
    """Refuse a name that is not UTF-8: it could be neither shown nor stored.

    Raises:
        InputError: the name is not UTF-8.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise InputError(
            f"trainable.data.root: the name of {shown} is not UTF-8. Rename it: file names are part of what makes a "
            "data set the same on every machine."
        ) from None
    return path


def _note(folder: Path, left_out: Counter[str]) -> tuple[str, ...]:
    """Return a sentence about the files of a set that are no images; nothing if there are none."""
    if not left_out:
        return ()
    total = left_out.total()
    word = "file was" if total == 1 else "files were"
    return (f"{total:,} {word} left out of {folder}: {_kinds(left_out)}. Images are {', '.join(EXTENSIONS)}.",)


def _kinds(files: Counter[str]) -> str:
    """Return the most frequent extensions with their numbers, such as ``6 .gif, 1 .txt``."""
    return ", ".join(f"{count:,} {kind}" for kind, count in files.most_common(5))


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
