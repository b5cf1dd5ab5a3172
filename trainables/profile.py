"""Sizes and cost of a recipe, from its shapes alone: nothing is trained."""

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

from search_spaces.cost import Profile
from search_spaces.errors import InputError, counted
from search_spaces.points import Point, variants
from search_spaces.recipe import Recipe, Variant, recipe_of
from search_spaces.sections.data import TorchvisionImages
from search_spaces.sections.grid import Grid
from search_spaces.sections.trainable import KernelTrainable, OwnLoop, OwnTrainable, Trainable
from trainables.admission import (
    LARGE_MODEL_PARAMETERS,
    TRIAL_SAMPLES,
    Admission,
    admission_of,
    check_outputs,
    explained,
    phase,
)
from trainables.data import Dataset
from trainables.data.torchvision_sets import DataNotFoundError, published_shapes
from trainables.kernel.cost import kernel_profile
from trainables.models.logits import logits_of
from trainables.models.ntk_linear import NtkLinear
from trainables.pack_limits import ForwardCost, PackShape
from trainables.peaked import EXPECTED_DECAY_TIME
from trainables.step.l2 import describe_l2, weight_decay_of
from trainables.step.packed import is_matrix_stack
from trainables.task import Task, built_from, check_metric, import_function, task_of
from trainables.torch_state import eager, neutral_torch


@lru_cache(maxsize=256)
def profile(recipe: Recipe, processes: int = 1, *, only_plan: bool = False) -> Profile:
    """Return sizes and cost of ``recipe``.

    Args:
        recipe: the grid's, with a variant applied.
        processes: processes that train a pack together.
        only_plan: whether a published data set that is missing is taken as published.

    Raises:
        InputError: batch, micro-batches and processes do not fit together; or model, data and loss do not.
    """
    if isinstance(recipe.trainable, OwnLoop):
        return _own_loop(recipe.trainable)
    if isinstance(recipe.trainable, KernelTrainable):
        return kernel_profile(recipe, recipe.trainable)
    task = _planned_task(recipe.trainable) if only_plan else task_of(recipe.trainable)
    check_metric(recipe.metric, task)
    train, test = len(task.data.train), len(task.data.test)
    batch = _batch(recipe.trainable.batch, train)
    micro_batches = _micro_batches(recipe.trainable.micro_batch, batch, processes)
    micro_batch = batch // micro_batches
    admission = admission_of(recipe.trainable, task)
    with explained(recipe.trainable, task.data), phase("a forward pass"):
        outputs = getattr(task.objective(together=False), "outputs", None)  # a loss of the user's own tells none
        model = built_from(task, 0)
        by_matrices = is_matrix_stack(model)  # before hooks are registered
        with eager(model):
            forward = _forward_cost(model, task.data, outputs)
    parameters = sum(p.numel() for p in model.parameters())
    free = measures_train_set(recipe.trainable, micro_batch == train, model, admission)
    low, together = recipe.trainable.numerics.precision == "bfloat16", processes == 1 and admission.together
    shape = PackShape(forward, micro_batch, max(train, test), parameters, by_matrices, low, together)
    auto = recipe.l2.auto
    return Profile(
        train=train,
        test=test,
        batch=batch,
        parameters=parameters,
        forward_flops=forward.flops,
        measured=test + (0 if free else measured_train_samples(recipe, train)),
        decay=describe_l2(model, recipe.l2, train),
        ends_at=EXPECTED_DECAY_TIME / weight_decay_of(recipe.l2, 1.0, train) if recipe.stop == "peaked" else math.inf,
        watched=train / auto.every if auto is not None and auto.signal == "train" and not free else 0.0,
        pack_limit=shape.cpu_limit(),
        gpu_pack_limit=shape.gpu_limit(),
        point_bytes=shape.point_bytes() if processes == 1 else 0,
        micro_batches=micro_batches,
        processes=processes,
        notes=(*task.data.notes, *admission.notes),
    )


def _planned_task(trainable: Trainable | OwnTrainable) -> Task:
    """Return the task of a grid, with the shapes of a published data set where its files are missing."""
    try:
        return task_of(trainable)
    except DataNotFoundError:
        assert isinstance(trainable, Trainable)
        assert isinstance(trainable.data, TorchvisionImages)
        return task_of(trainable, published_shapes(trainable.data))


def measures_train_set(trainable: Trainable | OwnTrainable, full: bool, model: nn.Module, admission: Admission) -> bool:
    """Return whether a step's forward pass is also a measurement of the training set: same samples, same outputs.

    This does not hold with running statistics: a training pass changes them, and a measurement uses them.

    Args:
        trainable: the grid's ``trainable``.
        full: whether a step's forward pass runs through the whole training set.
        model: the network.
        admission: how the points of the task train.
    """
    changing = [m for m in model.modules() if not isinstance(m, NtkLinear) and list(m.buffers(recurse=False))]
    return full and not trainable.augment.active and not changing and admission.modes_agree


