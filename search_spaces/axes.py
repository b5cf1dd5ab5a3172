"""Axes: from what the grid says (numbers, ``{log: [low, high], num: n}``) to the values of each axis."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from search_spaces.grid import AxisValue
from search_spaces.yaml_text import KeyPath, Value

MAX_VALUES = 100_000


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a grid: where, and what is allowed instead."""

    path: KeyPath
    text: str


@dataclass(frozen=True, slots=True)
class _Kind:
    allowed: Callable[[float], bool]
    wording: str
    integer: bool = False


NAMED_AXES: dict[str, _Kind] = {
    "eta": _Kind(lambda v: v > 0, "a learning rate is a finite number > 0"),
    "lam": _Kind(lambda v: v >= 0, "an L2 coefficient is a finite number >= 0"),
    "mu": _Kind(lambda v: 0 <= v < 1, "a momentum is a number >= 0 and < 1"),
    "sigma_w": _Kind(lambda v: v > 0, "an initialization scale is a finite number > 0"),
    "seed": _Kind(lambda v: 0 <= v < 2**63, "a seed is an integer >= 0 and < 2^63", integer=True),
}


def expand_axis(name: str, raw: Value) -> tuple[tuple[AxisValue, ...], list[Problem]]:
    """The values of one axis in the order given, and what is wrong with them.

    Args:
        name: axis name; one of ``NAMED_AXES`` or a dotted key of ``trainable``.
        raw: a list of values and ``{log: [low, high], num: n}`` ranges, or one such range.
    """
    path: KeyPath = ("axes", name)
    items = [raw] if isinstance(raw, dict) else raw
    if not isinstance(items, list):
        return (), [Problem(path, f"{_show(raw)} is not a list; write [{_show(raw)}] for one value")]
    if not items:
        return (), [Problem(path, "an empty list leaves no points; give at least one value")]
    values: list[AxisValue] = []
    problems: list[Problem] = []
    for i, item in enumerate(items):
        at = path if isinstance(raw, dict) else (*path, i)
        new, problem = _range(at, item) if isinstance(item, dict) else _single(at, name, item)
        values += new
        problems += problem
    problems += [] if problems else _check_named(path, name, values)
    return tuple(values), problems


def _single(path: KeyPath, name: str, item: Value) -> tuple[list[AxisValue], list[Problem]]:
    kind = NAMED_AXES.get(name)
    if kind is None:
        plain = isinstance(item, (int, float, str))
        return ([item], []) if plain else ([], [Problem(path, f"{_show(item)} is not a number or a word")])  # type: ignore[list-item]
    number = isinstance(item, (int, float)) and not isinstance(item, bool)
    if not number or not math.isfinite(item) or not kind.allowed(item):  # type: ignore[arg-type]
        return [], [Problem(path, f"{_show(item)} is not allowed: {kind.wording}")]
    if kind.integer and not isinstance(item, int):
        return [], [Problem(path, f"{_show(item)} is not allowed: {kind.wording}")]
    return [item if kind.integer else float(item)], []  # type: ignore[arg-type,list-item]


def _range(path: KeyPath, item: dict[str, Value]) -> tuple[list[AxisValue], list[Problem]]:
    shape = "a range is written {log: [low, high], num: n} with 0 < low < high and n >= 2"
    if set(item) != {"log", "num"}:
        return [], [Problem(path, f"{_show(item)} is not a range: {shape}")]
    ends, num = item["log"], item["num"]
    if not (isinstance(ends, list) and len(ends) == 2 and all(_positive(e) for e in ends)):
        return [], [Problem((*path, "log"), f"{_show(ends)} is not allowed: {shape}")]
    low, high = (float(e) for e in ends)  # type: ignore[arg-type]
    if low >= high:
        return [], [Problem((*path, "log"), f"{_show(ends)} is not allowed: {shape}")]
    if not isinstance(num, int) or isinstance(num, bool) or not 2 <= num <= MAX_VALUES:
        return [], [Problem((*path, "num"), f"{_show(num)} is not allowed: {shape}, n <= {MAX_VALUES:,}")]
    ratio = math.log(high / low) / (num - 1)
    inner = [float(f"{low * math.exp(ratio * i):.6g}") for i in range(1, num - 1)]  # 6 digits: readable ids and tables
    return [low, *inner, high], []


def _check_named(path: KeyPath, name: str, values: list[AxisValue]) -> list[Problem]:
    seen: set[AxisValue] = set()
    twice = sorted({v for v in values if v in seen or seen.add(v)}, key=str)  # type: ignore[func-returns-value]
    if twice:
        return [Problem(path, f"{_show(twice[0])} stands twice; a value is trained once, so name it once")]
    if name == "seed" and not all(isinstance(v, int) for v in values):
        return [Problem(path, "a seed is an integer, so a log range cannot give one; list the seeds")]
    if name == "mu" and any(isinstance(v, float) and v >= 1 for v in values):
        return [Problem(path, NAMED_AXES["mu"].wording)]
    return []


def _positive(value: Value) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0  # type: ignore[arg-type,operator]


def _show(value: object) -> str:
    text = str(value).replace("'", "") if isinstance(value, (list, dict)) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
