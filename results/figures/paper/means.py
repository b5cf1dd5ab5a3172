"""Means over seeds: marks and curves, in the columns that all figures of the paper share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

# One row a mark. It has a panel, a group (sweep, series, eta, lam, budget_at) and a seed (none for a mean over `seeds`
# of them). It has a place (x, y; low and high bound a bar) and a kind in `mark`: observed, censored (y is a lower
# bound), edge (the best of the grid is its last value), broken (diverged or failed), minimum, reference, prediction.
FIGURE_COLUMNS = (
    *("panel", "sweep", "series", "eta", "lam", "budget_at", "seed", "seeds"),
    *("x", "y", "low", "high", "mark"),
)
MAX_ROWS_PER_CURVE = 400  # thinned evenly in log step


def means_and_seeds(marks: pd.DataFrame, keys: Sequence[str], *, geometric: bool = False) -> pd.DataFrame:
    """Return the mean of each group of marks, then each mark of the groups that have several, and every broken mark.

    Args:
        marks: Columns ``keys``, ``seed``, ``y`` and ``mark``; rows without a finite y are left out.
        keys: Columns that a group shares; rows of a group differ in their seed.
        geometric: Whether the mean is geometric, as it is for times.

    Returns:
        The marks with ``seeds``. A mean has no ``seed``. It is censored if one of its marks is; broken marks do not
        count.
    """
    marks = marks[np.isfinite(marks["y"].to_numpy(dtype=float))]
    parts = []
    for _, group in marks.groupby(list(keys), sort=True, dropna=False):
        whole = group[group["mark"] != "broken"]
        if len(whole):
            y = whole["y"].to_numpy(dtype=float)
            mean = float(np.exp(np.log(y).mean())) if geometric else float(y.mean())
            kinds = set(whole["mark"])
            mark = whole["mark"].iloc[0] if len(kinds) == 1 else "censored"
            parts.append(whole.iloc[:1].assign(y=mean, seed=np.nan, seeds=len(whole), mark=mark))
        parts.append((group if len(whole) > 1 else group[group["mark"] == "broken"]).assign(seeds=1))
    return pd.concat(parts, ignore_index=True) if parts else marks.assign(seeds=1).iloc[:0]


def mean_curves(rows: pd.DataFrame, keys: Sequence[str], y: str, *, x: str = "epoch") -> pd.DataFrame:
    """Return curves averaged over seeds, thinned evenly in log step.

    A step is kept if all seeds of a group were measured at it.

    Args:
        rows: Measurements.
        keys: Columns that a curve shares.
        y: Column to average.
        x: Column along the axis, the same for all seeds at a step.

    Returns:
        Columns ``keys``, ``step``, ``x``, ``y``, ``seeds``, in order of step within each curve.
    """
    rows = rows[np.isfinite(rows[y].to_numpy(dtype=float))]
    parts = []
    for values, group in rows.groupby(list(keys), sort=True, dropna=False):
        seeds = group["point"].nunique()
        at = group.groupby("step", sort=True)[[x, y]].agg(["mean", "size"])
        at = at[at[(y, "size")] == seeds]
        curve = pd.DataFrame(
            {"step": at.index, "x": at[(x, "mean")].to_numpy(), "y": at[(y, "mean")].to_numpy(dtype=float)}
        )
        parts.append(_thin(curve).assign(**_as_columns(keys, values), seeds=seeds))
    if not parts:
        return pd.DataFrame(columns=[*keys, "step", "x", "y", "seeds"])
    return pd.concat(parts, ignore_index=True)


def _as_columns(keys: Sequence[str], values: Any) -> dict[str, Any]:
    """Return a group's values by column; pandas types them as any hashable."""
    return dict(zip(keys, values, strict=True))


def _thin(curve: pd.DataFrame) -> pd.DataFrame:
    """Return at most ``MAX_ROWS_PER_CURVE`` rows of a curve; first, last, highest and lowest are kept."""
    if len(curve) <= MAX_ROWS_PER_CURVE:
        return curve
    span = np.log1p(curve["step"] - curve["step"].iloc[0])
    bins = np.floor(span / span.iloc[-1] * (MAX_ROWS_PER_CURVE - 4)).astype(int)
    keep = ~bins.duplicated() | curve.index.isin([curve.index[-1], curve["y"].idxmax(), curve["y"].idxmin()])
    kept: pd.DataFrame = curve[keep]
    return kept


def stack_panels(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return panels as one table of ``FIGURE_COLUMNS``, without columns that hold nothing."""
    full = [part.reindex(columns=list(FIGURE_COLUMNS)) for part in parts if len(part)]
    data = pd.concat(full, ignore_index=True) if full else pd.DataFrame(columns=list(FIGURE_COLUMNS))
    data = data.assign(seed=data["seed"].astype("Int64"), seeds=data["seeds"].astype("Int64"))
    needed = {"panel", "x", "y", "mark"}
    return data[[name for name in FIGURE_COLUMNS if name in needed or bool(data[name].notna().any())]]


def pick_evenly(values: Sequence[float] | pd.Series, count: int) -> list[float]:
    """Return up to ``count`` of the distinct values, evenly, the first and the last among them."""
    distinct = np.unique(np.asarray(values, dtype=float))
    chosen = np.linspace(0, len(distinct) - 1, min(len(distinct), count)).round().astype(int)
    return [float(v) for v in distinct[np.unique(chosen)]]


def low_middle_high(lams: Sequence[float] | pd.Series) -> list[float]:
    """Return the smallest, the middle and the largest λ > 0."""
    distinct = np.unique(np.asarray(lams, dtype=float))
    distinct = distinct[distinct > 0]
    return (
        [float(distinct[k]) for k in sorted({0, (len(distinct) - 1) // 2, len(distinct) - 1})] if len(distinct) else []
    )
