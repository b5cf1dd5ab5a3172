"""The section of a report on its points."""

from collections.abc import Mapping, Sequence

import pandas as pd
from markupsafe import Markup

from results.pages.axes import MAX_ROWS, axis_column, axis_label, axis_names, first_rows
from results.pages.markup import (
    ABSENT_SIGN,
    format_accuracy,
    format_number,
    format_remark,
    format_text,
    render_own,
)
from results.pages.tables import Column, render_table
from search_spaces.outcome import TRAINED

MAX_UNFOLDED_ROWS = 60  # a longer table of points is folded


def render_points(peaks: pd.DataFrame) -> Markup:
    """Return points that did not complete, always visible, then all points, folded if there are many.

    Args:
        peaks: One row a point.
    """
    axes = axis_names(peaks)
    constant = [name for name in axes if len(peaks) > 1 and peaks[name].nunique(dropna=False) == 1]
    order = [name for name in ("eta", "lam") if name in peaks]
    shown = [name for name in axes if name not in constant]
    ordered = peaks.sort_values(order, kind="stable") if order else peaks
    broken = ordered[~ordered["outcome"].isin(TRAINED)] if "outcome" in ordered else ordered
    return render_own(
        "points.html",
        count=len(peaks),
        rows=min(len(peaks), MAX_ROWS),
        broken_rows=min(len(broken), MAX_ROWS),
        broken_count=len(broken),
        folded=len(peaks) > MAX_UNFOLDED_ROWS,
        constant={axis_label(name): format_number(peaks[name].iloc[0]) for name in constant},
        broken=_point_table("Points not completed", shown, broken),
        all_points=_point_table("All points", shown, ordered),
    )


def _point_table(name: str, axes: Sequence[str], points: pd.DataFrame) -> Markup:
    """Return a table of points.

    Args:
        name: Content of the table, for screen readers.
        axes: Axes that become columns.
        points: One row a point.
    """
    columns = [
        *(axis_column(axis) for axis in axes),
        Column(label="Outcome", cell=lambda r: format_text(r.get("outcome")), kind="outcome"),
        Column(label="t* (epochs)", cell=lambda r: _format_bound(r, "t_star")),
        Column(label="κ", cell=lambda r: _format_bound(r, "kappa")),
        Column(label="test accuracy", cell=lambda r: format_accuracy(r.get("best_test_acc"))),
        Column(label="at epoch", cell=lambda r: format_number(r.get("best_epoch"))),
        Column(label="train accuracy", cell=lambda r: format_accuracy(r.get("best_train_acc"))),
        Column(label="Note", cell=_note_cell, kind="why"),
    ]
    broken = {"diverged", "failed"}
    rows = first_rows(points).rows
    return render_table(name, columns, rows, row_kind=lambda r: "broken" if r.get("outcome") in broken else "")


def _note_cell(row: Mapping[str, object]) -> str:
    """Return why a point did not complete, and why its t* is only a bound."""
    reasons = [str(row[name]) for name in ("why", "censored_why") if isinstance(row.get(name), str) and row[name]]
    return format_remark("; ".join(reasons))


def _format_bound(row: Mapping[str, object], name: str) -> str:
    """Return a number, with ≥ if it is only a lower bound."""
    shown = format_number(row.get(name))
    return f"≥ {shown}" if row.get("censored") and shown != ABSENT_SIGN else shown
