"""Text to ``Grid``: the one place where YAML meets code, and every message about a bad grid is made."""

import math
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from search_spaces.axes import NAMED_AXES, Problem, expand_axis
from search_spaces.budget import budget_epochs
from search_spaces.errors import InputError, suggest
from search_spaces.grid import Grid, Section
from search_spaces.points import MAX_POINTS, count_points, trainable_of
from search_spaces.yaml_text import Document, KeyPath, Value, read_yaml


def load_grid(text: str, source: str, overrides: Sequence[str] = ()) -> Grid:
    """Read a grid.

    Args:
        text: content of the YAML file.
        source: name of the file, for messages.
        overrides: ``a.b=value`` settings that replace or add keys, the value read as YAML.

    Raises:
        InputError: anything wrong, all of it at once, each with file, line, key, value and what is allowed.
    """
    document = read_yaml(text, source)
    if not isinstance(document.value, dict):
        raise InputError(
            f"{source}: a grid is a mapping of keys (name, trainable, axes, budget, …), but this file holds "
            f"{_kind(document.value)}. Start from grids/digits.yaml."
        )
    data = dict(document.value)
    for override in overrides:
        _override(data, override)
    axes, problems = _expand_axes(data)
    try:
        grid = Grid.model_validate(data | {"axes": axes})
    except ValidationError as error:
        problems = _validation_problems(error) + problems
        raise _input_error(document, problems) from None
    problems += _check_points(grid)
    if problems:
        raise _input_error(document, problems)
    return grid


