"""Columns and rows that the tables of a report share: axes of the grid, and the first rows of a long table."""

from typing import NamedTuple

import pandas as pd

from results.analysis.segments import extra_axes
from results.pages.markup import format_number, format_text
from results.pages.tables import Column, Row

MAX_ROWS = 300  # of any table: a page of 10,000 points would take 10 MB and respond slowly
_NON_AXIS_COLUMNS = (
    *("in_law", "budget_at", "peak_at", "lam_tuned", "lam_tuned_low", "lam_tuned_high", "lams", "lam_min", "lam_max"),
    *("acc_tuned", "acc_zero", "probe_points", "c", "lam_pred", "acc_pred", "gap", "ratio"),
)  # columns of tables of peaks and predictions that are no axis of the grid
_LABELS = {"eta": "η", "lam": "λ", "mu": "μ", "budget": "T (epochs)"}
_TITLES = {
    "eta": "learning rate",
    "lam": "L2 coefficient",
    "mu": "momentum",
    "budget": "budget: epochs of training that the grid plans for the point",
    "seed": "seed of the initial weights and of the order of the samples",
}


class FirstRows(NamedTuple):
    """Rows that a page can hold.

    Attributes:
        rows: One mapping a row, at most ``MAX_ROWS``.
        total: Number of rows of the whole table.
    """

    rows: list[Row]
    total: int


def first_rows(table: pd.DataFrame) -> FirstRows:
    """Return the rows that a page can hold."""
    return FirstRows(to_rows(table.iloc[:MAX_ROWS]), len(table))


def to_rows(table: pd.DataFrame) -> list[Row]:
    """Return one mapping a row."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def axis_names(table: pd.DataFrame) -> list[str]:
    """Return the axes among the columns: η first, further axes of the grid last."""
    known = ("eta", "lam", "mu", "budget", "seed")
    return [name for name in (*known, *extra_axes(table)) if name in table and name not in _NON_AXIS_COLUMNS]


def axis_column(axis: str) -> Column:
    """Return the column of an axis."""
    title = _TITLES.get(axis, "axis of the grid")
    return Column(label=axis_label(axis), title=title, cell=lambda row: format_number(row.get(axis)), key=axis)


def axis_label(axis: str) -> str:
    """Return the heading of an axis."""
    return _LABELS.get(axis) or format_text(axis)
