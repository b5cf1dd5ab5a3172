"""Tables of a page."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from results.pages.markup import format_number, render_own


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Attributes:
        label: Heading of the column.
        cell: Function from a row to the content of its cell, text or ``Markup``.
        kind: Class of the cell in the style sheet.
    """

    label: str
    cell: Callable[[Mapping[str, object]], str]
    kind: str = "number"


POINTS_COLUMN = Column(
    label="Points (censored)",
    cell=lambda row: f"{format_number(row['points_used'])} ({format_number(row['censored'])})",
    kind="value",
)


def render_table(
    name: str,
    columns: Sequence[Column],
    rows: Iterable[Mapping[str, object]],
    *,
    kind: str = "",
    row_kind: Callable[[Mapping[str, object]], str] = lambda _: "",
) -> Markup:
    """Return a table in a box of its own that scrolls sideways on a narrow page.

    Args:
        name: Content of the table, for screen readers.
        columns: Columns; the first is the heading of its row.
        rows: One mapping a row.
        kind: Class of the table.
        row_kind: Function from a row to its class.
    """
    return render_own("table.html", name=name, columns=columns, rows=list(rows), kind=kind, row_kind=row_kind)
