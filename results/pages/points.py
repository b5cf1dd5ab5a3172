"""The section of a report on its points."""

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from results.pages.axes import MAX_ROWS, axis_column, axis_label, axis_names, first_rows
from results.pages.markup import (
    ABSENT_SIGN,
    format_accuracy,
    format_metric,
    format_number,
    format_remark,
    format_text,
    render_own,
)
from results.pages.tables import Column, Row, collect_notes, render_table
from search_spaces.outcome import TRAINED
from search_spaces.sections.metric import TEST_ACCURACY, Metric

MAX_UNFOLDED_ROWS = 60  # a longer table of points is folded


def render_points(peaks: pd.DataFrame, metric: Metric = TEST_ACCURACY) -> Markup:
    """Return points that did not complete, always visible, then all points, folded if there are many.

    Args:
        peaks: One row a point.
        metric: The quantity by which points are judged.
    """
    axes = axis_names(peaks)
    constant = [name for name in axes if len(peaks) > 1 and peaks[name].nunique(dropna=False) == 1]
    shown = [name for name in axes if name not in constant]
    ordered = order_points(peaks)
    broken = ordered[~ordered["outcome"].isin(TRAINED)] if "outcome" in ordered else ordered
    return render_own(
        "points.html",
        count=len(peaks),
        rows=min(len(peaks), MAX_ROWS),
        broken_rows=min(len(broken), MAX_ROWS),
        broken_count=len(broken),
        folded=len(peaks) > MAX_UNFOLDED_ROWS,
        constant={axis_label(name): format_number(peaks[name].iloc[0]) for name in constant},
        broken=_point_table("Points not completed", shown, broken, metric),
        all_points=_point_table("All points", shown, ordered, metric),
    )


def order_points(peaks: pd.DataFrame) -> pd.DataFrame:
    """Return the points in the order of the page, by η and then λ."""
    axes = [name for name in ("eta", "lam") if name in peaks]
    return peaks.sort_values(axes, kind="stable") if axes else peaks


def format_bound(row: Row, name: str) -> str:
    """Return a number, with ≥ if it is only a lower bound.

    Args:
        row: A row of the table of peaks.
        name: Name of the number.
    """
    shown = format_number(row.get(name))
    return f"≥ {shown}" if row.get("censored") and shown != ABSENT_SIGN else shown


def _point_table(name: str, axes: Sequence[str], points: pd.DataFrame, metric: Metric) -> Markup:
    """Return a table of points with its footnotes; ``name`` is its content for screen readers."""
    rows = first_rows(points).rows
    notes = collect_notes(rows, _note, name.lower().replace(" ", "-"))
    train_accuracy = Column(
        label="train accuracy",
        title="best training accuracy of the run",
        cell=lambda r: format_accuracy(r.get("best_train_acc")),
        key="best_train_acc",
    )
    columns = [
        Column(
            label="Point",
            title="id of the point, the same in every table of the sweep",
            cell=lambda r: Markup("<code>{}</code>").format(format_text(r.get("point"))),
            kind="id",
        ),
        *(axis_column(axis) for axis in axes),
        Column(label="Outcome", title="how its training ended", cell=_outcome, kind="outcome"),
        Column(
            label="t* (epochs)",
            title="time of the earliest measurement within the tolerance of the best",
            cell=lambda r: format_bound(r, "t_star"),
            key="t_star",
            clock="time",
        ),
        Column(
            label="κ", title="decay time at t*", cell=lambda r: format_bound(r, "kappa"), key="kappa", clock="kappa"
        ),
        Column(
            label=metric.title,
            title=f"best {metric.title} of the run",
            cell=lambda r: format_metric(r.get(metric.best), metric),
            key=metric.best,
        ),
        Column(
            label="at epoch",
            title=f"epoch of the best {metric.title}",
            cell=lambda r: format_number(r.get("best_epoch")),
            key="best_epoch",
        ),
        *([train_accuracy] if metric.is_accuracy or points["best_train_acc"].notna().any() else []),
        notes.column,
    ]
    return render_table(name, columns, rows, kind="data", attributes=_attributes) + notes.footnotes


def _attributes(row: Row) -> dict[str, object]:
    """Return the attributes of the row of a point."""
    broken = row.get("outcome") in {"diverged", "failed"}
    return {"data-point": row.get("point"), "class": "broken" if broken else None}


def _outcome(row: Row) -> str:
    """Return how the training of a point ended."""
    return format_text(row.get("outcome"))


def _note(row: Row) -> str:
    """Return why a point did not complete, and why its t* is only a bound."""
    reasons = [str(row[name]) for name in ("why", "censored_why") if isinstance(row.get(name), str) and row[name]]
    return format_remark("; ".join(reasons))
