"""Extensions of a grid: values added to one axis, with the points that they make and the cost of these."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
import pandas as pd

from results.analysis.segments import floats
from results.analysis.selection import in_law, learned, top_accuracy
from results.claims.accuracy import WELL_LEARNED_SHARE
from results.claims.verdict import Lack
from search_spaces.laws.budget import budget_epochs, kept_cells
from search_spaces.points import MAX_POINTS, count_points
from search_spaces.sections.grid import Grid
from search_spaces.sections.section import MAX_EPOCHS, AxisValue

__all__ = ["Cells", "Extension", "extensions"]

MAX_NEW_SEEDS = 16
MAX_NEW_LAMS = 4  # below the smallest of the grid
BUDGET_FACTOR = 3.0  # from one budget of the analysis to the next
DEFAULT_RATIO = 10**0.5  # between the values of an axis that has only one
Cells = Mapping[tuple[float, float], int]  # (η, λ) to the number of points there


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """Values added to one axis of a grid, or to the budgets of its analysis.

    Attributes:
        lack: kind of points that it adds.
        grid: the grid with the new values.
        values: the new values, in order.
        cells: number of new points at each η and λ.
        epochs: epochs that these train, summed over points.
    """

    lack: Lack
    grid: Grid
    values: tuple[AxisValue, ...]
    cells: Cells
    epochs: float

    @property
    def points(self) -> int:
        """Number of the new points."""
        return sum(self.cells.values())

    @property
    def setting(self) -> str:
        """The extension as ``--set`` takes it: the whole axis, with the new values."""
        if self.lack == "budgets":
            return f"analysis.budgets={_listed(self.grid.analysis.budgets)}"
        axis = _AXES[self.lack]
        return f"axes.{axis}={_listed(self.grid.axes[axis])}"


_AXES: dict[Lack, str] = {
    "seeds": "seed",
    "smaller_lam": "lam",
    "larger_lam": "lam",
    "finer_lam": "lam",
    "eta": "eta",
}


def _listed(values: Iterable[AxisValue]) -> str:
    return f"[{','.join(f'{v:.6g}' if isinstance(v, float) else str(v) for v in values)}]"


def extensions(grid: Grid, peaks: pd.DataFrame, lack: Lack) -> Iterator[Extension]:
    """Yield the extensions of a grid that add points of one kind, the smaller ones first.

    Extensions by "longer" budgets do not exist: a point's budget is part of it, so longer runs are another sweep.

    Args:
        grid: the grid of the sweep.
        peaks: of ``find_peaks`` on its points.
        lack: kind of points.
    """
    if lack == "budgets":
        if budgets := _new_budgets(grid, peaks):
            yield _with_budgets(grid, budgets)
        return
    for values in _new_values(lack, grid, peaks):
        axis = _AXES[lack]
        old = grid.axes.get(axis, (0,))  # only seed may be absent
        added = grid.model_copy(update={"axes": grid.axes | {axis: values}})
        longer = grid.model_copy(update={"axes": grid.axes | {axis: (*old, *values)}})
        cells, epochs = _cost(added)
        if cells and epochs < np.inf and count_points(longer) <= MAX_POINTS:
            yield Extension(lack=lack, grid=longer, values=values, cells=cells, epochs=epochs)


def _cost(grid: Grid) -> tuple[Cells, float]:
    """Return the number of points of a grid at each η and λ, and their epochs; infinite if a budget is too long."""
    kept = Counter(kept_cells(grid))
    each = count_points(grid) // (len(grid.axes["eta"]) * len(grid.axes["lam"]))
    budgets = {cell: budget_epochs(grid.budget, *cell) or np.inf for cell in kept}
    epochs = sum(each * budget if budget <= MAX_EPOCHS else np.inf for budget in budgets.values())
    return dict.fromkeys(kept, each), epochs


def _new_values(lack: Lack, grid: Grid, peaks: pd.DataFrame) -> Iterator[tuple[AxisValue, ...]]:
    """Yield the values that could be added to the axis of a lack, the smaller additions first."""
    if lack == "seeds":
        first = 1 + max(int(seed) for seed in grid.axes.get("seed", (0,)))
        yield from (tuple(range(first, first + n)) for n in range(1, MAX_NEW_SEEDS + 1))
        return
    values = _positive(grid, "eta" if lack == "eta" else "lam")
    if not values:
        return
    ratio = _ratio(values)
    if lack == "smaller_lam":
        smaller = [_rounded(values[0] / ratio**k) for k in range(1, MAX_NEW_LAMS + 1)]
        yield from accumulate(((value,) for value in smaller), lambda before, value: before + value)
    elif lack == "larger_lam":  # one alone: some larger λ keeps every network from learning
        if (floats(peaks[in_law(peaks)], "lam") == values[-1]).any():
            yield (_rounded(values[-1] * ratio),)
    elif lack == "eta":
        if _learns_well(peaks, values[-1]):
            yield (_rounded(values[-1] * ratio),)
        yield (_rounded(values[0] / ratio),)
    if lack in {"finer_lam", "eta"} and len(values) > 1:
        yield _between(values)


def _positive(grid: Grid, axis: str) -> list[float]:
    return sorted(float(value) for value in grid.axes[axis] if isinstance(value, float | int) and value > 0)


def _ratio(values: Sequence[float]) -> float:
    """Return the usual ratio between neighbors of ascending values."""
    return float(np.median(np.divide(values[1:], values[:-1]))) if len(values) > 1 else DEFAULT_RATIO


def _between(values: Sequence[float]) -> tuple[float, ...]:
    """Return the geometric means of neighbors."""
    return tuple(_rounded(float(np.sqrt(low * high))) for low, high in pairwise(values))


def _rounded(value: float) -> float:
    """Round to six digits, as the values of a range in a grid are: tables stay readable."""
    return float(f"{value:.6g}")


def _learns_well(peaks: pd.DataFrame, eta: float) -> bool:
    """Return whether no point of an η diverged, and its best is near that of the sweep: a larger η may learn."""
    here = peaks[floats(peaks, "eta") == eta]
    diverged = bool(here["outcome"].eq("diverged").any())
    if "learned" in peaks:  # judged by another metric than the accuracy
        return not diverged and bool(learned(here).any())
    return not diverged and top_accuracy(here) >= WELL_LEARNED_SHARE * top_accuracy(peaks)


def _new_budgets(grid: Grid, peaks: pd.DataFrame) -> tuple[float, ...]:
    """Return budgets that the sweep's runs reach and in whose tenth some t* was observed."""
    observed = peaks[~peaks["censored"].to_numpy(dtype=np.bool_) & (floats(peaks, "t_star") > 0)]
    if observed.empty:
        return ()
    first, last = 10 * float(floats(observed, "t_star").min()), float(np.nanmax(floats(peaks, "last_epoch")))
    steps = int(np.floor(np.log(max(last / first, 1e-300)) / np.log(BUDGET_FACTOR)))
    budgets = [_rounded(float(f"{first * BUDGET_FACTOR**k:.2g}")) for k in range(steps + 1)]
    return tuple(budget for budget in budgets if budget <= last and budget not in grid.analysis.budgets)


def _with_budgets(grid: Grid, budgets: tuple[float, ...]) -> Extension:
    analysis = grid.analysis.model_copy(update={"budgets": (*grid.analysis.budgets, *budgets)})
    longer = grid.model_copy(update={"analysis": analysis})
    return Extension(lack="budgets", grid=longer, values=budgets, cells={}, epochs=0.0)
