"""Files with the weights of points at their ends, kept if the grid sets ``keep_weights``."""

import io
from collections.abc import Mapping
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch
from torch import Tensor

from results.store.files import names_in, write_bytes
from results.store.part_names import digest_of
from results.store.paths import AnyPath
from results.store.sweep_dir import SweepDir


def save_weights(directory: SweepDir, point: str, weights: Mapping[str, Tensor]) -> None:
    """Write the weights of a point whole or not at all, and delete its older files.

    Args:
        directory: the sweep.
        point: id of the point.
        weights: name to parameter or buffer, each of the shape (...) that the model gives it. ``torch.load`` of the
            file returns the same as a ``state_dict``.
    """
    buffer = io.BytesIO()
    torch.save(dict(weights), buffer)
    path = directory.weights / f"{point}-{digest_of(buffer.getvalue())}.pt"
    write_bytes(path, buffer.getvalue())
    # Others are from an earlier attempt, which may have run on another machine.
    for other in set(weight_files(directory, point)) - {path}:
        other.unlink(missing_ok=True)


def weight_files(directory: SweepDir, point: str) -> list[AnyPath]:
    """Return the files of a point, at most one."""
    names = names_in(directory.weights, f"{point}-")
    return [directory.weights / name for name in names if name.endswith(".pt")]


def load_torch(content: bytes) -> Any:
    """Load what ``torch.save`` wrote, without running code from it.

    Raises:
        ValueError: it is no file of torch, or it is compressed. Torch compresses nothing, and a small file that does
            could fill the memory.
        Exception: whatever torch raises about nonsense in it.
    """
    try:
        with ZipFile(io.BytesIO(content)) as file:
            entries = file.infolist()
    except BadZipFile:
        raise ValueError("no file of torch") from None
    if any(entry.compress_type != ZIP_STORED for entry in entries) or sum(e.file_size for e in entries) > len(content):
        raise ValueError("a compressed file, which torch does not write")
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def has_intact_weights(path: AnyPath) -> bool:
    """Return whether the content of a file of weights has the digest in its name."""
    return path.stem.rpartition("-")[2] == digest_of(path.read_bytes())
