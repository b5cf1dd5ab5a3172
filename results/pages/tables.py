"""Tables of a page."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from results.pages.markup import format_number, render_own

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Attributes:
        label: Heading of the column.
        title: What the column holds, in a phrase that the heading shows on hover; empty if the heading says it all.
        cell: Function from a row to the content of its cell, text or ``Markup``.
        kind: Class of the cell in the style sheet.
        key: Number of the row by which the column is sorted; empty sorts by the text.
        clock: ``time`` or ``kappa`` if another clock changes what the cell shows.
    """

    label: str
    title: str = ""
    cell: Callable[[Row], str]
    kind: str = "number"
    key: str = ""
    clock: str = ""

    def attributes(self, row: Row) -> dict[str, object]:
        """Return the attributes of a cell of this column."""
        value = row.get(self.key)
        number = f"{value:.6g}" if isinstance(value, int | float) else None
        return {"class": self.kind, "data-value": number, "data-clock": self.clock or None}


POINTS_COLUMN = Column(
    label="Points (censored)",
    title="points of the law, and those among them whose time is only a lower bound",
    cell=lambda row: f"{format_number(row['points_used'])} ({format_number(row['censored'])})",
    kind="value",
)


def render_table(
    name: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    kind: str = "",
    attributes: Callable[[Row], Mapping[str, object]] = lambda _: {},
) -> Markup:
    """Return a table in a box of its own that scrolls sideways on a narrow page.

    Args:
        name: Content of the table, for screen readers.
        columns: Columns; the first is the heading of its row.
        rows: One mapping a row.
        kind: Class of the table; ``data`` can be sorted and filtered.
        attributes: Function from a row to its attributes.
    """
    return render_own("table.html", name=name, columns=columns, rows=rows, kind=kind, attributes=attributes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """Remarks on the rows of a table, of which each repeated one stands once below it.

    Attributes:
        column: Column of the remarks; it has the number of a repeated one.
        footnotes: The repeated ones as a list; empty if there are none.
    """

    column: Column
    footnotes: Markup


def collect_notes(rows: Sequence[Row], note: Callable[[Row], str], prefix: str) -> Notes:
    """Return the remarks of a table.

    Args:
        rows: Rows of the table.
        note: Function from a row to its remark; empty for none.
        prefix: Begins the ids of the footnotes.
    """
    count = Counter(text for text in map(note, rows) if text)
    numbers = {text: place for place, text in enumerate((t for t, n in count.items() if n > 1), start=1)}
    link = Markup('<a href="#{0}-note-{1}" aria-label="note {1}">note {1}</a>')

    def cell(row: Row) -> str:
        text = note(row)
        return link.format(prefix, numbers[text]) if text in numbers else text

    column = Column(label="Note", title="what to know about the row", cell=cell, kind="why")
    return Notes(column=column, footnotes=render_own("footnotes.html", prefix=prefix, texts=list(numbers)))
