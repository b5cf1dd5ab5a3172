"""Reading a grid: YAML text is checked as a whole and becomes a ``Grid``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from search_spaces.axes import NAMED_AXES, Problem, expand_axis
from search_spaces.errors import InputError
from search_spaces.laws.budget import budget_epochs, kept_cells
from search_spaces.points import MAX_POINTS, count_points
from search_spaces.reading.key_schemas import axis_keys, default_name
from search_spaces.reading.messages import MAX_PROBLEMS, problems_of, refused_axis_value, unknown_axis
from search_spaces.recipe import SECTIONS, Recipe, recipe_of
from search_spaces.sections.grid import MAX_MEASUREMENTS, Grid
from search_spaces.sections.optimizer import L2, Sgd
from search_spaces.sections.section import MAX_EPOCHS
from search_spaces.sections.trainable import KernelTrainable, OwnLoop
from search_spaces.yaml_text import Document, KeyPath, Value, printable, read_yaml, show

_KEY_AND_PROBLEM = re.compile(r"(?P<key>\w+(\.\w+)*)(?P<indices>(\[\d+\])*): (?P<problem>.*)", re.DOTALL)


def load_grid(text: str, source: str, overrides: Sequence[str] = ()) -> Grid:
    """Read a grid.

    Args:
        text: content of the YAML file.
        source: name of the file, for messages.
        overrides: ``a.b=value`` settings that replace or add keys; the value is read as YAML. A section that the text
            leaves out has its default ``name``, so that ``optimizer.mu=0.9`` is a setting of sgd.

    Raises:
        InputError: the grid has problems. The message lists them all at once, each with file, line, key, value and
            what is allowed.
    """
    document, data = _read_document(text, source, overrides)
    axes, problems = _expand_axes(data)
    try:
        grid = Grid.model_validate(data | {"axes": axes})
    except ValidationError as error:
        raise _input_error(document, problems_of(error, data) + problems) from None
    problems = problems or _check_points(grid, data)
    if problems:
        raise _input_error(document, problems)
    return grid


def locate(error: InputError, text: str, source: str, overrides: Sequence[str] = ()) -> InputError:
    """Return an error about a key of a grid that was read, with the key's place in front.

    Only data, model and machine show some errors: they know the key, but not the file.

    Args:
        error: the error. If its text does not begin with a key of the grid, it is returned as it is.
        text: content of the YAML file.
        source: name of the file, for messages.
        overrides: the settings with which it was read.
    """
    named = _KEY_AND_PROBLEM.fullmatch(str(error))
    if not named or named["key"].partition(".")[0] not in Grid.model_fields:
        return error
    top, *parts = named["key"].split(".")
    path: KeyPath = (top, ".".join(parts)) if top == "axes" and parts else (top, *parts)
    path += tuple(int(index) for index in re.findall(r"\d+", named["indices"]))
    return InputError(f"{_read_document(text, source, overrides)[0].where(path)}: {named['problem']}")


def _read_document(text: str, source: str, overrides: Sequence[str]) -> tuple[Document, dict[str, Value]]:
    """Return the file with its places, and its content with the settings applied."""
    document = read_yaml(text, source)
    if not isinstance(document.value, dict):
        raise InputError(
            f"{source}: this file is {_describe_kind(document.value)}, but a grid is a section with the keys name, "
            "trainable, axes, budget, …. Start from grids/digits.yaml."
        )
    data = dict(document.value)
    settings: dict[KeyPath, str] = {}
    for override in overrides:
        path, made = _apply_override(data, override)
        settings = {k: v for k, v in settings.items() if k[: len(path)] != path} | made
    return replace(document, settings=settings), data


def _apply_override(data: dict[str, Value], override: str) -> tuple[KeyPath, dict[KeyPath, str]]:
    """Apply a setting to ``data``, and return its key path and all key paths that it makes, each with its place."""
    key, equals, text = (part.strip() for part in override.partition("="))
    parts = key.split(".")
    if not equals or not all(parts):
        raise InputError(f"--set {printable(override)}: write KEY=VALUE with a dotted key, as in --set budget.max=500.")
    value = read_yaml(text, f"--set {key}").value
    if parts[0] == "axes" and len(parts) > 2:  # an axis may itself be a dotted key of trainable
        parts = ["axes", ".".join(parts[1:])]
    path: KeyPath = tuple(parts)
    section, made = data, {path: f"--set {key}"}
    for i, part in enumerate(parts[:-1]):
        inner = section.get(part)
        if inner is None:
            made[path[: i + 1]] = f"--set {key}"
            inner = default_name(path[: i + 1], data)
        elif not isinstance(inner, dict):
            place = ".".join(parts[: i + 1])
            raise InputError(
                f"--set {key}: {place} is {_describe_kind(inner)}, not a section with keys of its own; set {place} as "
                "a whole."
            )
        copy = dict(inner)
        section[part] = copy
        section = copy
    section[parts[-1]] = value
    return path, made


def _expand_axes(data: Mapping[str, Value]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the values of every axis, and the problems of the section ``axes``."""
    raw = data.get("axes")
    if not isinstance(raw, dict):
        what = f"is {_describe_kind(raw)}" if "axes" in data else "is missing"
        return {}, [Problem(("axes",), f"{what}; give the axes as keys with lists, at least eta and lam")]
    axes: dict[str, Any] = {}
    problems = [
        Problem(("axes",), f"has no '{n}'; every grid has the axes eta and lam") for n in ("eta", "lam") if n not in raw
    ]
    further = axis_keys(data) if raw.keys() - set(NAMED_AXES) else []  # they need the schema of grids: 50 ms
    known = [*NAMED_AXES, *further]
    for name, item in raw.items():
        if name in known:
            axes[name], wrong = expand_axis(name, item)
        else:
            wrong = [Problem(("axes", name), unknown_axis(name, known, data))]
        problems += wrong[: MAX_PROBLEMS + 1]
    return axes, problems


