"""The section of a report on λ predicted from a short run."""

import pandas as pd
from markupsafe import Markup

from results.pages.axes import axis_column, axis_names, first_rows
from results.pages.markup import format_accuracy, format_estimate, format_number, format_remark, render_own
from results.pages.tables import Column, Row, collect_notes, render_table


def render_prediction(prediction: pd.DataFrame) -> Markup:
    """Return the table of predicted and tuned λ, with notes.

    Args:
        prediction: One row per η and budget.
    """
    scheduled = "peak_at" in prediction and not prediction["peak_at"].equals(prediction["budget_at"])
    rows, total = first_rows(prediction)
    notes = collect_notes(rows, lambda r: format_remark(r.get("why")), "prediction")
    columns = [*_columns(prediction, scheduled=scheduled), notes.column]
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


def _columns(prediction: pd.DataFrame, *, scheduled: bool) -> list[Column]:
    """Return the columns of the table; one more if η follows a schedule."""
    varied = [name for name in axis_names(prediction) if name == "eta" or prediction[name].nunique() > 1]
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
        _accuracy("accuracy at λ_pred", "best test accuracy within the budget at λ_pred", "acc_pred"),
        _accuracy("at tuned\u00a0λ", "best test accuracy within the budget at the tuned λ", "acc_tuned"),
        _accuracy("gap", "accuracy that λ_pred loses against the tuned λ", "gap"),
        _accuracy("at λ\u00a0=\u00a00", "best test accuracy within the budget without L2", "acc_zero"),
    ]


def _number(label: str, title: str, key: str) -> Column:
    """Return the column of a number."""
    return Column(label=label, title=title, cell=lambda r: format_number(r.get(key)), key=key)


def _accuracy(label: str, title: str, key: str) -> Column:
    """Return the column of an accuracy."""
    return Column(label=label, title=title, cell=lambda r: format_accuracy(r.get(key)), key=key)


def _tuned_lam_cell(row: Row) -> str:
    """Return the tuned λ, with its range if that holds more than one λ."""
    low, high = row.get("lam_tuned_low"), row.get("lam_tuned_high")
    return format_estimate(row.get("lam_tuned"), None if low == high else (low, high))
