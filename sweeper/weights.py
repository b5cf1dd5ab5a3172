"""Trained model of a point, for scripts and notebooks."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from results.store.paths import AnyPath, any_path
from results.store.plan_file import read_grid, read_plan
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from search_spaces.recipe import recipe_of
from search_spaces.sections.trainable import KernelTrainable, OwnLoop
from sweeper.worker.weights import has_intact_weights, load_torch, weight_files
from trainables.task import built_from, task_of
from trainables.torch_state import neutral_torch


def load_model(sweep: str | Path, point: str) -> nn.Module:
    """Load the model of a point with its final weights, on the CPU, in evaluation mode.

    Args:
        sweep: path or address of the sweep directory.
        point: id of the point, as in the column ``point`` of every table.

    Raises:
        InputError: the sweep has no such point, did not keep its weights, or their file is damaged.
    """
    directory = SweepDir(any_path(sweep))
    grid, points = read_grid(directory), read_plan(directory).points
    if point not in points:
        raise InputError(f"{directory.root}: no point {point}; 'points.parquet' has the ids.")
    trainable = recipe_of(grid, points[point].variant).trainable
    files = weight_files(directory, point)
    if isinstance(trainable, OwnLoop | KernelTrainable) or not files:
        raise InputError(
            f"{directory.weights}: none of point {point}. Weights are kept of points that are trained to their "
            "ends while the grid says keep_weights: true; a training loop of one's own, and theory, have none."
        )
    if not has_intact_weights(files[0]):
        raise InputError(f"{files[0]}: damaged, its content is not what its name says. Train the point anew.")
    state = load_torch(files[0].read_bytes())
    with neutral_torch():
        model = built_from(task_of(trainable), points[point].seed)  # what is not in the file is drawn as in training
        if any(p.is_meta for p in model.parameters()):
            model = model.to_empty(device="cpu")
        _copy_in(model, state, files[0])
    return model.eval()


@torch.no_grad()
def _copy_in(model: nn.Module, state: Mapping[str, Tensor], path: AnyPath) -> None:
    """Copy a ``state_dict`` into a model, in place: tensors that modules share stay shared.

    Earlier files hold shared tensors under one name, and buffers that are not persistent.

    Args:
        model: the model.
        state: key to tensor, (...) each.
        path: file of the state, for the message.

    Raises:
        InputError: keys or shapes are those of another model.
    """
    needed = {key: t for key, t in model.state_dict(keep_vars=True).items() if isinstance(t, Tensor)}
    tensors: dict[str, Tensor] = {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
        **needed,
    }
    fitting = [key for key, t in state.items() if key in tensors and tensors[key].shape == t.shape]
    filled = {id(tensors[key]) for key in fitting}
    unknown = sorted(state.keys() - set(fitting))
    if wrong := unknown + sorted(key for key, t in needed.items() if id(t) not in filled):
        raise InputError(
            f"{path}: these are the weights of another model: {wrong[0]} does not fit. The function of the grid has "
            "changed since the point was trained; give it its old form, or train the point anew."
        )
    for key in fitting:
        tensors[key].copy_(state[key])