def _check_points(grid: Grid, data: Mapping[str, Value]) -> list[Problem]:
    """Return the problems of the grid as a whole, whose every key is valid by itself."""
    count = count_points(grid)
    if count > MAX_POINTS:
        sizes = " × ".join(f"{len(v):,} {k}" for k, v in grid.axes.items())
        text = f"{count:,} points ({sizes}) are more than the {MAX_POINTS:,} of a grid; shorten an axis"
        return [Problem(("axes",), text)]
    problems = [p for name in grid.axes if name not in NAMED_AXES for p in _check_variants(grid, name, data)]
    return problems + _check_recipe(grid) + _check_exceptions(grid) + _check_budgets(grid)


def _check_variants(grid: Grid, name: str, data: Mapping[str, Value]) -> list[Problem]:
    """Return the problems of an axis that is a key of a section: values that the section does not allow."""
    problems = []
    for value in grid.axes[name]:
        try:
            recipe_of(grid, ((name, value),))
        except (KeyError, TypeError):
            return [Problem(("axes", name), "no such key in this grid, so it cannot be an axis")]
        except ValidationError as error:
            problems.append(Problem(("axes", name), refused_axis_value(error, name, value, data)))
    return problems[: MAX_PROBLEMS + 1]


def _check_recipe(grid: Grid) -> list[Problem]:
    """Return the problems of sections and axes that would have no effect."""
    problems = []
    if isinstance(grid.trainable, OwnLoop):
        text = "a training loop of one's own decides this itself; remove the section"
        decided = [section for section in SECTIONS[1:] if section != "metric"]
        problems += [Problem((section,), text) for section in decided if _is_changed(grid, section)]
    elif isinstance(grid.trainable, KernelTrainable):
        problems += _check_flow(grid)
    elif "mu" in grid.axes and not isinstance(grid.optimizer, Sgd):
        text = f"only sgd has a momentum; {grid.optimizer.name} has beta1, whose axis is 'optimizer.beta1'"
        problems.append(Problem(("axes", "mu"), text))
    if isinstance(grid.trainable, OwnLoop | KernelTrainable) and grid.resources.processes_per_pack > 1:
        text = "a training loop of one's own, and theory, train in one process; remove the key"
        problems.append(Problem(("resources", "processes_per_pack"), text))
    problems += _check_stop(grid)
    if grid.l2.auto is not None and 0.0 in grid.axes["lam"]:
        text = "0 is not allowed with l2.auto, since lam is where λ starts to fall from (paper: 0.1)"
        problems.append(Problem(("axes", "lam"), text))
    return problems


