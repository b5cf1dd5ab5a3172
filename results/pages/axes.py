"""Columns and rows that the tables of a report share: axes of the grid, and the first rows of a long table."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from results.analysis.segments import extra_axes
from results.pages.markup import format_number, format_text
from results.pages.tables import Column

MAX_ROWS = 300  # of any table: a page of 10,000 points would take 10 MB and respond slowly
_NON_AXIS_COLUMNS = (
    *(
        "in_law",
        "budget_at",
        "peak_at",
        "lam_tuned",
        "lam_tuned_low",
        "lam_tuned_high",
        "lams",
        "lam_min",
        "lam_max",
        "acc_tuned",
        "acc_zero",
    ),
    *("probe_points", "c", "lam_pred", "acc_pred", "gap", "ratio"),
)  # columns of tables of peaks and predictions that are no axis of the grid
_LABELS = {"eta": "η", "lam": "λ", "mu": "μ", "budget": "T (epochs)"}


class FirstRows(NamedTuple):
    """Rows that a page can hold.

    Attributes:
        rows: One mapping a row, at most ``MAX_ROWS``.
        total: Number of rows of the whole table.
    """

    rows: list[Mapping[str, object]]
    total: int


def first_rows(table: pd.DataFrame) -> FirstRows:
    """Return the rows that a page can hold."""
    records = table.iloc[:MAX_ROWS].to_dict("records")
    return FirstRows([{str(name): value for name, value in row.items()} for row in records], len(table))


def axis_names(table: pd.DataFrame) -> list[str]:
    """Return the axes among the columns: η first, further axes of the grid last."""
    known = ("eta", "lam", "mu", "budget", "seed")
    return [name for name in (*known, *extra_axes(table)) if name in table and name not in _NON_AXIS_COLUMNS]


def axis_column(axis: str) -> Column:
    """Return the column of an axis."""
    return Column(label=axis_label(axis), cell=lambda row: format_number(row.get(axis)))


def axis_label(axis: str) -> str:
    """Return the heading of an axis."""
    return _LABELS.get(axis) or format_text(axis)
