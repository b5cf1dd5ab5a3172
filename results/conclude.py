"""How a sweep stands: its points accounted for, and what they hold analyzed. Needs nothing that trains."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from results.store.commits import PointEnd
from results.store.ledger import read_ledger
from results.store.plan_file import read_grid, read_plan
from results.store.schema import COLUMNS
from results.store.sweep_dir import SweepDir
from results.store.tables import read_rows, row_columns, write_points
from search_spaces.outcome import Outcome
from search_spaces.points import axis_text, further_axes, make_points, values_elsewhere

if TYPE_CHECKING:
    from results.analyze import Analysis

ANALYSIS = "results.analyze"  # matplotlib and scipy take 1.4 s to import: done while workers train


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """How a sweep stands after a run.

    Attributes:
        ends: of the sweep's points, by point id.
        missing: planned points without an end.
    """

    ends: Mapping[str, PointEnd]
    missing: int
    analysis: "Analysis"

    @property
    def outcomes(self) -> Counter[Outcome]:
        """Number of points of each outcome."""
        return Counter(end.outcome for end in self.ends.values())


def conclude(directory: SweepDir) -> SweepResult:
    """SweepResult for every planned point, then analyze what there is."""
    file = read_plan(directory)
    ends = read_ledger(directory, file.pack_points)
    text = {name for name, is_text in further_axes(file.points.values()).items() if is_text}
    grid = read_grid(directory)
    elsewhere = values_elsewhere(grid, file.points.values())
    axes: dict[str, Mapping[str, object]] = {
        id_: elsewhere
        | {name: axis_text(v) if name in text else v for name, v in p.axes().items()}
        | {"budget": p.budget}
        for id_, p in file.points.items()
    }
    if lost := ends.keys() - axes.keys():  # with an earlier plan
        axes |= _axes_of_rows(directory, lost)
        ends = {id_: end for id_, end in ends.items() if id_ in axes}
    write_points(directory, axes, ends)
    missing = sum(p.id not in ends for p in make_points(grid))
    return SweepResult(ends=ends, missing=missing, analysis=import_module(ANALYSIS).analyze(directory, grid))


def _axes_of_rows(directory: SweepDir, points: Collection[str]) -> dict[str, Mapping[str, object]]:
    """Axes and budget of points that no plan knows, as their rows have them."""
    further = [name for name in row_columns(directory) if name not in {column.name for column in COLUMNS}]
    rows = read_rows(directory, ["point", "eta", "lam", "mu", "seed", "budget", *further]).astype({"point": str})
    first = rows[rows["point"].isin(points)].drop_duplicates("point").to_dict("records")
    return {str(row["point"]): {str(k): v for k, v in row.items() if k != "point"} for row in first}
