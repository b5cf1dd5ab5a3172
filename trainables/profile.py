"""What a recipe costs, found from its shapes alone: nothing is trained."""

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor, nn

from search_spaces.cost import Profile
from search_spaces.errors import InputError
from search_spaces.points import Point, variants
from search_spaces.recipe import Recipe, Variant, recipe_of
from search_spaces.sections.data import TorchvisionImages
from search_spaces.sections.grid import Grid
from search_spaces.sections.trainable import KernelTrainable, OwnLoop, OwnTrainable, Trainable
from trainables.data.torchvision_sets import DataNotFoundError, published
from trainables.kernel.cost import kernel_profile
from trainables.measurement import EVALUATION_BATCH
from trainables.models.ntk_linear import NtkLinear
from trainables.peaked import EXPECTED
from trainables.step.l2 import describe_l2, weight_decay_of
from trainables.step.losses import OwnLoss
from trainables.step.packed import pack_model
from trainables.task import Task, cause_of, own_function, task_of

# The widest activation of a pack should stay in a core's L2 cache (1 MiB on the machine measured). Larger packs save
# nothing there: a step of FC-64 on digits takes 0.71 ms a point in packs of 8 and 0.69 ms in packs of 16, one of
# FC-256 5.5 ms alone and 5.9 ms in packs of 8. Small convolutions gain too: 8 channels on 8×8 images, batches of 32,
# 1.8 ms a point alone and 0.8 ms in packs of 8; 32 channels on 28×28 images lose, 186 ms and 208 ms.
CPU_ACTIVATION_BYTES = 2**20
CPU_MOST_POINTS = 64
# A measurement holds the widest activation so many times: what a layer reads, what it writes, and its workspace. Seen
# for the CNN with 16 channels on 32×32 images, whose widest has 67 MB for 1,024 of them: 193 MB alone, 241 in packs.
MEASURING = 3
LARGE = 10**8  # parameters from which a trial pass is made without memory, on the meta device
SAMPLES = 2  # of the trial forward pass: batch norm refuses one


