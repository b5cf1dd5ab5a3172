"""``predict_lambda``: what ``sweeper predict`` does, for a model in one's own script or notebook."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from importlib import import_module
from numbers import Real
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeGuard

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
from sweeper.predict.predict import guess, predict
from trainables.registered import registered
from trainables.task import Task, scale_invariant_weights, task_of

_HERE = "predict_lambda"
_PARAMETERS = {  # key of the grid: parameter that it comes from
    rf"{_HERE}, line \d+, ": "",
    r"axes\.eta\[0\]": "eta",
    r"budget\.max": "budget",
    r"optimizer\.mu": "mu",
    r"resources\.cpus_per_pack": "threads",
    r"trainable\.function": "task",
    r"trainable\.batch": "batch",
    r"a name of its own \(--name [^)]*\)": "a folder of its own (out=…)",
}


def predict_lambda(
    task: Callable[[], Task] | Task,
    *,
    eta: float,
    budget: float | Sequence[float],
    mu: float = 0.0,
    batch: int | Literal["full"] = "full",
    optimizer: str | Mapping[str, object] = "sgd",
    schedule: str | Mapping[str, object] = "constant",
    share: float = 0.1,
    seeds: int = 1,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int = 1,
    out: str | Path | None = None,
    progress: bool = True,
) -> Forecast:
    """Predict the best λ, torch's ``weight_decay``, for a training run to come, from a short probe at large λ.

    ::

        task = Task(
            model=lambda: nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10)),
            data=Dataset.from_tensors(x_train, y_train, x_validation, y_validation, classes=10),
        )
        forecast = predict_lambda(task, eta=0.05, mu=0.9, batch=64, budget=200)
        torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=forecast.lam)

    The probe trains in this process. It watches the accuracy on the task's second data set, so give validation data.

    Args:
        task: model, data and loss, or a function without arguments that returns them; a lambda will do.
        eta: η, the learning rate of the run to come: the first one, where a schedule lowers it.
        budget: T of the run to come, in epochs; several for a prediction each.
        mu: momentum μ of SGD.
        batch: samples of a step; those at the end of an epoch that fill none are left out.
        optimizer: as in a grid: ``"sgd"``, ``"adamw"``, or with its keys ``{"name": "sgd", "nesterov": True}``.
        schedule: as in a grid: ``"constant"``, ``"cosine"``, ``"piecewise"``, or with its keys.
        share: of one run at the longest budget that the probe may cost, for each seed; 0: no probe, a first guess.
        seeds: initializations that are probed; more narrow the interval a little.
        device: ``"auto"`` takes a GPU where torch sees one.
        threads: of the CPU. More help large networks only: a pass of one 64 wide takes 0.33 ms on one thread, but 4.9
            ms on two whose cores somebody else uses too.
        out: folder in which the probe is kept as a sweep and goes on when it is called again. The task must then be a
            function that can be imported, and a changed task needs another folder. Without it nothing is left behind.
        progress: whether to show a bar.

    Returns:
        The forecast; ``forecast.lam`` is λ for the first budget, ``print(forecast)`` says what it rests on.

    Raises:
        InputError: a parameter that cannot be used, or a task that cannot be trained.
        KeyboardInterrupt: interrupted.
    """
    budgets = _budgets(budget)
    _check(task, share, seeds, device)
    folder = TemporaryDirectory(prefix="predict-lambda-") if out is None else nullcontext(str(any_path(out)))
    named = registered(_function(task)) if out is None else nullcontext(_importable(task))
    with folder as kept, named as name, _in_these_words(task, name), _process_as_before():
        grid = _grid(
            name=re.sub(r"[^A-Za-z0-9]+", "-", _title(task)).strip("-") or "task" if out is not None else "task",
            trainable={"function": name, "batch": batch},
            optimizer=_section(optimizer) | ({"mu": mu} if mu != 0 else {}),
            schedule=_section(schedule),
            axes={"eta": [eta], "lam": [0], "seed": list(range(seeds))},
            budget={"rule": "fixed", "constant": 1, "max": max(budgets)},
            resources={"cpus_per_pack": threads, "gpus_per_pack": _gpus(device)},
        )
        if share == 0:
            return guess(grid, budgets)
        forecast = predict(grid, budgets, share, any_path(kept), _runner(any_path(kept), progress=progress))
        forecast = replace(forecast, setup=forecast.setup.replace(name, _title(task)))
    return forecast if out is not None else replace(forecast, sweep="")


def _budgets(budget: object) -> list[float]:
    plain = budget.tolist() if hasattr(budget, "tolist") else budget  # of numpy or torch
    values: list[object] = list(plain) if isinstance(plain, Iterable) and not isinstance(plain, str) else [plain]
    budgets: list[float] = []
    for value in values or [budget]:
        if not _is_number(value) or not 0 < value <= MAX_EPOCHS:
            raise InputError(
                f"budget: {value!r} is not allowed: T is a number of epochs > 0 and <= {MAX_EPOCHS:,.0f}, or a list of "
                "such numbers."
            )
        budgets.append(float(value))
    return budgets


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool)


def _check(task: object, share: float, seeds: int, device: str) -> None:
    """Refuse what the grid cannot say better."""
    if isinstance(task, nn.Module):
        raise InputError(
            f"task: this is one network ({type(task).__name__}), but the probe trains several. Give model, data and "
            "loss, with a function that builds the network: Task(model=lambda: Net(), data=Dataset.from_tensors(…))."
        )
    if not isinstance(task, Task) and not callable(task):
        raise InputError(
            f"task: {type(task).__name__} is not allowed: give Task(model=…, data=…), or a function that returns one."
        )
    if not _is_number(share) or not 0 <= share <= 1:
        raise InputError(f"share: {share!r} is not allowed: a share of one run is a number >= 0 and <= 1, e.g. 0.1.")
    if not isinstance(seeds, int) or isinstance(seeds, bool) or not 1 <= seeds <= 1000:
        raise InputError(f"seeds: {seeds!r} is not allowed: give their number, an integer >= 1 and <= 1000.")
    if device not in {"auto", "cpu", "cuda"}:
        raise InputError(f"device: {device!r} is not allowed: give 'auto', 'cpu' or 'cuda'.")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device: 'cuda' is asked for, but torch finds no GPU here; give 'cpu' or 'auto'.")


def _gpus(device: str) -> int:
    return int(device == "cuda" or (device == "auto" and torch.cuda.is_available()))


def _function(task: Callable[[], Task] | Task) -> Callable[[], Task]:
    return (lambda: task) if isinstance(task, Task) else task


def _importable(task: Callable[[], Task] | Task) -> str:
    """The ``module:function`` of a task whose sweep is to outlive this process."""
    task_of.cache_clear()  # a module may have been reloaded since
    scale_invariant_weights.cache_clear()
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
    return str(getattr(task, "__name__", type(task).__name__))


def _section(value: str | Mapping[str, object]) -> dict[str, object]:
    return dict(value) if isinstance(value, Mapping) else {"name": value}


def _grid(**sections: object) -> Grid:
    # JSON is YAML; numbers of numpy and torch are numbers, and what is none is refused by its text.
    text = json.dumps({"measure": {"log": 60}} | sections, default=lambda v: v.item() if hasattr(v, "item") else str(v))
    return load_grid(text, _HERE)


def _runner(folder: AnyPath, *, progress: bool) -> Callable[[Grid], SweepResult]:
    silent = Console(quiet=True, force_terminal=False, force_jupyter=False)
    console = Console(stderr=True) if progress else silent

    def run(grid: Grid) -> SweepResult:
        account = run_sweep(grid, folder, InProcessBackend, None, console)
        for end in account.ends.values():
            if end.outcome is Outcome.FAILED:
                raise InputError(f"task: training it raised {end.why}.")
        return account

    return run


@contextmanager
def _in_these_words(task: object, name: str) -> Iterator[None]:
    """Errors about a key of the grid, said of the parameter that it comes from; of ``name``, of the task."""
    try:
        yield
    except InputError as error:
        text = str(error).replace(name, _title(task)).replace(name.partition(":")[2], _title(task))
        for key, parameter in _PARAMETERS.items():
            text = re.sub(key, parameter, text)
        raise InputError(text) from error.__cause__


@contextmanager
def _process_as_before() -> Iterator[None]:
    """Leave what training sets for the whole process as it was: threads, precision, random numbers."""
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    tf32 = torch.backends.cudnn.allow_tf32
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.set_float32_matmul_precision(precision)
            torch.backends.cudnn.allow_tf32 = tf32
