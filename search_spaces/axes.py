"""Axes: the entries of a grid (numbers, ``{log: [low, high], num: n}``) are expanded to the values of each axis."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from search_spaces.sections.section import AxisValue
from search_spaces.yaml_text import KeyPath, Value, printable, show

MAX_VALUES = 10_000

_RANGE_FORM = f"a range is written {{log: [low, high], num: n}} with finite 0 < low < high and 2 <= n <= {MAX_VALUES:,}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a grid.

    Attributes:
        path: key path of the problem.
        text: what is wrong, and what is allowed instead.
    """

    path: KeyPath
    text: str


@dataclass(frozen=True, slots=True)
class AxisRule:
    """The values that an axis may have.

    Attributes:
        allowed: whether a finite number is a value of the axis.
        wording: the rule in words, for messages and the JSON Schema.
        integer: whether only integers are values.
    """

    allowed: Callable[[float], bool]
    wording: str
    integer: bool = False


NAMED_AXES: dict[str, AxisRule] = {
    "eta": AxisRule(lambda v: v > 0, "a learning rate is a finite number > 0"),
    "lam": AxisRule(lambda v: v >= 0, "an L2 coefficient is a finite number >= 0"),
    "mu": AxisRule(lambda v: 0 <= v < 1, "a momentum is a number >= 0 and < 1"),
    "sigma_w": AxisRule(lambda v: v > 0, "an initialization scale is a finite number > 0"),
    "seed": AxisRule(lambda v: 0 <= v < 2**63, "a seed is an integer >= 0 and < 2^63", integer=True),
}


def expand_axis(name: str, raw: Value) -> tuple[tuple[AxisValue, ...], list[Problem]]:
    """Return the values of one axis in the order given, and their problems.

    Args:
        name: axis name; one of ``NAMED_AXES`` or a dotted key of a section.
        raw: a list of values and ``{log: [low, high], num: n}`` ranges, or one such range.
    """
    path: KeyPath = ("axes", name)
    items = [raw] if isinstance(raw, dict) else raw
    if items is None:
        return (), [Problem(path, "is empty; give a list of values, or remove the axis")]
    if not isinstance(items, list):
        one = printable(raw) if isinstance(raw, str) else show(raw)
        return (), [Problem(path, f"{show(raw)} is not a list; write [{one}] for one value")]
    if not items:
        return (), [Problem(path, "an empty list leaves no points; give at least one value or remove the axis")]
    values: list[AxisValue] = []
    problems: list[Problem] = []
    for i, item in enumerate(items):
        item_path = path if isinstance(raw, dict) else (*path, i)
        if isinstance(item, dict):
            new_values, new_problems = _expand_range(item_path, item)
        else:
            new_values, new_problems = _check_value(item_path, name, item)
        values += new_values
        problems += new_problems
        if len(values) > MAX_VALUES:
            return (), [Problem(path, f"more than {MAX_VALUES:,} values; list fewer, or split the grid")]
    problems += [] if problems else _check_values(path, name, values)
    return tuple(values), problems


def _check_value(path: KeyPath, name: str, item: Value) -> tuple[list[AxisValue], list[Problem]]:
    """Return a listed item as a value of the axis, or its problem."""
    rule = NAMED_AXES.get(name)
    number = _finite_number(item)
    if rule is None:
        value = item if isinstance(item, str | bool) else number
        wrong = [Problem(path, f"{show(item)} is not a number, a word, true or false")]
        return ([value], []) if value is not None else ([], wrong)
    if number is None or not rule.allowed(number) or (rule.integer and not isinstance(number, int)):
        return [], [Problem(path, f"{show(item)} is not allowed: {rule.wording}{number_hint(item)}")]
    return [number if rule.integer else float(number) + 0.0], []  # + 0.0: there is one zero, not also -0.0


def _expand_range(path: KeyPath, item: dict[str, Value]) -> tuple[list[AxisValue], list[Problem]]:
    """Return the values of a logarithmic range, or its problem."""
    if set(item) != {"log", "num"}:
        return [], [Problem(path, f"{show(item)} is not a range: {_RANGE_FORM}")]
    ends, num = item["log"], item["num"]
    low, high = map(_finite_number, ends) if isinstance(ends, list) and len(ends) == 2 else (None, None)
    if low is None or high is None or not 0 < low < high:
        return [], [Problem((*path, "log"), f"{show(ends)} is not allowed: {_RANGE_FORM}")]
    if not isinstance(num, int) or isinstance(num, bool) or not 2 <= num <= MAX_VALUES:
        return [], [Problem((*path, "num"), f"{show(num)} is not allowed: {_RANGE_FORM}")]
    start, stride = math.log(low), (math.log(high) - math.log(low)) / (num - 1)
    inner = [float(f"{math.exp(start + stride * i):.6g}") for i in range(1, num - 1)]  # 6 digits: readable tables
    values: list[AxisValue] = [float(low), *inner, float(high)]
    if len(set(values)) < num:
        text = f"{num:,} values do not fit between {low} and {high}: inner ones have 6 digits; make num smaller"
        return [], [Problem((*path, "num"), text)]
    return values, []


def _check_values(path: KeyPath, name: str, values: list[AxisValue]) -> list[Problem]:
    """Return a problem of all values of an axis together: repeated ones, and those of ranges that are not allowed."""
    seen: dict[AxisValue, AxisValue] = {}
    for value in values:
        if value in seen and isinstance(value, bool) != isinstance(seen[value], bool):  # true equals 1
            return [Problem(path, f"{show(seen[value])} and {show(value)} count as one value; keep one of them")]
        if value in seen:
            return [Problem(path, f"{show(value)} stands twice; a value is trained once, so name it once")]
        seen[value] = value
    rule = NAMED_AXES.get(name)
    if rule is None:
        return []
    if rule.integer and not all(isinstance(v, int) for v in values):
        return [Problem(path, "a seed is an integer, so a log range cannot give one; list the seeds")]
    wrong = [v for v in values if not isinstance(v, str) and not rule.allowed(v)]  # of ranges
    return [Problem(path, f"{show(wrong[0])} is not allowed: {rule.wording}")] if wrong else []


def _finite_number(value: Value) -> int | float | None:
    """Return the value if it is a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def number_hint(value: object) -> str:
    """Return how to write a text that means a number, as ``; write 16 for the number``; empty for anything else.

    >>> number_hint("1_000"), number_hint("0x10"), number_hint("no"), number_hint(3)
    ('; write 1000 for the number', '; write 16 for the number', '', '')
    """
    if not isinstance(value, str) or len(value) > 30:
        return ""
    readings: tuple[Callable[[str], float], ...] = (lambda t: int(t, 0), float)
    for read in readings:
        try:
            number = read(value)
        except ValueError:
            continue
        return f"; write {number} for the number" if math.isfinite(number) else ""
    return ""
