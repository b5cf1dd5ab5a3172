"""``predict_lambda``: what ``sweeper predict`` does, for a model in a script or notebook.

::

    task = Task(
        model=lambda: nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10)),
        data=Dataset.from_tensors(x_train, y_train, x_validation, y_validation, classes=10),
    )
    forecast = predict_lambda(task, eta=0.05, mu=0.9, batch=64, budget=200)
    torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=forecast.lam)
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeAlias

import torch
from rich.console import Console
from torch import nn

from results.conclude import SweepResult
from results.forecast.forecast import Forecast
from results.store.paths import AnyPath, any_path
from search_spaces.errors import InputError
from search_spaces.outcome import Outcome
from search_spaces.reading.load import load_grid
from search_spaces.sections.grid import Grid
from search_spaces.sections.section import MAX_EPOCHS
from sweeper.backends.inprocess import InProcessBackend
from sweeper.driver.run import run_sweep
from sweeper.predict.loop_trials import is_real
from sweeper.predict.predict import guess, predict
from sweeper.predict.probe import MAX_RUNS, SweepRunner
from sweeper.signals import SignalInterrupt
from trainables.admission import forget_admissions
from trainables.registered import registered
from trainables.task import Task, scale_invariant_weights, task_of
from trainables.torch_state import neutral_torch

TaskSource: TypeAlias = Callable[[], Task] | Task
BatchSize: TypeAlias = int | Literal["full"]
Device: TypeAlias = Literal["auto", "cpu", "cuda"]
SectionLike: TypeAlias = str | Mapping[str, object]
"""Name of a section of the grid, or the section with its keys."""

_SOURCE = "predict_lambda"  # in place of a file name in messages
_PARAMETER_OF_KEY = {  # pattern of what a message says of the grid: the parameter that it comes from
    rf"{_SOURCE}, line \d+, ": "",
    r"axes\.eta\[0\]": "eta",
    r"budget\.max": "budget",
    r"optimizer\.mu": "mu",
    r"resources\.cpus_per_pack": "threads",
    r"trainable\.function": "task",
    r"trainable\.batch": "batch",
    r"a name of its own \(--name [^)]*\)": "a folder of its own (out=…)",
}


def predict_lambda(
    task: TaskSource,
    *,
    eta: float,
    budget: float | Sequence[float],
    mu: float = 0.0,
    batch: BatchSize = "full",
    optimizer: SectionLike = "sgd",
    schedule: SectionLike = "constant",
    runs: float = 1.5,
    seeds: int = 1,
    device: Device = "auto",
    threads: int = 1,
    out: str | Path | None = None,
    progress: bool = True,
) -> Forecast:
    """Predict the best λ, torch's ``weight_decay``, for a training run to come, from a few runs of a part of it.

    ``forecast = predict_lambda(Task(lambda: Net(), data), eta=0.05, mu=0.9, batch=64, budget=200)`` trains the probe in
    this process. It watches the accuracy on the task's second data set, so give validation data.

    Args:
        task: model, data and loss, or a function without arguments that returns them; a lambda will do.
        eta: η > 0, the learning rate of the run to come: the first one, where a schedule lowers it.
        budget: T > 0 of the run to come, in epochs; several for a prediction each.
        mu: momentum μ of SGD, in [0, 1).
        batch: samples of a step; those at the end of an epoch that fill none are left out.
        optimizer: as in a grid: ``"sgd"``, ``"adamw"``, or with its keys ``{"name": "sgd", "nesterov": True}``.
        schedule: as in a grid: ``"constant"``, ``"cosine"``, ``"piecewise"``, or with its keys.
        runs: training steps that the probe and the run to come may take, over those of one run at the longest budget,
            for each seed, 1 to 5; 1: no probe, a first guess.
        seeds: initializations to probe, 1 to 1000; more narrow the interval.
        device: ``"auto"`` takes a GPU where torch sees one.
        threads: CPU threads. More help large networks only: a pass of one 64 wide takes 0.33 ms on one thread, but
            4.9 ms on two whose cores another process uses too.
        out: folder that keeps the probe as a sweep, which the next call continues. The task must then be a function
            that can be imported, and a changed task needs another folder. Without it nothing is left behind.
        progress: whether to show a bar.

    Returns:
        The forecast; ``forecast.lam`` is λ for the first budget, ``print(forecast)`` says what it rests on.

    Raises:
        InputError: a parameter cannot be used, or the task cannot be trained.
        KeyboardInterrupt: interrupted.
    """
    run = _RunToCome(eta, _checked_budgets(budget), mu, batch, optimizer, schedule)
    options = _ProbeOptions(runs, seeds, device, threads)
    return _predict(task, run, options, out, progress=progress)


@dataclass(frozen=True, slots=True)
class _RunToCome:
    """The training run whose λ is asked for, as the caller described it."""

    eta: float
    budgets: list[float]
    mu: float
    batch: BatchSize
    optimizer: SectionLike
    schedule: SectionLike


@dataclass(frozen=True, slots=True)
class _ProbeOptions:
    """The price of a probe, and the hardware that it trains on."""

    runs: float
    seeds: int
    device: Device
    threads: int

    def check(self) -> None:
        """Refuse what the grid cannot refuse in better words."""
        runs, seeds = self.runs, self.seeds
        if not is_real(runs) or not 1 <= runs <= MAX_RUNS:
            raise InputError(
                f"runs: {runs!r} is not allowed: the probe and the run to come take >= 1 and <= {MAX_RUNS:g} runs, "
                "e.g. 1.5; 1 is a guess without a probe."
            )
        if not isinstance(seeds, int) or isinstance(seeds, bool) or not 1 <= seeds <= 1000:
            raise InputError(f"seeds: {seeds!r} is not allowed: give their number, an integer >= 1 and <= 1000.")
        if self.device not in {"auto", "cpu", "cuda"}:
            raise InputError(f"device: {self.device!r} is not allowed: give 'auto', 'cpu' or 'cuda'.")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError("device: 'cuda' is asked for, but torch finds no GPU here; give 'cpu' or 'auto'.")

    @property
    def gpus(self) -> int:
        """GPUs of the probe, 0 or 1."""
        return int(self.device == "cuda" or (self.device == "auto" and torch.cuda.is_available()))


def _predict(
    task: TaskSource, run: _RunToCome, options: _ProbeOptions, out: str | Path | None, *, progress: bool
) -> Forecast:
    """Probe the task in a folder, a temporary one without ``out``, and leave the process as it was."""
    _check_task(task)
    options.check()
    folder = TemporaryDirectory(prefix="predict-lambda-") if out is None else nullcontext(str(any_path(out)))
    function = registered(_as_function(task)) if out is None else nullcontext(_importable_name(task))
    with folder as directory, function as name, _errors_name_parameters(task, name), neutral_torch():
        grid = _grid(name, run, options, "task" if out is None else _sweep_name(task))
        if options.runs == 1:
            return guess(grid, run.budgets)
        path = any_path(directory)
        runner = _runner(path, progress=progress)
        forecast = predict(grid, run.budgets, options.runs, path, runner, pages=out is not None)
        forecast = replace(forecast, setup=forecast.setup.replace(name, _title(task)))
    return forecast if out is not None else replace(forecast, sweep="")


def _checked_budgets(budget: object) -> list[float]:
    """Return one budget or several as a list of epochs."""
    plain = budget.tolist() if hasattr(budget, "tolist") else budget  # of numpy or torch
    values: list[object] = list(plain) if isinstance(plain, Iterable) and not isinstance(plain, str) else [plain]
    budgets: list[float] = []
    for value in values or [budget]:
        if not is_real(value) or not 0 < value <= MAX_EPOCHS:
            raise InputError(
                f"budget: {value!r} is not allowed: T is a number of epochs > 0 and <= {MAX_EPOCHS:,.0f}, or a list of "
                "such numbers."
            )
        budgets.append(float(value))
    return budgets


def _check_task(task: object) -> None:
    """Refuse a task that is neither a ``Task`` nor a function that may return one."""
    if isinstance(task, nn.Module):
        raise InputError(
            f"task: this is one network ({type(task).__name__}), but the probe trains several. Give model, data and "
            "loss, with a function that builds the network: Task(model=lambda: Net(), data=Dataset.from_tensors(…))."
        )
    if not isinstance(task, Task) and not callable(task):
        raise InputError(
            f"task: {type(task).__name__} is not allowed: give Task(model=…, data=…), or a function that returns one."
        )


def _as_function(task: TaskSource) -> Callable[[], Task]:
    return (lambda: task) if isinstance(task, Task) else task


def _importable_name(task: TaskSource) -> str:
    """Return the ``module:function`` of a task whose sweep is to outlive this process."""
    task_of.cache_clear()  # a module may have been reloaded since
    scale_invariant_weights.cache_clear()
    forget_admissions()
    module, name = getattr(task, "__module__", ""), getattr(task, "__qualname__", "")
    try:
        found = getattr(import_module(module), name, None) if module != "__main__" else None
    except (ImportError, ValueError):
        found = None
    if found is not task or isinstance(task, Task):
        raise InputError(
            f"out: a probe that is kept must find its task again, and {_title(task)} cannot be imported: it is a "
            "lambda, a Task, inside another function, or of the script or notebook itself. Put a function that "
            "returns the Task at the top of a module and import it from there; or leave out=… out."
        )
    return f"{module}:{name}"


def _title(task: object) -> str:
    """Return the name of a task in messages."""
    return str(getattr(task, "__name__", type(task).__name__))


def _sweep_name(task: object) -> str:
    """Return the title of a task in characters that a folder may have."""
    return re.sub(r"[^A-Za-z0-9]+", "-", _title(task)).strip("-") or "task"


def _grid(function: str, run: _RunToCome, options: _ProbeOptions, name: str) -> Grid:
    """Return the run to come as a grid, with the name of the function that returns the task."""
    sections = {
        "measure": {"log": 60},
        "name": name,
        "trainable": {"function": function, "batch": run.batch},
        "optimizer": _section(run.optimizer) | ({"mu": run.mu} if run.mu != 0 else {}),
        "schedule": _section(run.schedule),
        "axes": {"eta": [run.eta], "lam": [0], "seed": list(range(options.seeds))},
        "budget": {"rule": "fixed", "constant": 1, "max": max(run.budgets)},
        "resources": {"cpus_per_pack": options.threads, "gpus_per_pack": options.gpus},
    }
    # JSON is YAML. A number of numpy or torch becomes a number, and anything else its text, which the grid refuses.
    text = json.dumps(sections, default=lambda value: value.item() if hasattr(value, "item") else str(value))
    return load_grid(text, _SOURCE)


def _section(value: SectionLike) -> dict[str, object]:
    return dict(value) if isinstance(value, Mapping) else {"name": value}


def _runner(folder: AnyPath, *, progress: bool) -> SweepRunner:
    """Return the function that trains a grid below ``folder`` in this process."""
    silent = Console(quiet=True, force_terminal=False, force_jupyter=False)
    console = Console(stderr=True) if progress else silent

    def run(grid: Grid, *, report: bool = True) -> SweepResult:
        try:
            result = run_sweep(grid, folder, InProcessBackend, None, console, report=report)
        except SignalInterrupt:  # Python ends a script by the signal only for this exact class
            raise KeyboardInterrupt from None
        for end in result.ends.values():
            if end.outcome is Outcome.FAILED:
                raise InputError(f"task: training it raised {end.why}.")
        return result

    return run


@contextmanager
def _errors_name_parameters(task: object, function: str) -> Iterator[None]:
    """Reword errors about a key of the grid, which the caller never saw, as errors about a parameter.

    Args:
        task: task of the caller; messages get its name.
        function: ``module:function`` that stands for it in the grid.
    """
    try:
        yield
    except InputError as error:
        text = str(error).replace(function, _title(task)).replace(function.partition(":")[2], _title(task))
        for key, parameter in _PARAMETER_OF_KEY.items():
            text = re.sub(key, parameter, text)
        raise InputError(text) from error.__cause__
