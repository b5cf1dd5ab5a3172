"""Tables of one or more sweeps that a figure of the paper is drawn from, and requirements on them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.analysis.budgets import usual_budgets, within_budget
from results.analysis.peaks import find_peaks
from results.analysis.regime import regime_of
from results.analysis.segments import extra_axes
from results.analysis.selection import in_law
from results.store.schema import COLUMNS
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points, read_rows, row_columns
from search_spaces.errors import InputError, suggest
from search_spaces.sections.grid import Grid
from search_spaces.sections.trainable import KernelTrainable

_ROW_COLUMNS = (
    *("point", "seed", "eta", "lam", "mu", "budget", "step", "epoch", "decay_time", "lam_t"),
    *("train_acc", "test_acc", "train_loss", "test_loss"),
)


class RequirementError(Exception):
    """A requirement of a figure that sweeps do not meet, written as the end of a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Tables of one or more sweeps, each with a column ``sweep``.

    Attributes:
        sweeps: One row a sweep, in the order given. Columns: ``sweep``; ``auto``, whether λ falls by AutoL2;
            ``schedule`` of η; ``homogeneity``, the degree k of a sweep of the theory, NaN of an experiment; ``trains``,
            the network and data in words.
        rows: Measurements, with columns of ``results.store.schema`` and further axes.
        peaks: Peaks of ``results.analysis.peaks.find_peaks``, with ``in_law`` of ``results.analysis.selection``.
        within: Accuracies of ``results.analysis.budgets.within_budget``.
        eta: η of the panels that show only one; None lets them choose.
    """

    sweeps: pd.DataFrame
    rows: pd.DataFrame
    peaks: pd.DataFrame
    within: pd.DataFrame
    eta: float | None = None

    @property
    def names(self) -> list[str]:
        """Names of the sweeps, in the order given."""
        return [str(name) for name in self.sweeps["sweep"]]

    def of_sweep(self, sweep: str) -> "Tables":
        """Return the tables of one sweep."""
        parts = {name: getattr(self, name) for name in ("sweeps", "rows", "peaks", "within")}
        return Tables(**{name: table[table["sweep"] == sweep] for name, table in parts.items()}, eta=self.eta)


_EMPTY = pd.DataFrame({"sweep": []})
NO_SWEEPS = Tables(sweeps=_EMPTY, rows=_EMPTY, peaks=_EMPTY, within=_EMPTY)  # for figures of theory alone


def read_tables(
    sweeps: Sequence[tuple[SweepDir, Grid]], only: Mapping[str, str] | None = None, eta: float | None = None
) -> Tables:
    """Read the tables of sweeps from their rows and points.

    Args:
        sweeps: Directories with their grids, which hold tolerance and budgets.
        only: Value of the points to keep, by axis.
        eta: η of the panels that show only one.

    Raises:
        InputError: A directory has no finished sweep, or no sweep has an axis or a value of ``only``.
    """
    names = _number_duplicates([directory.name for directory, _ in sweeps])
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in ("sweeps", "rows", "peaks", "within")}
    for name, (directory, grid) in zip(names, sweeps, strict=True):
        for table, part in _read_sweep(directory, grid, only or {}).items():
            parts[table].append(part.assign(sweep=name))
    joined = {name: pd.concat(tables, ignore_index=True) for name, tables in parts.items()}
    if only and joined["peaks"].empty:
        raise InputError(f"--only {_format_filter(only)}: no point of {', '.join(names)} has that value.")
    return Tables(**joined, eta=eta)


def _read_sweep(directory: SweepDir, grid: Grid, only: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """Read the tables of one sweep.

    Args:
        directory: Directory of the sweep.
        grid: Its grid.
        only: Value of the points to keep, by axis.

    Raises:
        InputError: The sweep lacks an axis of ``only``.
    """
    points = _filter_points(read_points(directory), only)
    further = [name for name in row_columns(directory) if name not in {c.name for c in COLUMNS}]
    rows = read_rows(directory, [*_ROW_COLUMNS, *further])
    rows = rows[rows["point"].isin(points["point"])]
    peaks = find_peaks(rows, points, grid.analysis.tolerance)
    trainable, regime = grid.trainable, regime_of(grid)
    budgets = grid.analysis.budgets or usual_budgets(points, regime)
    facts = {
        "auto": grid.l2.auto is not None,
        "schedule": grid.schedule.name,
        "homogeneity": _homogeneity_degree(trainable) if isinstance(trainable, KernelTrainable) else np.nan,
        "trains": trainable.title,
    }
    return {
        "sweeps": pd.DataFrame([facts]),
        "rows": rows,
        "peaks": peaks.assign(in_law=in_law(peaks)),
        "within": within_budget(rows, budgets, grid.analysis.tolerance, regime),
    }


def _homogeneity_degree(trainable: KernelTrainable) -> float:
    """Return the degree k of homogeneity; a kernel of d hidden layers has d + 1, unless the grid says otherwise."""
    if trainable.homogeneity != "measured":
        return float(trainable.homogeneity)
    network = trainable.kernel if trainable.kernel.name == "relu" else trainable.kernel.model
    return float(getattr(network, "depth", np.nan)) + 1.0


def _filter_points(points: pd.DataFrame, only: Mapping[str, str]) -> pd.DataFrame:
    """Return the points that have the given value on each axis; values are compared as text, or as numbers.

    Raises:
        InputError: The sweep has no such axis.
    """
    for name, text in only.items():
        axes = ["seed", "eta", "lam", "mu", *extra_axes(points)]
        axes = [axis for axis in axes if axis in points and axis not in {"best_test_acc", "kappa"}]
        if name not in axes:
            raise InputError(f"--only {name}={text}: the sweep has no such axis; {suggest(name, axes)}.")
        values = points[name]
        points = points[[str(v) == text or _as_float(v) == _as_float(text) for v in values]]
    return points


def _as_float(value: object) -> float:
    """Return a value as a number; NaN, which equals nothing, if it is none."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def _format_filter(only: Mapping[str, str]) -> str:
    """Return the filter as it was typed."""
    return " ".join(f"{key}={value}" for key, value in only.items())


