"""Weights of points at their ends, which a grid with ``keep_weights`` keeps."""

import io
from collections.abc import Mapping

import torch
from torch import Tensor

from results.store.files import names_in, write_bytes
from results.store.part_names import digest_of
from results.store.paths import AnyPath
from results.store.sweep_dir import SweepDir


def save_weights(directory: SweepDir, point: str, weights: Mapping[str, Tensor]) -> None:
    """Write the weights of a point whole or not at all; ``torch.load`` of the file gives a state_dict."""
    buffer = io.BytesIO()
    torch.save(dict(weights), buffer)
    path = directory.weights / f"{point}-{digest_of(buffer.getvalue())}.pt"
    write_bytes(path, buffer.getvalue())
    for other in set(weight_files(directory, point)) - {path}:  # of an earlier attempt, on another machine say
        other.unlink(missing_ok=True)


def weight_files(directory: SweepDir, point: str | None = None) -> list[AnyPath]:
    """The files of one point, which is one if there is any, or of all."""
    names = names_in(directory.weights, "" if point is None else f"{point}-")
    return [directory.weights / name for name in names if name.endswith(".pt")]


def is_intact(path: AnyPath) -> bool:
    """Whether the content of a file of weights is what its name says."""
    return path.stem.rpartition("-")[2] == digest_of(path.read_bytes())
