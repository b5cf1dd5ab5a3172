"""Tasks that a pack learns: a model, data and a loss, from a grid or from a user's function."""

import inspect
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from torch import Tensor, nn

from search_spaces.errors import InputError, describe_error, one_line
from search_spaces.namesakes import describe_namesake, place_of
from search_spaces.sections.loss import MeanSquaredError, Softmax
from search_spaces.sections.metric import Metric
from search_spaces.sections.section import AxisValue
from search_spaces.sections.trainable import OwnTrainable, Trainable
from trainables.data import Dataset, load_data
from trainables.models import (
    build_model,
    initial_buffers,
    initial_parameters,
    own_buffers,
    own_parameters,
    scale_invariant,
)
from trainables.step.losses import Loss, OwnLoss, make_loss
from trainables.step.targets import PerPosition, SquaredDistance
from trainables.torch_state import eager, seeded
from trainables.user_code import ProcessExitError, UserCodeError, user_code

UserFunction = Callable[..., object]
SampleLoss = Callable[[Tensor, Tensor], Tensor]
"""(outputs (B, C), targets (B,) or (B, k)) → the loss of each sample, (B,)."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task, as a user's function returns it.

    Attributes:
        model: builds the network, an ``nn.Module`` from (B, …) inputs to (B, C) outputs, or (B, L, C) for labels of
            each position. It is called for each seed, with the generators of torch, numpy and ``random`` seeded, and
            some more times to be tried.
        data: training and test set; ``Dataset.from_tensors`` makes one of tensors.
        loss: loss of each sample of a batch, without the L2 term; or a loss that sweeper has. Without it, the
            cross-entropy of labels, and half of the squared distance to numbers.
    """

    model: Callable[[], nn.Module]
    data: Dataset
    loss: SampleLoss | Softmax | MeanSquaredError | None = None

    def objective(self, *, together: bool = True) -> Loss:
        """Return the loss of a pack.

        Args:
            together: whether a loss of the user's own runs on all points at once.

        Raises:
            InputError: the loss is not one of targets of this kind.
        """
        if callable(self.loss):
            return OwnLoss(self.loss, together, self.data.targets)
        if self.data.targets == "numbers":
            return _distance(self.loss, self.data)
        loss = make_loss(self.loss or Softmax(name="softmax"), self.data.classes)
        return PerPosition(loss, *self.data.positions) if self.data.targets == "positions" else loss


def _distance(loss: Softmax | MeanSquaredError | None, data: Dataset) -> SquaredDistance:
    """Return the loss of targets that are numbers."""
    if isinstance(loss, Softmax) or (loss is not None and loss.targets == "sign"):
        said = f"{loss.name} of targets: sign" if isinstance(loss, MeanSquaredError) else loss.name
        raise InputError(
            f"the loss {said} needs classes, but the targets are numbers: leave 'loss' out for half of the squared "
            "distance to them, or give a function of outputs and targets."
        )
    return SquaredDistance(data.train.labels.shape[1], loss.scale if loss else "mean")


@lru_cache(maxsize=4)
def task_of(trainable: Trainable | OwnTrainable, data: Dataset | None = None) -> Task:
    """Return the task of a grid, cached because a worker trains many packs on it.

    Args:
        trainable: the grid's ``trainable``.
        data: a data set to use in place of the grid's, where that is missing.

    Raises:
        InputError: the data are missing, or a function cannot be used.
    """
    if isinstance(trainable, Trainable):
        data = data or load_data(trainable.data)
        outputs = make_loss(trainable.loss, data.classes).outputs
        spec = trainable.model
        return Task(lambda: build_model(spec, data.train.shape, outputs), data, trainable.loss)
    with seeded(0):  # what a module or function draws is then the same in every process
        task = call_function(trainable.function, "trainable.function", trainable.arguments)
    if not isinstance(task, Task):
        raise InputError(
            f"trainable.function: {trainable.function} returned {type(task).__name__}; it must return a "
            "sweeper.Task(model=..., data=..., loss=...)."
        )
    _check_fields(task, trainable.function)
    return task


def check_metric(metric: Metric, task: Task) -> None:
    """Refuse to judge a task by a metric that it does not have.

    Raises:
        InputError: the accuracy is asked of targets that are numbers.
    """
    if metric.is_accuracy and task.data.targets == "numbers":
        raise InputError(
            "metric: test_acc is not allowed: the targets of this task are numbers, and only classes have an "
            "accuracy; write 'metric: {name: test_loss}' into the grid."
        )


def _check_fields(task: Task, name: str) -> None:
    if isinstance(task.model, nn.Module):
        raise InputError(
            f"trainable.function: {name} returned a Task whose model is one network; give a function "
            "that builds it, such as model=lambda: Net(width), so that every seed gets its own weights."
        )
    loss = task.loss is None or callable(task.loss) or isinstance(task.loss, Softmax | MeanSquaredError)
    if not (callable(task.model) and isinstance(task.data, Dataset) and loss):
        kinds = ", ".join(f"{f.name}: {type(getattr(task, f.name)).__name__}" for f in fields(task))
        raise InputError(
            f"trainable.function: {name} returned a Task of {kinds}; it takes model: a function that builds the "
            "network, data: a Dataset, loss: a function of outputs and targets, Softmax(...), MeanSquaredError(...) or "
            "None."
        )