def _check_stop(grid: Grid) -> list[Problem]:
    """Return the problems of ``stop: peaked``, whose rule needs constant η and λ."""
    if grid.stop != "peaked":
        text = "predicted trains until a point has peaked; write stop: peaked beside it"
        return [Problem(("budget", "rule"), text)] if grid.budget.rule == "predicted" else []
    reasons = []
    if grid.l2.auto is not None:
        reasons.append("AutoL2 lowers λ along the run")
    if grid.schedule.name != "constant" or any(name.startswith("schedule.") for name in grid.axes):
        reasons.append("the schedule lowers η along the run, and accuracy rises again whenever it does")
    text = "peaked is not allowed: {}; a maximum that was passed is then no certain one. Leave 'stop' out"
    return [Problem(("stop",), text.format(reason)) for reason in reasons]


def _check_flow(grid: Grid) -> list[Problem]:
    """Return the problems of keys that would change the equation of infinite width.

    It is gradient flow with a constant λ on all parameters.
    """
    flow = "the theory of infinite width is gradient flow with a constant η; remove the {}"
    sections = [section for section in ("optimizer", "schedule", "stop") if _is_changed(grid, section)]
    problems = [Problem((section,), flow.format("section")) for section in sections]
    if "mu" in grid.axes:
        problems.append(Problem(("axes", "mu"), flow.format("axis")))
    if grid.l2 != L2(convention=grid.l2.convention):
        text = "the theory of infinite width is of a constant λ on all parameters; of l2 it reads 'convention' alone"
        problems.append(Problem(("l2",), text))
    return problems


def _is_changed(grid: Grid, section: str) -> bool:
    """Return whether a section of the recipe differs from its default."""
    return bool(getattr(grid, section) != Recipe.model_fields[section].default)


def _check_exceptions(grid: Grid) -> list[Problem]:
    """Return the problems of ``budget.exceptions``: those of no point, and repeated ones."""
    etas, lams = set(grid.axes["eta"]), set(grid.axes["lam"])
    problems, seen = [], set()
    for i, exception in enumerate(grid.budget.exceptions):
        path: KeyPath = ("budget", "exceptions", i)
        cell = (exception.eta, exception.lam)
        if exception.eta not in etas or exception.lam not in lams:
            text = f"no point has eta {cell[0]:g} and lam {cell[1]:g}; an exception names values of both axes"
            problems.append(Problem(path, text))
        if cell in seen:
            problems.append(Problem(path, f"eta {cell[0]:g}, lam {cell[1]:g} has an exception already; keep one"))
        seen.add(cell)
    return problems


def _check_budgets(grid: Grid) -> list[Problem]:
    """Return the first problem of the budget law over the axes."""
    longest = 0.0
    kept = kept_cells(grid)
    if not kept:
        text = f"every point would train longer than {grid.budget.leave_out:,.10g} epochs and is left out; raise it"
        return [Problem(("budget", "leave_out"), text)]
    for eta, lam in kept:
        epochs = budget_epochs(grid.budget, eta, lam)
        if epochs is None:
            text = "the axis lam holds 0, where 1/lam has no value; give budget.zero_lam or budget.max in epochs"
            return [Problem(("budget",), text)]
        if not 0 < epochs <= MAX_EPOCHS:
            text = (
                f"eta {eta:g} and lam {lam:g} give {epochs:,.10g} epochs by the rule {grid.budget.rule}; a budget is "
                f"> 0 and <= {MAX_EPOCHS:,.0f}. Mend the constant or the axis, or give budget.max"
            )
            return [Problem(("budget",), text)]
        longest = max(longest, epochs)
    if grid.measure.every == "epoch" and longest > MAX_MEASUREMENTS:
        text = (
            f"every epoch of the longest budget, {longest:,.10g} epochs, is more than the {MAX_MEASUREMENTS:,} "
            "measurements of a point; write measure: {log: 60} for 60 a decade, or give budget.max"
        )
        return [Problem(("measure",), text)]
    return []


def _input_error(document: Document, problems: Sequence[Problem]) -> InputError:
    """Return the error that lists the problems of a file, a line each."""
    lines = [f"{document.where(p.path)}: {p.text}." for p in problems[:MAX_PROBLEMS]]
    more = ["… and more; mend these first."] if len(problems) > MAX_PROBLEMS else []
    return InputError("\n".join(lines + more))


def _describe_kind(value: Value) -> str:
    """Return a value, or its kind where the value is long."""
    if value is None:
        return "empty"
    if isinstance(value, list):
        return "a list"
    return "a section" if isinstance(value, dict) else show(value)
