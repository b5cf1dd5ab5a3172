"""The end of a run: every point accounted for, and the sweep analyzed. Needs nothing that trains."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.store.commits import PointEnd
from results.store.generation import ResultWriter
from results.store.plan_file import PlanFile
from results.store.state import SweepState
from results.store.tables import read_rows, write_points
from search_spaces.outcome import Outcome
from search_spaces.points import axis_text, default_axis_values, further_axes, make_points
from search_spaces.sections.grid import Grid

if TYPE_CHECKING:
    import pandas as pd

    from results.analyze import Analysis


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """A sweep after a run: how its points ended, and what the analysis found.

    Attributes:
        ends: point id to its end.
        missing: number of planned points without an end.
        complete: whether every point has ended, and no pack was given up.
        analysis: tables, fits and verdicts.
        superseded: whether another process has analyzed later parts meanwhile. Then its files were left as they are.
    """

    ends: Mapping[str, PointEnd]
    missing: int
    complete: bool
    analysis: "Analysis"
    superseded: bool = False

    @property
    def outcomes(self) -> Counter[Outcome]:
        """Number of points of each outcome."""
        return Counter(end.outcome for end in self.ends.values())


def conclude(state: SweepState, *, report: bool = True) -> SweepResult:
    """Account for every planned point, then analyze what there is.

    If another process has analyzed later parts of the sweep meanwhile, its files stay as they are.

    Args:
        state: the sweep.
        report: whether to draw figures and report too.

    Raises:
        InputError: no sweep lies there, or a file of it is damaged.
    """
    from results.analyze import analyze  # noqa: PLC0415 - matplotlib and scipy take 1.4 s to import

    files = ResultWriter(state.directory, state.generation)
    points, ends = store_points(state, files)
    missing = sum(point.id not in ends for point in make_points(state.required_grid()))
    analysis = analyze(state, points, files, report=report)
    return SweepResult(
        ends=ends,
        missing=missing,
        complete=missing == 0 and not state.given_up,
        analysis=analysis,
        superseded=files.gave_way,
    )


def store_points(state: SweepState, files: ResultWriter) -> tuple["pd.DataFrame", Mapping[str, PointEnd]]:
    """Write the table of the points that have ended.

    Args:
        state: the sweep.
        files: writes the table.

    Returns:
        The table, and point id to its end.

    Raises:
        InputError: no sweep lies there, or a file of it is damaged.
    """
    plan, grid = state.required_plan(), state.required_grid()
    state.refuse_unknown_ends()
    ends = dict(state.ledger)
    axes = _axes_of_plan(grid, plan)
    if lost := ends.keys() - axes.keys():  # with an earlier plan
        axes |= _axes_of_rows(state, lost)
        ends = {id_: end for id_, end in ends.items() if id_ in axes}
    return write_points(state.directory, axes, ends, files.write_table), ends


def _axes_of_plan(grid: Grid, plan: PlanFile) -> dict[str, Mapping[str, object]]:
    """Axes and budget of the planned points, by point id."""
    points = plan.points.values()
    text = {name for name, is_text in further_axes(points).items() if is_text}
    elsewhere = default_axis_values(grid, points)
    return {
        point.id: elsewhere
        | {name: axis_text(value) if name in text else value for name, value in point.axes().items()}
        | {"budget": point.budget}
        for point in points
    }


def _axes_of_rows(state: SweepState, points: Collection[str]) -> dict[str, Mapping[str, object]]:
    """Axes and budget of points that no plan knows, as their rows have them."""
    columns = ["point", "eta", "lam", "mu", "seed", "budget", *state.further_columns]
    rows = read_rows(state.directory, columns).astype({"point": str})
    first = rows[rows["point"].isin(points)].drop_duplicates("point").to_dict("records")
    return {str(row["point"]): {str(k): v for k, v in row.items() if k != "point"} for row in first}
