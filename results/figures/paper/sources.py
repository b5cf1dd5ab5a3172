"""What a figure of the paper is drawn from: the tables of one or more sweeps, and what it asks of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.analysis.budgets import within_budget
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

_ROWS = (
    *("point", "seed", "eta", "lam", "mu", "budget", "step", "epoch", "decay_time", "lam_t"),
    *("train_acc", "test_acc", "train_loss", "test_loss"),
)


class LackingError(Exception):
    """What a figure needs and a sweep has not, as the end of a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Tables of one or more sweeps, each with a column ``sweep``.

    Attributes:
        sweeps: one row a sweep, in the order given: ``sweep``, ``auto`` (λ falls by AutoL2), ``schedule`` (of η),
            ``homogeneity`` (degree k of a sweep of the theory, NaN of an experiment), ``trains`` (what, in words).
        rows: measurements, columns of ``results.store.schema`` and further axes.
        peaks: of ``results.analysis.peaks.find_peaks``, and ``in_law`` (of ``results.analysis.fits``).
        within: of ``results.analysis.budgets.within_budget``.
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

    def of(self, sweep: str) -> "Tables":
        """One of the sweeps alone."""
        parts = {name: getattr(self, name) for name in ("sweeps", "rows", "peaks", "within")}
        return Tables(**{name: table[table["sweep"] == sweep] for name, table in parts.items()}, eta=self.eta)


_NOTHING = pd.DataFrame({"sweep": []})
NO_SWEEPS = Tables(sweeps=_NOTHING, rows=_NOTHING, peaks=_NOTHING, within=_NOTHING)  # for figures of theory alone


def read_tables(
    sweeps: Sequence[tuple[SweepDir, Grid]], only: Mapping[str, str] | None = None, eta: float | None = None
) -> Tables:
    """The tables of sweeps, from their rows and points.

    Args:
        sweeps: directories with their grids, for tolerance and budgets.
        only: axis to the value of the points to keep.
        eta: η of the panels that show only one.

    Raises:
        InputError: a directory without a finished sweep, or an axis or a value that no sweep has.
    """
    names = _distinct([directory.name for directory, _ in sweeps])
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in ("sweeps", "rows", "peaks", "within")}
    for name, (directory, grid) in zip(names, sweeps, strict=True):
        for table, part in _read(directory, grid, only or {}).items():
            parts[table].append(part.assign(sweep=name))
    joined = {name: pd.concat(tables, ignore_index=True) for name, tables in parts.items()}
    if only and joined["peaks"].empty:
        raise InputError(f"--only {_written(only)}: no point of {', '.join(names)} has that value.")
    return Tables(**joined, eta=eta)


def _read(directory: SweepDir, grid: Grid, only: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    points = _kept(read_points(directory), only)
    further = [name for name in row_columns(directory) if name not in {c.name for c in COLUMNS}]
    rows = read_rows(directory, [*_ROWS, *further])
    rows = rows[rows["point"].isin(points["point"])]
    peaks = find_peaks(rows, points, grid.analysis.tolerance)
    trainable = grid.trainable
    facts = {
        "auto": grid.l2.auto is not None,
        "schedule": grid.schedule.name,
        "homogeneity": _degree(trainable) if isinstance(trainable, KernelTrainable) else np.nan,
        "trains": trainable.title,
    }
    return {
        "sweeps": pd.DataFrame([facts]),
        "rows": rows,
        "peaks": peaks.assign(in_law=in_law(peaks)),
        "within": within_budget(rows, grid.analysis.budgets, grid.analysis.tolerance, regime_of(grid)),
    }


def _degree(trainable: KernelTrainable) -> float:
    """Degree k of homogeneity; a kernel of d hidden layers has d + 1, if the grid does not say otherwise."""
    if trainable.homogeneity != "measured":
        return float(trainable.homogeneity)
    network = trainable.kernel if trainable.kernel.name == "relu" else trainable.kernel.model
    return float(getattr(network, "depth", np.nan)) + 1.0


def _kept(points: pd.DataFrame, only: Mapping[str, str]) -> pd.DataFrame:
    for name, text in only.items():
        axes = ["seed", "eta", "lam", "mu", *extra_axes(points)]
        axes = [axis for axis in axes if axis in points and axis not in {"best_test_acc", "kappa"}]
        if name not in axes:
            raise InputError(f"--only {name}={text}: the sweep has no such axis; {suggest(name, axes)}.")
        values = points[name]
        points = points[[str(v) == text or _number(v) == _number(text) for v in values]]
    return points


def _number(value: object) -> float:
    """NaN, equal to nothing, for what is no number."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def _written(only: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in only.items())


def _distinct(names: Sequence[str]) -> list[str]:
    """Names, numbered where several sweeps share one."""
    return [n if names.count(n) == 1 else f"{n} ({names[: k + 1].count(n)})" for k, n in enumerate(names)]


def require(table: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    """Refuse a table without a column, or with nothing in it.

    Raises:
        LackingError: names the columns.
    """
    missing = [name for name in columns if name not in table.columns or not bool(table[name].notna().any())]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        raise LackingError(f"values in the column{plural} {', '.join(missing)} of the {what}")


def require_one(peaks: pd.DataFrame, besides: Iterable[str] = ()) -> None:
    """Refuse points that differ in more than η, λ, seed and budget: their means would mix what is not alike.

    Raises:
        LackingError: names the axis and its values.
    """
    known = {"in_law", "sweep", *besides}
    for name in (axis for axis in ("mu", *extra_axes(peaks)) if axis not in known):
        values = sorted(peaks[name].dropna().unique()) if name in peaks else []
        if len(values) > 1:
            listed = ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
            raise LackingError(f"one value of {name}, but there are {listed}; choose with --only {name}=VALUE")


def one_eta(table: pd.DataFrame, eta: float | None) -> float:
    """η of a panel that shows only one: the one asked for, or else that of most rows, the middle of several.

    Raises:
        LackingError: the table is empty, or has not the η asked for.
    """
    count = table["eta"].value_counts().sort_index()
    if eta is not None and not np.isclose(count.index, eta, rtol=1e-9).any():
        raise LackingError(f"points of η = {eta:g}; there are η = {', '.join(f'{e:g}' for e in count.index)}")
    if count.empty:
        raise LackingError("a point with a measurement")
    fullest = count.index[count == count.max()] if eta is None else count.index[np.isclose(count.index, eta, rtol=1e-9)]
    return float(fullest[(len(fullest) - 1) // 2])


def at_eta(table: pd.DataFrame, eta: float) -> pd.DataFrame:
    """The rows of one η."""
    chosen: pd.DataFrame = table[np.isclose(table["eta"].to_numpy(dtype=float), eta, rtol=1e-9)]
    return chosen
