"""The section of a report on λ predicted from a short run."""

from collections.abc import Mapping

import pandas as pd
from markupsafe import Markup

from results.pages.axes import axis_column, axis_names, first_rows
from results.pages.markup import format_accuracy, format_estimate, format_number, format_remark, render_own
from results.pages.tables import Column, render_table


def render_prediction(prediction: pd.DataFrame) -> Markup:
    """Return the table of predicted and tuned λ, with notes.

    Args:
        prediction: One row per η and budget.
    """
    scheduled = "peak_at" in prediction and not prediction["peak_at"].equals(prediction["budget_at"])
    rows, total = first_rows(prediction)
    return render_own(
        "prediction.html",
        rows=len(rows),
        total=total,
        scheduled=scheduled,
        table=render_table("Predicted and tuned λ", _columns(prediction, scheduled=scheduled), rows),
    )


def _columns(prediction: pd.DataFrame, *, scheduled: bool) -> list[Column]:
    """Return the columns of the table; one more if η follows a schedule."""
    varied = [name for name in axis_names(prediction) if name == "eta" or prediction[name].nunique() > 1]
    return [
        *(axis_column(axis) for axis in varied),
        Column(label="T (epochs)", cell=lambda r: format_number(r.get("budget_at"))),
        *([Column(label="T₁ (epochs)", cell=lambda r: format_number(r.get("peak_at")))] if scheduled else []),
        Column(label="c (epochs)", cell=lambda r: format_number(r.get("c"))),
        Column(label="λ_pred", cell=lambda r: format_number(r.get("lam_pred"))),
        Column(label="λ tuned [range]", cell=_tuned_lam_cell),
        Column(label="ratio", cell=lambda r: format_number(r.get("ratio"))),
        Column(label="accuracy at λ_pred", cell=lambda r: format_accuracy(r.get("acc_pred"))),
        Column(label="at tuned\u00a0λ", cell=lambda r: format_accuracy(r.get("acc_tuned"))),
        Column(label="gap", cell=lambda r: format_accuracy(r.get("gap"))),
        Column(label="at λ\u00a0=\u00a00", cell=lambda r: format_accuracy(r.get("acc_zero"))),
        Column(label="Note", cell=lambda r: format_remark(r.get("why")), kind="why"),
    ]


def _tuned_lam_cell(row: Mapping[str, object]) -> str:
    """Return the tuned λ, with its range if that holds more than one λ."""
    low, high = row.get("lam_tuned_low"), row.get("lam_tuned_high")
    return format_estimate(row.get("lam_tuned"), None if low == high else (low, high), digits=2)
