"""Ids of what is drawn, by the rows that it shows of the table of its figure.

matplotlib writes the ``gid`` of an artist into an SVG, as the id of a group. So the picture itself says which rows of
the CSV beside it each mark and each line shows, and a page can answer to a hand that points at one.
"""

import re
from typing import NamedTuple

import pandas as pd

_PATTERN = re.compile(r"(marks|curve|line)-(\d+(?:-\d+)*)(?:\.\w+)?")


class ShownRows(NamedTuple):
    """Rows of its table that a group of an SVG shows.

    Attributes:
        kind: ``marks`` if each row is one mark, ``curve`` if they are one run, ``line`` if they have only η in common.
        rows: Positions of the rows: all for ``marks``, in the order of drawing, and otherwise the first.
    """

    kind: str
    rows: tuple[int, ...]


def marks_id(rows: pd.DataFrame) -> str:
    """Return the id of marks, one for each row of the table; its index is the positions of the rows."""
    return f"marks-{'-'.join(map(str, rows.index))}"


def curve_id(rows: pd.DataFrame) -> str:
    """Return the id of the curve of one run."""
    return f"curve-{rows.index[0]}"


def line_id(rows: pd.DataFrame, part: str = "") -> str:
    """Return the id of something that is drawn for one η.

    Args:
        rows: Its rows, at least one.
        part: Suffix that tells several drawn for the same rows apart.
    """
    return f"line-{rows.index[0]}" + f".{part}" * bool(part)


def parse_id(text: str) -> ShownRows | None:
    """Return what an id of an SVG says; None if it is not one of these."""
    found = _PATTERN.fullmatch(text)
    return ShownRows(found[1], tuple(map(int, found[2].split("-")))) if found else None
