"""Weights of points at their ends, which a grid with ``keep_weights`` keeps."""

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from results.store import SweepDir, write_bytes
from search_spaces.errors import InputError
from search_spaces.recipe import recipe_of
from search_spaces.trainable import KernelTrainable, OwnLoop
from sweeper.plan_file import read_grid, read_plan
from trainables.task import task_of


def save_weights(directory: SweepDir, point: str, weights: Mapping[str, Tensor]) -> None:
    """Write the weights of a point whole or not at all; ``torch.load`` of the file gives a state_dict."""
    buffer = io.BytesIO()
    torch.save(dict(weights), buffer)
    write_bytes(directory.weights / f"{point}.pt", buffer.getvalue())


def load_model(sweep: str | Path, point: str) -> nn.Module:
    """The model of a point with the weights that it had at its end, on the CPU, in evaluation mode.

    Args:
        sweep: the sweep directory.
        point: id, as in the column ``point`` of every table.

    Raises:
        InputError: the sweep has no such point, or did not keep its weights.
    """
    directory = SweepDir(Path(sweep))
    grid, known = read_grid(directory), read_plan(directory).points
    if point not in known:
        raise InputError(f"{directory.root}: no point {point}; 'points.parquet' has the ids.")
    trainable = recipe_of(grid, known[point].variant).trainable
    path = directory.weights / f"{point}.pt"
    if isinstance(trainable, OwnLoop | KernelTrainable) or not path.is_file():
        raise InputError(
            f"{path}: not there. Weights are kept of points that are trained to their ends while the grid says "
            "keep_weights: true; a training loop of one's own, and theory, have none."
        )
    model = task_of(trainable).model()
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), assign=True)  # it may be on meta
    return model.eval()
