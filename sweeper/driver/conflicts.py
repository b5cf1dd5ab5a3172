"""Grids that would alter a sweep are refused."""

from collections.abc import Sequence

from results.store.plan_file import PlanFile, earlier_plan, read_grid
from results.store.sweep_dir import SweepDir
from search_spaces.changes import conflicts
from search_spaces.errors import InputError
from search_spaces.points import Point, ids_in
from search_spaces.sections.grid import Grid

RESERVED = ("mlartifacts", "mlflow.db")  # beside the sweeps


def refuse_conflicts(directory: SweepDir, grid: Grid, points: Sequence[Point]) -> None:
    """Refuse a grid that would alter points which the sweep holds already, and names that are taken."""
    if grid.name in RESERVED:
        raise InputError(f"name: {grid.name} is where MLflow keeps its own files; give the sweep another name.")
    earlier = earlier_plan(directory)
    if not directory.grid.is_file():
        _refuse_other_points(directory, grid, earlier)
        return
    if lines := conflicts(read_grid(directory), grid, points, earlier.points.values() if earlier else ()):
        raise InputError(
            f"{directory.root}: this sweep was made with another grid, and this one would alter its points:\n  "
            + "\n  ".join(lines)
            + f"\nGive it a name of its own (--name {grid.name}-2) or change the grid back; axes may grow and the "
            "analysis may change at any time."
        )


def _refuse_other_points(directory: SweepDir, grid: Grid, earlier: PlanFile | None) -> None:
    """Where grid.yaml is lost, the ids of the points planned say whether this grid is theirs."""
    points = list(earlier.points.values()) if earlier else []
    try:
        known = [p.id for p in points] == list(ids_in(grid, points))
    except InputError:
        known = False
    if not known:
        raise InputError(
            f"{directory.root}: the grid.yaml of this sweep is lost, and this grid is not the one that its points are "
            f"of. Run that one, or give this one a name of its own (--name {grid.name}-2)."
        )
