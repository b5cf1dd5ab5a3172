"""Weights of points at their ends, which a grid with ``keep_weights`` keeps."""

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from results.store.files import names_in, write_bytes
from results.store.part_names import digest_of
from results.store.place import Place, place
from results.store.plan_file import read_grid, read_plan
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from search_spaces.recipe import recipe_of
from search_spaces.trainable import KernelTrainable, OwnLoop
from trainables.task import task_of


def save_weights(directory: SweepDir, point: str, weights: Mapping[str, Tensor]) -> None:
    """Write the weights of a point whole or not at all; ``torch.load`` of the file gives a state_dict."""
    buffer = io.BytesIO()
    torch.save(dict(weights), buffer)
    path = directory.weights / f"{point}-{digest_of(buffer.getvalue())}.pt"
    write_bytes(path, buffer.getvalue())
    for other in set(weight_files(directory, point)) - {path}:  # of an earlier attempt, on another machine say
        other.unlink(missing_ok=True)


def weight_files(directory: SweepDir, point: str | None = None) -> list[Place]:
    """The files of one point, which is one if there is any, or of all."""
    names = names_in(directory.weights, "" if point is None else f"{point}-")
    return [directory.weights / name for name in names if name.endswith(".pt")]


def are_whole(path: Place) -> bool:
    """Whether the content of a file of weights is what its name says."""
    return path.stem.rpartition("-")[2] == digest_of(path.read_bytes())


def load_model(sweep: str | Path, point: str) -> nn.Module:
    """The model of a point with the weights that it had at its end, on the CPU, in evaluation mode.

    Args:
        sweep: the sweep directory.
        point: id, as in the column ``point`` of every table.

    Raises:
        InputError: the sweep has no such point, or did not keep its weights.
    """
    directory = SweepDir(place(sweep))
    grid, known = read_grid(directory), read_plan(directory).points
    if point not in known:
        raise InputError(f"{directory.root}: no point {point}; 'points.parquet' has the ids.")
    trainable = recipe_of(grid, known[point].variant).trainable
    files = weight_files(directory, point)
    if isinstance(trainable, OwnLoop | KernelTrainable) or not files:
        raise InputError(
            f"{directory.weights}: none of point {point}. Weights are kept of points that are trained to their "
            "ends while the grid says keep_weights: true; a training loop of one's own, and theory, have none."
        )
    if not are_whole(files[0]):
        raise InputError(f"{files[0]}: damaged, its content is not what its name says. Train the point anew.")
    model = task_of(trainable).model()
    state = torch.load(io.BytesIO(files[0].read_bytes()), map_location="cpu", weights_only=True)
    model.load_state_dict(state, assign=True)  # the model may be on the meta device
    return model.eval()