def measured_train_samples(recipe: Recipe, train: int) -> int:
    """Return the number of training samples of a measurement.

    Args:
        recipe: the grid's.
        train: training samples there are.
    """
    return train if recipe.measure.train == "all" else min(train, recipe.measure.train)


def _own_loop(trainable: OwnLoop) -> Profile:
    """Return the profile of a user's loop, of which nothing is known.

    An epoch counts as one step, and its points train alone.
    """
    import_function(trainable.loop, "trainable.loop", ("point", "device"), trainable.arguments)
    return Profile(
        train=1,
        test=0,
        batch=1,
        parameters=0,
        decay="as the loop does it",
        forward_flops=0.0,
        measured=0,
        watched=0.0,
        pack_limit=1,
    )


def _batch(batch: str | int, train: int) -> int:
    """Return the samples of a step."""
    if batch == "full":
        return train
    if int(batch) > train:
        raise InputError(f"trainable.batch: {batch} is not allowed: the training set has {counted(train, 'sample')}.")
    return int(batch)


def _micro_batches(size: int | None, batch: int, processes: int) -> int:
    """Return the number of micro-batches of a step.

    Args:
        size: samples of a micro-batch; None for the whole batch.
        batch: samples of a step.
        processes: processes that share the micro-batches.

    Raises:
        InputError: the micro-batches do not divide the batch, or the processes cannot share them evenly.
    """
    if size is not None and batch % size:
        below = next(k for k in range(min(size, batch), 0, -1) if batch % k == 0)
        raise InputError(
            f"trainable.micro_batch: {size:,} is not allowed: it does not divide the batch of {batch:,} samples; "
            f"{below:,} does."
        )
    count = batch // (size or batch)
    if count % processes:
        raise InputError(
            f"resources.processes_per_pack: {processes} is not allowed: a batch of {batch:,} samples in micro-batches "
            f"of {batch // count:,} has {count:,} of them, and every process needs as many as the others. Give a "
            f"divisor of {count:,}, or another trainable.micro_batch."
        )
    return count


def _forward_cost(model: nn.Module, data: Dataset, classes: int | None) -> ForwardCost:
    """Return the cost of a forward pass of one sample.

    FLOP are those of the layers with weight matrices: 2 · fan-in for each output. Torch's own counter, like every pass
    on the meta device, first imports torch's compiler for a second. Only models that may not fit into memory pay that.

    Args:
        model: the network, which this uses up.
        data: its samples.
        classes: outputs that the loss needs for each sample; any number if None.

    Raises:
        ValueError: the model does not return outputs that the loss can take.
    """
    flops: list[int] = []
    outputs: list[int] = []

    def record(module: nn.Module, _inputs: object, output: object) -> None:
        if not isinstance(output, Tensor):
            return
        weight = getattr(module, "weight", None)
        outputs.append(output.numel() // TRIAL_SAMPLES)
        flops.append(2 * weight[0].numel() * outputs[-1] if weight is not None and weight.ndim > 1 else 0)

    large = sum(p.numel() for p in model.parameters()) > LARGE_MODEL_PARAMETERS
    device = torch.device("meta" if large else "cpu")
    built_in = any(p.is_meta for p in model.parameters())
    model = model.to_empty(device=device) if large or built_in else model
    for module in model.modules():
        if isinstance(module, torch.jit.ScriptModule):  # takes no hooks: each weight counts as used once
            flops.append(sum(2 * p.numel() for p in module.parameters(recurse=False) if p.ndim > 1))
        elif not list(module.children()):
            module.register_forward_hook(record)
    with torch.no_grad():
        final = logits_of(model(torch.zeros(TRIAL_SAMPLES, *data.train.shape, dtype=data.input_dtype, device=device)))
    check_outputs(final, TRIAL_SAMPLES, classes, data.positions)
    outputs.append(final.numel() // TRIAL_SAMPLES)
    return ForwardCost(flops=float(sum(flops)), activations=sum(outputs), widest=max(outputs))


def profiles_of(grid: Grid, points: Sequence[Point], *, only_plan: bool = False) -> dict[Variant, Profile]:
    """Return the profile of each variant of the grid's trainable.

    Args:
        grid: the grid.
        points: its points, whose variants are profiled.
        only_plan: whether published data sets that are missing are taken as published.

    Raises:
        InputError: see ``profile``.
    """
    processes = grid.resources.processes_per_pack
    with neutral_torch():
        return {v: profile(recipe_of(grid, v), processes, only_plan=only_plan) for v in variants(points)}
