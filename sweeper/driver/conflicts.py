"""Refusal of grids that would alter the points of a sweep."""

from collections.abc import Sequence

from results.store.plan_file import PlanFile
from results.store.state import SweepState
from search_spaces.changes import conflicts
from search_spaces.errors import InputError
from search_spaces.points import Point, ids_in
from search_spaces.sections.grid import Grid

RESERVED = ("mlartifacts", "mlflow.db")  # names that MLflow uses beside the sweeps


def refuse_conflicts(grid: Grid, points: Sequence[Point], state: SweepState) -> None:
    """Refuse a grid that would alter points which the sweep holds already, and reserved names.

    Args:
        grid: the grid to run.
        points: all points of the grid.
        state: what the sweep holds.

    Raises:
        InputError: the name is reserved, or the grid contradicts the sweep; the message lists the differences.
    """
    if grid.name in RESERVED:
        raise InputError(f"name: {grid.name} is where MLflow keeps its own files; give the sweep another name.")
    root, planned = state.directory.root, state.plan.points.values() if state.plan else ()
    if state.versions[state.directory.grid] is None:
        _refuse_other_points(grid, state.plan, str(root))
    elif lines := conflicts(state.required_grid(), grid, points, planned):
        raise InputError(
            f"{root}: this sweep was made with another grid, and this one would alter its points:\n  "
            + "\n  ".join(lines)
            + f"\nGive it a name of its own (--name {grid.name}-2) or change the grid back; axes may grow and the "
            "analysis may change at any time."
        )


def _refuse_other_points(grid: Grid, plan: PlanFile | None, root: str) -> None:
    """Where grid.yaml is lost, compare the ids of the planned points with those that the grid gives them."""
    points = list(plan.points.values()) if plan else []
    try:
        known = [point.id for point in points] == list(ids_in(grid, points))
    except InputError:
        known = False
    if not known:
        raise InputError(
            f"{root}: the grid.yaml of this sweep is lost, and this grid is not the one that its points are "
            f"of. Run that one, or give this one a name of its own (--name {grid.name}-2)."
        )
