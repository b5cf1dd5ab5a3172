"""The section of a report on λ predicted from a short run."""

import pandas as pd
from markupsafe import Markup

from results.pages.axes import axis_column, axis_names, first_rows
from results.pages.markup import format_estimate, format_metric, format_number, format_remark, render_own
from results.pages.tables import Column, Row, collect_notes, render_table
from search_spaces.sections.metric import TEST_ACCURACY, Metric


def render_prediction(prediction: pd.DataFrame, metric: Metric = TEST_ACCURACY) -> Markup:
    """Return the table of predicted and tuned λ, with notes.

    Args:
        prediction: One row per η and budget.
        metric: The quantity by which λ is tuned.
    """
    scheduled = "peak_at" in prediction and not prediction["peak_at"].equals(prediction["budget_at"])
    rows, total = first_rows(prediction)
    notes = collect_notes(rows, lambda r: format_remark(r.get("why")), "prediction")
    columns = [*_columns(prediction, metric, scheduled=scheduled), notes.column]
    return render_own(
        "prediction.html",
        rows=len(rows),
        total=total,
        scheduled=scheduled,
        table=render_table(
            "Predicted and tuned λ", columns, rows, kind="data", attributes=lambda r: {"data-eta": r.get("eta")}
        ),
        footnotes=notes.footnotes,
    )


def _columns(prediction: pd.DataFrame, metric: Metric, *, scheduled: bool) -> list[Column]:
    """Return the columns of the table; one more if η follows a schedule."""
    varied = [name for name in axis_names(prediction) if name == "eta" or prediction[name].nunique() > 1]
    name = "accuracy" if metric.is_accuracy else metric.title
    best = f"best {metric.title} within the budget"
    falls = _number("T₁ (epochs)", "epoch at which η first falls", "peak_at")
    return [
        *(axis_column(axis) for axis in varied),
        _number("T (epochs)", "budget for which λ is chosen", "budget_at"),
        *([falls] if scheduled else []),
        _number("c (epochs)", "t* · λ, measured in runs of at most T/10", "c"),
        _number("λ_pred", "predicted λ: c/T", "lam_pred"),
        Column(
            label="λ tuned [range]",
            title="best λ of the sweep within the budget, and every λ within 0.1 % of its accuracy",
            cell=_tuned_lam_cell,
            key="lam_tuned",
        ),
        _number("ratio", "λ_pred over the tuned λ", "ratio"),
        _value(f"{name} at λ_pred", f"{best} at λ_pred", "acc_pred", metric),
        _value("at tuned\u00a0λ", f"{best} at the tuned λ", "acc_tuned", metric),
        _value("gap", f"{name} that λ_pred loses against the tuned λ", "gap", metric),
        _value("at λ\u00a0=\u00a00", f"{best} without L2", "acc_zero", metric),
    ]


def _number(label: str, title: str, key: str) -> Column:
    """Return the column of a number."""
    return Column(label=label, title=title, cell=lambda r: format_number(r.get(key)), key=key)


def _value(label: str, title: str, key: str, metric: Metric) -> Column:
    """Return the column of a value of the metric."""
    return Column(label=label, title=title, cell=lambda r: format_metric(r.get(key), metric), key=key)


def _tuned_lam_cell(row: Row) -> str:
    """Return the tuned λ, with its range if that holds more than one λ."""
    low, high = row.get("lam_tuned_low"), row.get("lam_tuned_high")
    return format_estimate(row.get("lam_tuned"), None if low == high else (low, high))
