"""Measurements in order, point by point: the arrays that peaks and tables are reduced from.

A sweep has millions of rows and few points, so every reduction here is one pass of ``ufunc.reduceat`` over sorted
arrays: n measurements lie in S segments, one for each point that has any, among the P points asked about.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# An accuracy stored as float32 is off by up to 6e-8, and a tolerance of 0.005 is exactly 50 of 10 000 test images:
# a tie must count as within tolerance. One image of the largest test set in use (50 000) is 2e-5.
ROUNDING = 1e-6

POINT_COLUMNS = (
    *("sweep", "point", "pack", "attempt", "seed", "eta", "lam", "mu", "budget"),
    *("outcome", "steps", "seconds", "why", "device"),
)
PEAK_COLUMNS = (
    *("t_star", "t_star_step", "kappa", "best_test_acc", "best_epoch", "best_train_acc", "t_train1"),
    *("acc_train1", "t_min_loss", "min_train_loss", "last_train_loss"),
    *("last_epoch", "last_step", "last_decay_time", "measurements", "censored", "censored_why"),
)
ROW_COLUMNS = ("point", "step", "epoch", "decay_time", "test_acc", "train_acc")
_MEASURED = ("epoch", "decay_time", "test_acc", "train_acc", "train_loss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """Measurements with a finite test accuracy, sorted by point, then step."""

    points: pd.Index  # (P,) ids of the points asked about
    owner: Ints  # (S,) position in `points` of each segment
    start: Ints  # (S,) first measurement of each segment
    segment: Ints  # (n,) segment of each measurement
    step: Ints  # (n,) optimizer steps
    epoch: Floats  # (n,) epochs
    decay_time: Floats  # (n,) Σ ηλ/(1-μ)
    test_acc: Floats  # (n,) 0 to 1
    train_acc: Floats  # (n,) 0 to 1, may be NaN
    train_loss: Floats  # (n,) without the L2 term, may be NaN

    @property
    def last(self) -> Ints:
        """Last measurement of each segment (S,)."""
        ends = [*self.start[1:], len(self.segment)] if len(self.start) else []
        return np.array(ends, dtype=np.int64) - 1

    def first_where(self, mask: Bools) -> Ints:
        """First measurement of each segment at which `mask` (n,) holds; -1 where it never does (S,)."""
        hits = np.flatnonzero(mask)
        first: Ints = np.full(len(self.start), -1, dtype=np.int64)
        hit_segments, position = np.unique(self.segment[hits], return_index=True)
        first[hit_segments] = hits[position]
        return first

    def mean_where(self, mask: Bools, values: Floats) -> Floats:
        """Mean of `values` (n,) where `mask` (n,) holds, in each segment, which has one such at least (S,)."""
        if not len(self.start):
            return np.empty(0)
        total = np.add.reduceat(np.where(mask, values, 0.0), self.start)
        mean: Floats = total / np.add.reduceat(mask.astype(np.float64), self.start)
        return mean

    def maximum(self, values: Floats) -> Floats:
        """Maximum of `values` (n,) in each segment (S,)."""
        return np.maximum.reduceat(values, self.start) if len(self.start) else np.empty(0)


def require(frame: pd.DataFrame, columns: tuple[str, ...], what: str) -> None:
    """Refuses a table that lacks columns.

    Raises:
        ValueError: a column is missing; the message names it and the table.
    """
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ValueError(f"the table of {what} lacks the columns {', '.join(missing)}")


def floats(frame: pd.DataFrame, name: str) -> Floats:
    """A column as float64, missing values as NaN."""
    return frame[name].to_numpy(dtype=np.float64, na_value=np.nan)


def extra_axes(frame: pd.DataFrame) -> list[str]:
    """Axes of the grid beyond seed, eta, lam, mu and budget, as columns of the table of points or of peaks."""
    return [str(name) for name in frame.columns if name not in {*POINT_COLUMNS, *PEAK_COLUMNS}]


def group_ids(frame: pd.DataFrame, columns: list[str]) -> Ints:
    """One integer for each row: the number of its combination of values in `columns` (n,)."""
    if not columns or frame.empty:
        return np.zeros(len(frame), dtype=np.int64)
    return np.asarray(frame.groupby(columns, sort=True, dropna=False).ngroup(), dtype=np.int64)


def sort_measurements(rows: pd.DataFrame, points: pd.Series | None = None) -> Segments:
    """Measurements with a finite test accuracy, sorted by point and step.

    NaN (after divergence) is no measurement of accuracy: it can be neither a maximum nor the end of a run. Rows of
    points that were not asked about (of a sweep still running, say) are left out.

    Args:
        rows: measurements, in any order, columns of `results.schema`; ``train_loss`` may be absent.
        points: ids of the points asked about (P,); by default those in `rows`, in order of appearance.

    Raises:
        ValueError: a column is missing, or a point is asked about twice.
    """
    if rows.empty:
        rows = pd.DataFrame({name: pd.Series(dtype="float64") for name in ROW_COLUMNS})
    require(rows, ROW_COLUMNS, "rows")
    if "train_loss" not in rows:
        rows = rows.assign(train_loss=np.nan)
    codes, seen = pd.factorize(rows["point"])
    asked = pd.Index(seen if points is None else points)
    if asked.has_duplicates:
        raise ValueError(f"the table of points has {asked[asked.duplicated()][0]!r} twice")
    positions = np.append(asked.get_indexer(pd.Index(seen)), -1)
    owner = positions[codes].astype(np.int64)
    order = _order(owner, rows["step"].to_numpy(), np.isfinite(floats(rows, "test_acc")))
    owner = owner[order]
    new = np.append(True, np.diff(owner) != 0)[: len(owner)]
    return Segments(
        points=asked,
        owner=owner[new],
        start=np.flatnonzero(new).astype(np.int64),
        segment=(np.cumsum(new) - 1).astype(np.int64),
        step=rows["step"].to_numpy()[order].astype(np.int64),
        **{name: floats(rows, name)[order] for name in _MEASURED},
    )


def _order(owner: Ints, step: npt.NDArray[np.generic], measured: Bools) -> Ints:
    kept = np.flatnonzero(measured & (owner >= 0))
    if not len(kept):
        return kept
    # One int64 key: at most 1e6 points times 1e9 steps, far from overflow, and twice as fast as a lexsort.
    steps = step[kept].astype(np.int64)
    key = owner[kept] * (int(steps.max()) + 1) + steps
    if bool(np.all(key[1:] >= key[:-1])):
        return kept
    return kept[np.argsort(key, kind="stable")]
