"""What a pack learns: a model, data and a loss, built in or of one's own."""

import inspect
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

from search_spaces.errors import InputError
from search_spaces.section import AxisValue
from search_spaces.trainable import MeanSquaredError, OwnTrainable, Softmax, Trainable
from trainables.data import Dataset, load_data
from trainables.losses import Loss, OwnLoss, make_loss
from trainables.models import (
    build_model,
    initial_buffers,
    initial_parameters,
    own_buffers,
    own_parameters,
    scale_invariant,
)

SampleLoss = Callable[[Tensor, Tensor], Tensor]
"""(outputs (B, C), labels (B,)) → the loss of each sample, (B,)."""


_CROSS_ENTROPY = Softmax(name="softmax")


@dataclass(frozen=True, slots=True)
class Task:
    """What a function of one's own returns.

    Attributes:
        model: builds the network, an ``nn.Module`` from (B, …) inputs to (B, C) outputs; called once for each seed.
        data: training and test set; ``Dataset.from_tensors`` makes one of tensors.
        loss: of each sample of a batch, without the L2 term; or a loss that sweeper has.
    """

    model: Callable[[], nn.Module]
    data: Dataset
    loss: SampleLoss | Softmax | MeanSquaredError = _CROSS_ENTROPY

    def objective(self) -> Loss:
        """The loss of a pack."""
        if isinstance(self.loss, Softmax | MeanSquaredError):
            return make_loss(self.loss, self.data.classes)
        return OwnLoss(self.loss)


@lru_cache(maxsize=4)
def task_of(trainable: Trainable | OwnTrainable) -> Task:
    """The task of a grid; kept in memory, since a worker trains many packs on it.

    Raises:
        InputError: data that is not there, or a function that cannot be used.
    """
    if isinstance(trainable, Trainable):
        data = load_data(trainable.data)
        outputs = make_loss(trainable.loss, data.classes).outputs
        spec = trainable.model
        return Task(lambda: build_model(spec, data.train.shape, outputs), data, trainable.loss)
    task = call_own(trainable.function, "trainable.function", trainable.arguments)
    if not isinstance(task, Task):
        raise InputError(
            f"trainable.function: {trainable.function} returned {type(task).__name__}; it must return a "
            "trainables.task.Task(model=..., data=..., loss=...)."
        )
    if isinstance(task.model, nn.Module):
        raise InputError(
            f"trainable.function: {trainable.function} returned a Task whose model is one network; give a function "
            "that builds it, such as model=lambda: Net(width), so that every seed gets its own weights."
        )
    return task


@lru_cache(maxsize=64)
def scale_invariant_weights(trainable: Trainable | OwnTrainable) -> tuple[str, ...]:
    """Names of the weights whose scale the network does not feel; kept, since finding them can take seconds."""
    task = task_of(trainable)
    return scale_invariant(task.model(), task.data.train.shape)


def initial_weights(
    trainable: Trainable | OwnTrainable, task: Task, seed: int, sigma_w: float
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Parameters and buffers of a point before its first step, on the CPU, from its seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = task.model()
    if trainable.init is None:
        return own_parameters(module, sigma_w), own_buffers(module)
    sigma_b = trainable.init.sigma_b
    return initial_parameters(module, seed=seed, sigma_w=sigma_w, sigma_b=sigma_b), initial_buffers(module)


def own_function(name: str, key: str) -> Callable[..., object]:
    """The function ``module:function``; modules are looked for in the working directory too.

    Raises:
        InputError: there is none.
    """
    module_name, _, function_name = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        function = getattr(import_module(module_name), function_name)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{key}: {name} cannot be imported ({error}); modules are looked for in {here} and in what is installed."
        ) from None
    except AttributeError:
        raise InputError(f"{key}: the module {module_name} has no function {function_name}.") from None
    if not callable(function):
        raise InputError(f"{key}: {name} is not a function.")
    return function  # type: ignore[no-any-return]


def call_own(name: str, key: str, arguments: dict[str, AxisValue]) -> object:
    """Call a function of one's own with the grid's arguments.

    Raises:
        InputError: it does not take them, or raises.
    """
    function = own_function(name, key)
    try:
        inspect.signature(function).bind(**arguments)
    except TypeError as error:
        raise InputError(f"{key}: {name} does not take the arguments {list(arguments)} ({error}).") from None
    try:
        return function(**arguments)
    except Exception as error:
        raise InputError(f"{key}: {name} raised {cause_of(error)}.") from error


def cause_of(error: Exception) -> str:
    """The error and the innermost line that raised it, in one line."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({frame.filename}:{frame.lineno})"
