"""Trained model of a point, for scripts and notebooks."""

from pathlib import Path

from torch import nn

from results.store.paths import any_path
from results.store.plan_file import read_grid, read_plan
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from search_spaces.recipe import recipe_of
from search_spaces.sections.trainable import KernelTrainable, OwnLoop
from sweeper.worker.weights import is_intact, load_torch, weight_files
from trainables.task import task_of


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
    if not is_intact(files[0]):
        raise InputError(f"{files[0]}: damaged, its content is not what its name says. Train the point anew.")
    model = task_of(trainable).model()
    state = load_torch(files[0].read_bytes())
    model.load_state_dict(state, assign=True)  # the model may be on the meta device
    return model.eval()