def _override(data: dict[str, Value], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set {override}: write KEY=VALUE with a dotted key, as in --set budget.max=500.")
    value = read_yaml(text, f"--set {key}").value
    parts = key.strip().split(".")
    if parts[0] == "axes" and len(parts) > 2:  # an axis may itself be a dotted key of trainable
        parts = ["axes", ".".join(parts[1:])]
    section = data
    for i, part in enumerate(parts[:-1]):
        inner = section.get(part, {})
        if not isinstance(inner, dict):
            raise InputError(
                f"--set {override}: {'.'.join(parts[: i + 1])} is {_kind(inner)}, not a section with keys of its own."
            )
        section[part] = section = dict(inner)
    section[parts[-1]] = value


def _expand_axes(data: dict[str, Value]) -> tuple[dict[str, Any], list[Problem]]:
    raw = data.get("axes")
    if not isinstance(raw, dict):
        what = "is missing" if raw is None else f"is {_kind(raw)}"
        return {}, [Problem(("axes",), f"{what}; give the axes as keys with lists, at least eta and lam")]
    axes: dict[str, Any] = {}
    problems = [
        Problem(("axes",), f"has no '{n}'; every grid has the axes eta and lam") for n in ("eta", "lam") if n not in raw
    ]
    for name, item in raw.items():
        values, wrong = expand_axis(name, item)
        axes[name] = values
        problems += wrong
    return axes, problems


def _check_points(grid: Grid) -> list[Problem]:
    """What only the whole grid can show; runs on a grid whose every key is valid by itself."""
    count = count_points(grid)
    if count > MAX_POINTS:
        sizes = " × ".join(f"{len(v):,} {k}" for k, v in grid.axes.items())
        return [
            Problem(
                ("axes",),
                f"{count:,} points ({sizes}) are more than the {MAX_POINTS:,} of a grid; shorten an axis",
            )
        ]
    problems = _check_budgets(grid)
    for name, values in grid.axes.items():
        if name not in NAMED_AXES:
            problems += [p for v in values for p in _check_variant(grid, name, v)]
    return problems


def _check_budgets(grid: Grid) -> list[Problem]:
    etas, lams = ([float(v) for v in grid.axes[name]] for name in ("eta", "lam"))
    problems = []
    if 0.0 in lams and any(budget_epochs(grid.budget, eta, 0.0) is None for eta in etas):
        problems.append(
            Problem(
                ("budget",),
                "the axis lam holds 0, where 1/lam has no value; give budget.zero_lam or budget.max in epochs",
            )
        )
    seen = set()
    for i, exception in enumerate(grid.budget.exceptions):
        at: KeyPath = ("budget", "exceptions", i)
        cell = (exception.eta, exception.lam)
        if exception.eta not in etas or exception.lam not in lams:
            problems.append(
                Problem(
                    at,
                    f"no point has eta {cell[0]:g} and lam {cell[1]:g}; an exception names values of the axes",
                )
            )
        if cell in seen:
            problems.append(Problem(at, f"eta {cell[0]:g}, lam {cell[1]:g} has an exception already; keep one"))
        seen.add(cell)
    return problems


def _check_variant(grid: Grid, name: str, value: Any) -> list[Problem]:
    path: KeyPath = ("axes", name)
    if name == "init.sigma_w":
        return [Problem(path, "the initialization scale is the axis 'sigma_w'")]
    try:
        trainable_of(grid, ((name, value),))
    except (KeyError, TypeError):
        known = [*NAMED_AXES, *_keys(grid.trainable)]
        return [Problem(path, f"no such axis; {suggest(name, known)}")]
    except ValidationError as error:
        return [Problem(path, f"{_show(value)} is not allowed: {_wording(error.errors()[0])}")]
    return []


def _keys(section: Section) -> list[str]:
    keys = []
    for name in type(section).model_fields:
        inner = getattr(section, name)
        keys += [f"{name}.{k}" for k in _keys(inner)] if isinstance(inner, Section) else [name]
    return keys


def _input_error(document: Document, problems: Sequence[Problem]) -> InputError:
    return InputError("\n".join(f"{document.where(p.path)}: {p.text}." for p in problems))


def _validation_problems(error: ValidationError) -> list[Problem]:
    """One problem a key: a key that allows several forms (``full`` or a count) fails each of them, said together."""
    forms: dict[KeyPath, list[ErrorDetails]] = {}
    for detail in error.errors():
        forms.setdefault(tuple(part for part in detail["loc"] if _in_data(part)), []).append(detail)
    inside = {path[:-1] for path in forms}  # a section was meant: then only what is wrong inside it helps
    return [_problem(path, details) for path, details in forms.items() if path not in inside or not path]


def _problem(path: KeyPath, details: Sequence[ErrorDetails]) -> Problem:
    first = details[0]
    if first["type"] == "extra_forbidden":
        return Problem(path, f"unknown key; {suggest(str(path[-1]), _allowed_keys(path))}")
    if first["type"] == "missing":
        return Problem(path, "is missing; it has no default")
    given = "" if isinstance(first["input"], dict) else f"{_show(first['input'])} is not allowed: "
    return Problem(path, given + ", or ".join(dict.fromkeys(map(_wording, details))))


def _in_data(part: str | int) -> bool:
    """Pydantic puts the names of union branches into its key paths; the user never wrote those."""
    return isinstance(part, int) or "." in part or (part.isidentifier() and part not in {"Steps", "constrained"})


def _allowed_keys(path: KeyPath) -> list[str]:
    section: Any = Grid
    for part in path[:-1]:
        if isinstance(part, str):
            section = _section_of(section.model_fields[part].annotation)
    return list(section.model_fields)


def _section_of(annotation: Any) -> Any:
    """The section class inside ``X``, ``X | None`` or ``tuple[X, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    found = [_section_of(inner) for inner in getattr(annotation, "__args__", ())]
    return next((section for section in found if section is not None), None)


_WORDINGS = {
    "greater_than": "it must be > {gt}",
    "greater_than_equal": "it must be >= {ge}",
    "less_than": "it must be < {lt}",
    "less_than_equal": "it must be <= {le}",
    "finite_number": "it must be a finite number",
    "float_type": "it must be a number",
    "int_type": "it must be an integer",
    "int_from_float": "it must be an integer",
    "bool_type": "it must be true or false",
    "string_type": "it must be text",
    "literal_error": "it must be {expected}",
    "tuple_type": "it must be a list",
    "model_type": "it must be a section with keys",
    "model_attributes_type": "it must be a section with keys",
    "dict_type": "it must be a section with keys",
    "string_pattern_mismatch": (
        "a name has letters, digits, '.', '_' and '-' only, starts with a letter or digit and has at most 100 "
        "characters, since it becomes a folder"
    ),
}


def _wording(detail: ErrorDetails) -> str:
    context = {k: f"{v:g}" if isinstance(v, float) else v for k, v in detail.get("ctx", {}).items()}
    if detail["type"] == "value_error":
        return str(context["error"])
    wording = _WORDINGS.get(detail["type"])
    return wording.format(**context) if wording else detail["msg"][0].lower() + detail["msg"][1:]


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return "a list"
    return "a section" if isinstance(value, dict) else f"the value {_show(value)}"


def _show(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": ".inf", "-inf": "-.inf"}.get(str(value), ".nan")
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