def _number_duplicates(names: Sequence[str]) -> list[str]:
    """Return names, numbered where several sweeps share one."""
    return [n if names.count(n) == 1 else f"{n} ({names[: k + 1].count(n)})" for k, n in enumerate(names)]


def require_columns(table: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    """Refuse a table that lacks a column or holds nothing in it.

    Args:
        table: The table.
        columns: Names of the columns.
        what: Name of the table in the message.

    Raises:
        RequirementError: Columns are missing; the message names them.
    """
    missing = [name for name in columns if name not in table.columns or not bool(table[name].notna().any())]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        raise RequirementError(f"values in the column{plural} {', '.join(missing)} of the {what}")


def require_one_setting(peaks: pd.DataFrame, besides: Iterable[str] = ()) -> None:
    """Refuse points that differ in more than η, λ, seed and budget, since their means would mix different settings.

    Raises:
        RequirementError: An axis has several values; the message names them.
    """
    ignored = {"in_law", "sweep", *besides}
    for name in (axis for axis in ("mu", *extra_axes(peaks)) if axis not in ignored):
        values = sorted(peaks[name].dropna().unique()) if name in peaks else []
        if len(values) > 1:
            listed = ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
            raise RequirementError(f"one value of {name}, but there are {listed}; choose with --only {name}=VALUE")


def choose_eta(table: pd.DataFrame, eta: float | None) -> float:
    """Return η of a panel that shows only one: the η asked for, or that of most rows, the middle one of several.

    Raises:
        RequirementError: The table is empty, or lacks the η asked for.
    """
    count = table["eta"].value_counts().sort_index()
    if eta is not None and not np.isclose(count.index, eta, rtol=1e-9).any():
        raise RequirementError(f"points of η = {eta:g}; there are η = {', '.join(f'{e:g}' for e in count.index)}")
    if count.empty:
        raise RequirementError("a point with a measurement")
    fullest = count.index[count == count.max()] if eta is None else count.index[np.isclose(count.index, eta, rtol=1e-9)]
    return float(fullest[(len(fullest) - 1) // 2])


def rows_at_eta(table: pd.DataFrame, eta: float) -> pd.DataFrame:
    """Return the rows of one η."""
    chosen: pd.DataFrame = table[np.isclose(table["eta"].to_numpy(dtype=float), eta, rtol=1e-9)]
    return chosen