@lru_cache(maxsize=64)
def scale_invariant_weights(trainable: Trainable | OwnTrainable) -> tuple[str, ...]:
    """Return the names of the weights whose scale does not change the outputs.

    They are cached, because the search can take seconds. Of a user's model that cannot be searched, such as a compiled
    one, none are known.
    """
    task = task_of(trainable)
    module = built_from(task, 0)
    try:
        with user_code(), eager(module):
            names = scale_invariant(module, task.data.train.shape, task.data.tokens)
    except UserCodeError:
        if isinstance(trainable, Trainable):
            raise
        return ()
    trained = {name for name, p in module.named_parameters() if p.requires_grad}
    return tuple(name for name in names if name in trained)


def built_from(task: Task, seed: int) -> nn.Module:
    """Return a network of ``task`` as its function builds it, with all generators of the process seeded."""
    with seeded(seed):
        return task.model()


def initial_weights(
    trainable: Trainable | OwnTrainable, module: nn.Module, seed: int, sigma_w: float
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return parameters and buffers of a point before its first step, on the CPU, from its seed alone.

    Frozen parameters (``requires_grad`` false) are among the buffers, with the values that the model gives them.

    Args:
        trainable: the grid's ``trainable``.
        module: a network that was built from the seed.
        seed: the point's seed.
        sigma_w: the point's initialization scale σ_w, > 0.

    Returns:
        (parameters, buffers), each name to tensor (...) of the shape that the model gives it.
    """
    if trainable.init is None:
        values, buffers = own_parameters(module, sigma_w), own_buffers(module)
    else:
        values = initial_parameters(module, seed=seed, sigma_w=sigma_w, sigma_b=trainable.init.sigma_b)
        buffers = initial_buffers(module, sigma_w=sigma_w)
    frozen = {name: p.detach().cpu().clone() for name, p in module.named_parameters() if not p.requires_grad}
    return {name: p for name, p in values.items() if name not in frozen}, buffers | frozen


def import_function(
    name: str, key: str, arguments: Sequence[object], keywords: Mapping[str, AxisValue]
) -> UserFunction:
    """Import the function ``module:function``.

    Modules are searched for in what is installed, then in the working directory.

    Args:
        name: ``module:function``, as in the grid.
        key: the grid's key that holds the name.
        arguments: positional arguments of the later call.
        keywords: keyword arguments of the later call.

    Raises:
        InputError: there is no such function, or it does not take these arguments.
    """
    module_name, _, function_name = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        with user_code():
            module = import_module(module_name)
    except UserCodeError as raised:
        if not isinstance(raised.error, ModuleNotFoundError):
            raise InputError(f"{key}: importing {module_name} raised {cause_of(raised.error)}.") from raised.error
        top = sys.modules.get(module_name.partition(".")[0])
        raise InputError(
            f"{key}: {name} cannot be imported ({raised.error}); modules are looked for in what is installed and in "
            f"{here}." + (describe_namesake(top) if top else "")
        ) from None
    function = getattr(module, function_name, None)
    if not callable(function):
        raise InputError(
            f"{key}: the module {module_name} has no function {function_name}; it was found at "
            f"{place_of(module) or 'Python itself'}.{describe_namesake(module)}"
        )
    try:
        inspect.signature(function).bind(*arguments, **keywords)
    except (TypeError, ValueError) as error:
        call = ", ".join([*(type(a).__name__.lower() for a in arguments), *(f"{k}=…" for k in keywords)])
        raise InputError(f"{key}: {function_name} cannot be called as {function_name}({call}): {error}.") from None
    return function  # type: ignore[no-any-return]


def call_function(name: str, key: str, arguments: Mapping[str, AxisValue]) -> object:
    """Call a user's function with the grid's arguments.

    Args:
        name: ``module:function``, as in the grid.
        key: the grid's key that holds the name.
        arguments: keyword arguments of the call.

    Raises:
        InputError: the function does not take the arguments, or raises an error.
    """
    function = import_function(name, key, (), arguments)
    try:
        with user_code():
            return function(**arguments)
    except UserCodeError as raised:
        raise InputError(f"{key}: {name} raised {cause_of(raised.error)}.") from raised.error


def cause_of(error: BaseException) -> str:
    """Return the error and the innermost line of the user's that raised it, as one line."""
    if isinstance(error, SyntaxError):
        return one_line(f"SyntaxError: {error.msg} ({error.filename}:{error.lineno})")
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, ProcessExitError):
        frames.pop()  # of the function that stands in for ``os._exit``
    return describe_error(error) + (f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else "")
