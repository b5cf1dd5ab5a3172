"""Measurements in order, point by point: the arrays that peaks and tables are reduced from.

A sweep has millions of rows and few points. So every reduction here is one pass of ``ufunc.reduceat`` over sorted
arrays: n measurements lie in S segments, one for each point that has any, among the P points asked about. Epochs rise
with steps, so that the measurements up to an epoch, or from one on, are found by bisection.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from search_spaces.sections.metric import TEST_ACCURACY, Metric

Floats = npt.NDArray[np.float64]
StoredFloats = npt.NDArray[Any]  # float32 or float64, as stored: a conversion would cost as much as a reduction
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# An accuracy stored as float32 is off by up to 6e-8, and a tolerance of 0.005 is exactly 50 of 10 000 test images:
# a tie must count as within tolerance. One image of the largest test set in use (50 000) is 2e-5.
ROUNDING = 1e-6

AXES = ("seed", "eta", "lam", "mu")
POINT_COLUMNS = (
    *("sweep", "point", "pack", "attempt", "seed", "eta", "lam", "mu", "budget"),
    *("outcome", "steps", "seconds", "why", "device"),
)
PEAK_COLUMNS = (
    *("t_star", "t_star_step", "kappa", "best_test_acc", "best_epoch", "last_test_acc", "best_train_acc", "t_train1"),
    *("acc_train1", "t_min_loss", "min_train_loss", "last_train_loss"),
    *("last_epoch", "last_step", "last_decay_time", "measurements", "censored", "censored_why"),
)
METRIC_COLUMNS = ("best_metric", "best_test_loss", "last_test_loss", "learned")  # only where the metric is another
ROW_COLUMNS = ("point", "step", "epoch", "decay_time", "test_acc", "train_acc")
_LOSSES = ("train_loss", "test_loss")  # these may be absent
_MEASURED = ("epoch", "decay_time", "test_acc", "train_acc", *_LOSSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """Measurements with a finite metric, sorted by point, then step.

    Attributes:
        points: ids of the points asked about (P,).
        owner: position in ``points`` of each segment (S,).
        start: first measurement of each segment (S,).
        step: optimizer steps of each measurement (n,).
        epoch: epochs of each measurement (n,).
        decay_time: Σ ηλ/(1-μ) up to each measurement (n,).
        score: the metric of the sweep, larger is better: the test accuracy, or minus the test loss (n,).
        test_acc: test accuracy, 0 to 1, may be NaN where it is not the metric (n,).
        train_acc: training accuracy, 0 to 1, may be NaN (n,).
        train_loss: training loss without the L2 term, may be NaN (n,).
        test_loss: test loss likewise (n,).
    """

    points: pd.Index
    owner: Ints
    start: Ints
    step: Ints
    epoch: Floats
    decay_time: Floats
    score: StoredFloats
    test_acc: StoredFloats
    train_acc: StoredFloats
    train_loss: StoredFloats
    test_loss: StoredFloats

    @property
    def stop(self) -> Ints:
        """Measurement after the last of each segment (S,)."""
        return np.append(self.start[1:], len(self.step))[: len(self.start)].astype(np.int64)

    @property
    def last(self) -> Ints:
        """Last measurement of each segment (S,)."""
        return self.stop - 1

    @property
    def segment(self) -> Ints:
        """Segment of each measurement (n,)."""
        return self.spread(np.arange(len(self.start)))

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Repeat a value of each segment (S,) at each of its measurements (n,)."""
        return np.repeat(values, self.stop - self.start)

    def first_where(self, mask: Bools) -> Ints:
        """Find the first measurement of each segment at which ``mask`` (n,) holds (S,); -1 where it never does."""
        return first_of_each(mask, self.start, self.stop)

    def first_at(self, epochs: Floats, *, after: bool = False) -> Ints:
        """Find the first measurement of each segment at an epoch >= ``epochs`` (S,), or > with ``after``.

        Where a segment has none, the result (S,) is its ``stop``.
        """
        low, high = self.start.copy(), self.stop
        while (open_ := low < high).any():
            middle = np.where(open_, (low + high) // 2, 0)
            before = self.epoch[middle] <= epochs if after else self.epoch[middle] < epochs
            low = np.where(open_ & before, middle + 1, low)
            high = np.where(open_ & ~before, middle, high)
        return low

    def mean_from(self, first: Ints, values: StoredFloats) -> Floats:
        """Average ``values`` (n,) from the measurement ``first`` (S,) to the last of each segment (S,)."""
        if not len(self.start):
            return np.empty(0)
        ends = np.column_stack([first, self.stop]).ravel()[:-1]
        mean: Floats = np.add.reduceat(values, ends, dtype=np.float64)[::2] / (self.stop - first)
        return mean

    def maximum(self, values: StoredFloats, stop: Ints | None = None) -> Floats:
        """Find the maximum of ``values`` (n,) in each segment, up to the measurement ``stop`` (S,).

        The result (S,) is -inf over no measurement.
        """
        if not len(self.start):
            return np.empty(0)
        stop = self.stop if stop is None else stop
        some = stop > self.start
        best = np.full(len(self.start), -np.inf)
        ends = np.column_stack([self.start, stop])[some].ravel()
        if len(ends):
            best[some] = np.maximum.reduceat(values, ends[:-1] if ends[-1] == len(values) else ends)[::2]
        return best

    def until(self, epochs: Floats) -> "Segments":
        """Keep the measurements up to an epoch of each segment (S,); segments without any are left out."""
        stop = self.first_at(epochs, after=True)
        if (stop == self.stop).all():
            return self
        length = stop - self.start
        some = length > 0
        start = np.append(0, np.cumsum(length[some]))[:-1].astype(np.int64)
        kept = np.arange(length.sum()) + np.repeat(self.start[some] - start, length[some])
        columns = {name: getattr(self, name).take(kept) for name in ("step", "score", *_MEASURED)}
        return replace(self, owner=self.owner[some], start=start, **columns)

    def only(self, chosen: Bools) -> "Segments":
        """Keep the segments that are chosen (S,)."""
        return self.until(np.where(chosen, np.inf, -np.inf))


def first_of_each(mask: Bools, start: Ints, stop: Ints) -> Ints:
    """Find the first position in each range at which ``mask`` (n,) holds; -1 where it never does.

    Args:
        mask: the condition (n,).
        start: first position of each range (S,).
        stop: position after the last of each range (S,).

    Returns:
        Positions (S,).
    """
    hits = np.append(np.flatnonzero(mask), len(mask))
    first = hits[np.searchsorted(hits, start)]
    found: Ints = np.where(first < stop, first, -1)
    return found


def require(frame: pd.DataFrame, columns: tuple[str, ...], what: str) -> None:
    """Refuse a table that lacks columns.

    Args:
        frame: the table.
        columns: columns that must be there.
        what: name of the table in the message.

    Raises:
        ValueError: a column is missing; the message names it and the table.
    """
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ValueError(f"the table of {what} lacks the columns {', '.join(missing)}")


def floats(frame: pd.DataFrame, name: str) -> Floats:
    """Return a column as float64 (n,), missing values as NaN."""
    return frame[name].to_numpy(dtype=np.float64, na_value=np.nan)


def extra_axes(frame: pd.DataFrame) -> list[str]:
    """Return the axes beyond seed, η, λ, μ and budget among the columns of a table of points or of peaks."""
    return [str(name) for name in frame.columns if name not in {*POINT_COLUMNS, *PEAK_COLUMNS, *METRIC_COLUMNS}]


def group_ids(frame: pd.DataFrame, columns: list[str]) -> Ints:
    """Number the rows by their combination of values in ``columns`` (n,), from 0."""
    if not columns or frame.empty:
        return np.zeros(len(frame), dtype=np.int64)
    return np.asarray(frame.groupby(columns, sort=True, dropna=False).ngroup(), dtype=np.int64)


def sort_measurements(rows: pd.DataFrame, points: pd.Series | None = None, metric: Metric = TEST_ACCURACY) -> Segments:
    """Sort the measurements with a finite metric by point and step.

    NaN (after divergence) is no measurement: it can be neither a maximum nor the end of a run. Rows of
    points that were not asked about (of a sweep still running, say) are left out.

    Args:
        rows: measurements, in any order, columns of ``results.store.schema``; the losses may be absent.
        points: ids of the points asked about (P,); by default those in ``rows``, in order of appearance.
        metric: the quantity by which points are judged.

    Raises:
        ValueError: a column is missing, or a point is asked about twice.
    """
    if rows.empty:
        rows = pd.DataFrame({name: pd.Series(dtype="float64") for name in (*ROW_COLUMNS, *_LOSSES)})
    require(rows, (*ROW_COLUMNS, metric.column), "rows")
    rows = rows.assign(**{name: np.nan for name in _LOSSES if name not in rows})
    codes, seen = _codes(rows["point"], ordered=points is None)
    asked = pd.Index(seen if points is None else points)
    if asked.has_duplicates:
        raise ValueError(f"the table of points has {asked[asked.duplicated()][0]!r} twice")
    positions = np.append(asked.get_indexer(pd.Index(seen)), -1)
    owner = positions[codes].astype(np.int64)
    order = _order(owner, rows["step"].to_numpy(), np.isfinite(_stored(rows, metric.column)))
    owner = owner[order]
    new = np.append(True, np.diff(owner) != 0)[: len(owner)]
    measured = {name: _stored(rows, name).take(order) for name in _MEASURED}
    return Segments(
        points=asked,
        owner=owner[new],
        start=np.flatnonzero(new).astype(np.int64),
        step=rows["step"].to_numpy().take(order).astype(np.int64, copy=False),
        score=metric.score(measured[metric.column]),
        **measured,
    )


def _stored(rows: pd.DataFrame, name: str) -> StoredFloats:
    """Return a column as it is stored, float32 or float64 (n,)."""
    return rows[name].to_numpy() if rows[name].dtype == np.float32 else floats(rows, name)


def _codes(ids: pd.Series, *, ordered: bool) -> tuple[Ints, pd.Index]:
    """Number ids (n,) by their position among the distinct ones, which are in order of appearance if ``ordered``."""
    if isinstance(ids.dtype, pd.CategoricalDtype) and not ordered:
        return ids.cat.codes.to_numpy().astype(np.int64), ids.cat.categories
    codes, seen = pd.factorize(ids)
    return codes.astype(np.int64), pd.Index(seen)


def _order(owner: Ints, step: npt.NDArray[Any], measured: Bools) -> Ints:
    """Return the order of the measurements that count, by point and step, from owner, step and mask (n,)."""
    kept = np.flatnonzero(measured & (owner >= 0))
    if not len(kept):
        return kept
    # Packs write their points side by side, step by step. Then a sort by point alone is enough, and numpy sorts 16 bits
    # ten times as fast as 64.
    low = int(owner[kept].min())
    narrow = np.int16 if int(owner[kept].max()) - low < 2**15 else np.int64
    kept = kept[np.argsort((owner[kept] - low).astype(narrow), kind="stable")]
    points, steps = owner[kept], step[kept]
    if bool(np.all((steps[1:] >= steps[:-1]) | (points[1:] != points[:-1]))):
        return kept
    return kept[np.lexsort((steps, points))]
