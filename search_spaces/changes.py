"""May a new grid continue a sweep that was started with an old one?"""

from collections.abc import Iterable, Mapping, Sequence

from search_spaces.axes import NAMED_AXES
from search_spaces.points import Point, make_points
from search_spaces.recipe import SECTIONS, value_at, without_data_location
from search_spaces.sections.grid import Grid
from search_spaces.sections.section import AxisValue
from search_spaces.yaml_text import dotted, show

_MAX_BUDGETS_SHOWN = 5


def conflicts(old: Grid, new: Grid, points: Sequence[Point], known: Iterable[Point] = ()) -> list[str]:
    """Differences that would alter points which the sweep already holds, one line each; empty if ``new`` continues it.

    A point that stands in both grids (the same coordinates) must have the same content: the same trainable,
    optimizer and measurement, and the same budget. So must one among the ``known`` points, which the sweep has from
    grids before ``old``, whose axes may have been longer. ``points`` are those of ``new``.
    """
    lines = []
    for section in SECTIONS:  # axes may grow and the analysis may change; these may not
        before, after = (grid.model_dump(include={section})[section] for grid in (old, new))
        if section == "trainable":
            before, after = without_data_location(before), without_data_location(after)
        lines += _differences((section,), before, after)
    return lines or _budget_conflicts(old, new, points, known)


def _differences(path: tuple[str, ...], old: object, new: object) -> list[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = dict.fromkeys([*old, *new])
        return [line for k in keys for line in _differences((*path, k), old.get(k), new.get(k))]
    return [] if old == new else [f"{dotted(path)}: {_format(old)} → {_format(new)}"]


def _format(value: object) -> str:
    """As in the grid; of a section that only one of them has, its kind says most."""
    if isinstance(value, Mapping) and "name" in value:
        return f"{{name: {value['name']}, …}}"
    return value if isinstance(value, str) else show(value)


def _budget_conflicts(old: Grid, new: Grid, points: Sequence[Point], known: Iterable[Point]) -> list[str]:
    same, ids = (old.axes, old.budget) == (new.axes, new.budget), {p.id for p in points}
    held = [p for p in (*known, *(() if same else make_points(old))) if p.id not in ids]  # of an id is one content
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
    values = point.axes()
    return tuple(values[n] if n in values else value_at(grid, n) for n in (*NAMED_AXES, *names))
