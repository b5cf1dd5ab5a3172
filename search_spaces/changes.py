"""May a new grid continue a sweep that was started with an old one?"""

from collections.abc import Mapping, Sequence

from search_spaces.grid import Grid
from search_spaces.points import Point, make_points
from search_spaces.yaml_text import dotted

# What decides the rows of every point. Axes may grow and the analysis may change; these may not.
FIXED_SECTIONS = ("trainable", "optimizer", "measure")
_SHOWN = 5


def conflicts(old: Grid, new: Grid) -> list[str]:
    """Differences that would alter points which the sweep already holds, one line each; empty if ``new`` continues it.

    A point that stands in both grids (the same coordinates) must have the same content: the same trainable,
    optimizer and measurement, and the same budget.
    """
    lines = []
    for section in FIXED_SECTIONS:
        before, after = getattr(old, section).model_dump(), getattr(new, section).model_dump()
        lines += _differences((section,), before, after)
    return lines or _budget_conflicts(make_points(old), make_points(new))


def _differences(path: tuple[str, ...], old: object, new: object) -> list[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = dict.fromkeys([*old, *new])
        return [line for k in keys for line in _differences((*path, k), old.get(k), new.get(k))]
    return [] if old == new else [f"{dotted(path)}: {old} → {new}"]


def _budget_conflicts(old: Sequence[Point], new: Sequence[Point]) -> list[str]:
    before = {tuple(sorted(p.axes().items())): p.budget for p in old}
    changed = []
    for point in new:
        budget = before.get(tuple(sorted(point.axes().items())), point.budget)
        if budget != point.budget:
            changed.append(f"budget of eta {point.eta:g}, lam {point.lam:g}: {budget:g} → {point.budget:g} epochs")
    more = [f"… and {len(changed) - _SHOWN:,} more budgets"] if len(changed) > _SHOWN else []
    return changed[:_SHOWN] + more
