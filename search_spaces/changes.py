"""Conflicts between the grid of a sweep and a new grid that is to continue it."""

from collections.abc import Iterable, Mapping, Sequence

from search_spaces.axes import NAMED_AXES
from search_spaces.points import Point, make_points
from search_spaces.recipe import SECTIONS, value_at, without_data_location
from search_spaces.sections.grid import Grid
from search_spaces.sections.section import AxisValue
from search_spaces.yaml_text import dotted, show

_MAX_BUDGETS_SHOWN = 5


def conflicts(old: Grid, new: Grid, points: Sequence[Point], known: Iterable[Point] = ()) -> list[str]:
    """Return the differences that would alter points which the sweep already holds.

    A point that stands in both grids, with the same coordinates, must have the same content: the same trainable,
    optimizer, measurement and budget. So must a point of ``known``.

    Args:
        old: grid of the sweep.
        new: grid that is to continue the sweep.
        points: points of ``new``.
        known: points that the sweep has from grids before ``old``, whose axes may have been longer.

    Returns:
        One line for each difference; empty if ``new`` may continue the sweep.
    """
    lines = []
    for section in SECTIONS:  # these must stay; axes may grow and the analysis may change
        if section == "metric" and new.stop == "budget":  # like the analysis, it changes no row
            continue
        before, after = (grid.model_dump(include={section})[section] for grid in (old, new))
        if section == "trainable":
            before, after = without_data_location(before), without_data_location(after)
        lines += _differences((section,), before, after)
    return lines or _budget_conflicts(old, new, points, known)


def trainable_differences(first: Grid, second: Grid) -> list[str]:
    """Return the keys of ``trainable`` in which two grids differ, a line each: model, data, loss, ….

    A key that is an axis of a grid has many values there, so that it is left out.
    """
    sections = [without_data_location(grid.model_dump(include={"trainable"})["trainable"]) for grid in (first, second)]
    axes = tuple(f"trainable.{name}:" for name in {*first.axes, *second.axes})
    return [line for line in _differences(("trainable",), *sections) if not line.startswith(axes)]


def _differences(path: tuple[str, ...], old: object, new: object) -> list[str]:
    """Return the keys at and below ``path`` whose values differ, a line each."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = dict.fromkeys([*old, *new])
        return [line for k in keys for line in _differences((*path, k), old.get(k), new.get(k))]
    return [] if old == new else [f"{dotted(path)}: {_format(old)} → {_format(new)}"]


def _format(value: object) -> str:
    """Return a value as the grid writes it; a section that only one grid has is named by its kind."""
    if isinstance(value, Mapping) and "name" in value:
        return f"{{name: {value['name']}, …}}"
    return value if isinstance(value, str) else show(value)


def _budget_conflicts(old: Grid, new: Grid, points: Sequence[Point], known: Iterable[Point]) -> list[str]:
    """Return the points whose budget would change, a line each; the first lines only, with a count of the others."""
    same, ids = (old.axes, old.budget) == (new.axes, new.budget), {p.id for p in points}
    held = [p for p in (*known, *(() if same else make_points(old))) if p.id not in ids]  # one id, one content
    if not held:
        return []
    # An axis that only one grid has, or had, is a key of a section, equal in both, whose value other points share.
    axes = dict.fromkeys([*old.axes, *new.axes, *(name for p in held for name, _ in p.variant)])
    names = [name for name in axes if name not in NAMED_AXES]
    before = {_coordinates(p, old, names): p.budget for p in held}
    changed = []
    for point in points:
        budget = before.get(_coordinates(point, new, names), point.budget)
        if budget != point.budget:
            changed.append(f"budget of eta {point.eta:g}, lam {point.lam:g}: {budget:g} → {point.budget:g} epochs")
    more = [f"… and {len(changed) - _MAX_BUDGETS_SHOWN:,} more budgets"] if len(changed) > _MAX_BUDGETS_SHOWN else []
    return changed[:_MAX_BUDGETS_SHOWN] + more


def _coordinates(point: Point, grid: Grid, names: Sequence[str]) -> tuple[AxisValue, ...]:
    """Return the values of the named axes and of ``names``; of the grid where the point does not have the axis."""
    values = point.axes()
    return tuple(values[n] if n in values else value_at(grid, n) for n in (*NAMED_AXES, *names))