@lru_cache(maxsize=256)
def profile(recipe: Recipe, processes: int = 1, *, only_plan: bool = False) -> Profile:
    """Sizes and cost of ``recipe`` in packs that so many ``processes`` train.

    If ``only_plan``, a published data set that is not there is taken as published.

    Raises:
        InputError: a batch larger than the training set, micro-batches that do not divide it or that processes cannot
            share, or a model, data set or loss that cannot give what is asked.
    """
    if isinstance(recipe.trainable, OwnLoop):
        return _own_loop(recipe.trainable)
    if isinstance(recipe.trainable, KernelTrainable):
        return kernel_profile(recipe, recipe.trainable)
    task = _planned_task(recipe.trainable) if only_plan else task_of(recipe.trainable)
    train, test = len(task.data.train), len(task.data.test)
    batch = _batch(recipe.trainable.batch, train)
    micro_batches = _micro_batches(recipe.trainable.micro_batch, batch, processes)
    micro_batch = batch // micro_batches
    with _told(recipe.trainable, f"a batch of {SAMPLES} samples of shape {task.data.train.shape}"):
        model = task.model()
        pack_model(model)  # refuses what cannot be trained
        flops, activations, widest, outputs = _forward_cost(model, task.data.train.shape)
        _check_outputs(task, outputs)
    parameters = sum(p.numel() for p in model.parameters())
    free, alone = whole_batch(recipe.trainable, micro_batch == train, model), processes == 1
    auto = recipe.l2.auto
    return Profile(
        train=train,
        test=test,
        batch=batch,
        parameters=parameters,
        decay=describe_l2(model, recipe.l2, train),
        forward_flops=flops,
        measured=test + (0 if free else measured_train(recipe, train)),
        ends_at=EXPECTED / weight_decay_of(recipe.l2, 1.0, train) if recipe.stop == "peaked" else math.inf,
        watched=train / auto.every if auto is not None and auto.signal == "train" and not free else 0.0,
        pack_limit=max(1, min(CPU_MOST_POINTS, CPU_ACTIVATION_BYTES // (micro_batch * widest * 4))) if alone else 1,
        point_bytes=_point_bytes(
            micro_batch * activations, min(EVALUATION_BATCH, max(train, test)) * widest, parameters
        )
        if alone
        else 0,
        micro_batches=micro_batches,
        processes=processes,
    )


def _planned_task(trainable: Trainable | OwnTrainable) -> Task:
    try:
        return task_of(trainable)
    except DataNotFoundError:
        assert isinstance(trainable, Trainable)
        assert isinstance(trainable.data, TorchvisionImages)
        return task_of(trainable, published(trainable.data))


@contextmanager
def _told(trainable: Trainable | OwnTrainable, samples: str) -> Iterator[None]:
    """Whatever a model or loss of one's own raises, in one paragraph."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if isinstance(trainable, Trainable):
            raise
        raise InputError(
            f"trainable.function: the model, data and loss of {trainable.function} do not fit together; trying them "
            f"on {samples} raised {cause_of(error)}."
        ) from error


def whole_batch(trainable: Trainable | OwnTrainable, full: bool, model: nn.Module) -> bool:
    """Whether a step's forward pass is also a measurement of the training set: the same samples, the same outputs.

    Not with running statistics: a training pass changes them, and a measurement uses them.
    """
    changing = [m for m in model.modules() if not isinstance(m, NtkLinear) and list(m.buffers(recurse=False))]
    return full and not trainable.augment.active and not changing


def measured_train(recipe: Recipe, train: int) -> int:
    """Training samples of a measurement."""
    return train if recipe.measure.train == "all" else min(train, recipe.measure.train)


def _own_loop(trainable: OwnLoop) -> Profile:
    """Nothing is known of a loop of one's own: an epoch counts as one step, and its points train alone."""
    own_function(trainable.loop, "trainable.loop", ("point", "device"), trainable.arguments)
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
    if batch == "full":
        return train
    if int(batch) > train:
        raise InputError(f"trainable.batch: {batch} is not allowed: the training set has {train} samples.")
    return int(batch)


def _micro_batches(size: int | None, batch: int, processes: int) -> int:
    """Micro-batches of a step."""
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


def _point_bytes(kept: int, measured: int, parameters: int) -> int:
    """Memory of a point on a GPU.

    Args:
        kept: numbers that a step keeps for its backward pass.
        measured: numbers of the widest activation in a measurement.
        parameters: of the model: weights, gradients and two moments.
    """
    return 4 * max(kept, MEASURING * measured) + 16 * parameters


def _check_outputs(task: Task, outputs: Tensor) -> None:
    """Refuse outputs that the loss would spread over the targets instead of comparing one by one."""
    loss = task.objective()
    expected = task.data.classes if isinstance(loss, OwnLoss) else loss.outputs
    if outputs.ndim != 2 or (outputs.shape[1] != expected and not isinstance(loss, OwnLoss)):
        raise ValueError(f"the model gives outputs of shape {tuple(outputs.shape)}, not ({SAMPLES}, {expected})")
    if not outputs.is_meta:
        loss.sums(outputs.unsqueeze(0), torch.full((SAMPLES,), task.data.classes - 1))


def _forward_cost(model: nn.Module, sample_shape: tuple[int, ...]) -> tuple[float, int, int, Tensor]:
    """FLOP, numbers kept for the backward pass, and the widest layer's output, all of one sample; and the outputs.

    FLOP are those of the layers with weight matrices: 2 · fan-in for each output. (torch's own counter, like
    every pass on the meta device, first imports torch's compiler for a second; only models that may not fit pay it.)
    """
    flops: list[int] = []
    outputs: list[int] = []

    def record(module: nn.Module, _inputs: object, output: object) -> None:
        if not isinstance(output, Tensor):
            return
        weight = getattr(module, "weight", None)
        outputs.append(output.numel() // SAMPLES)
        flops.append(2 * weight[0].numel() * outputs[-1] if weight is not None and weight.ndim > 1 else 0)

    large = sum(p.numel() for p in model.parameters()) > LARGE
    device = torch.device("meta" if large else "cpu")
    built_in = any(p.is_meta for p in model.parameters())
    model = copy.deepcopy(model)
    model = model.to_empty(device=device) if large or built_in else model
    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(record)
    with torch.no_grad():
        final = model(torch.zeros(SAMPLES, *sample_shape, device=device))
    if not isinstance(final, Tensor):
        raise ValueError(f"the model returned {type(final).__name__}, not a tensor (B, C)")
    outputs.append(final.numel() // SAMPLES)
    return float(sum(flops)), sum(outputs), max(outputs), final


def profiles_of(grid: Grid, points: Sequence[Point], *, only_plan: bool = False) -> dict[Variant, Profile]:
    """Cost of each variant of the grid's trainable; if ``only_plan``, of data sets that may not be there yet."""
    processes = grid.resources.processes_per_pack
    return {v: profile(recipe_of(grid, v), processes, only_plan=only_plan) for v in variants(points)}
