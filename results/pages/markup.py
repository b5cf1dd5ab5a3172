"""Pieces of HTML: escaped text, formatted numbers, tables, and drawings."""

import html
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from string import Template
from xml.etree import ElementTree

from results.figures.drawing import Rendered
from search_spaces.sections.metric import Metric

ABSENT_SIGN = "–"
RULING_SYMBOLS = {"pass": "✓", "fail": "✗", "inconclusive": "?"}
_TO_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
# matplotlib sets these with a style rule for every element of the page; as attributes they stay in the drawing
_STROKE_ATTRIBUTES = 'stroke-linejoin="round" stroke-linecap="butt"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Attributes:
        label: Heading of the column, as HTML.
        cell: Function from a row to its cell as HTML.
        kind: Class of the cell in the style sheet.
    """

    label: str
    cell: Callable[[Mapping[str, object]], str]
    kind: str = "number"


def escape(value: object) -> str:
    """Return anything as escaped text; a dash for None, NaN and the empty string."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or value == "":
        return ABSENT_SIGN
    return html.escape(str(value))


def format_number(value: object, digits: int = 3) -> str:
    """Return a number with some significant digits: 0.0123, 4 500, 1.5·10⁻⁵. Anything else becomes escaped text."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return escape(value)
    x = float(value)
    if not math.isfinite(x):
        return {math.inf: "∞", -math.inf: "−∞"}.get(x, ABSENT_SIGN)
    size = abs(x)
    if isinstance(value, Integral) or (100 <= size < 1e6):
        return f"{x:,.0f}".replace(",", "\u202f").replace("-", "−")
    if size and not 1e-3 <= size < 1e6:
        factor, power = f"{x:.{digits - 1}e}".split("e")
        factor = factor.rstrip("0").rstrip(".") if "." in factor else factor
        tens = "10" + str(int(power)).translate(_TO_SUPERSCRIPT)
        return (tens if factor == "1" else f"{factor}·{tens}").replace("-", "−")
    return f"{x:.{digits}g}".replace("-", "−")


def format_accuracy(value: object) -> str:
    """Return an accuracy with four decimals, the resolution of a test set of ten thousand."""
    if isinstance(value, Real) and math.isfinite(float(value)):
        return f"{float(value):.4f}".replace("-", "−")
    return escape(value)


def format_metric(value: object, metric: Metric) -> str:
    """Return a value of the metric of a sweep: an accuracy with four decimals, anything else with four digits."""
    return format_accuracy(value) if metric.is_accuracy else format_number(value, digits=4)


def format_estimate(value: object, interval: object, digits: int = 3) -> str:
    """Return a value with its interval, all with the same number of decimals: 0.48 [0.44, 0.53].

    Args:
        value: The value.
        interval: Its two ends; anything else gives the value alone.
        digits: Significant digits of the largest of the three.
    """
    low, high = interval if isinstance(interval, Sequence) and len(interval) == 2 else (None, None)
    parts = [float(x) for x in (value, low, high) if isinstance(x, Real) and math.isfinite(float(x))]
    if len(parts) < 3:
        return format_number(value, digits)
    largest = max(abs(x) for x in parts)
    if 1e-3 <= largest < 100:
        decimals = max(0, digits - 1 - math.floor(math.log10(largest)))
        shown = [f"{x:.{decimals}f}".replace("-", "−") for x in parts]
    else:
        shown = [format_number(x, digits) for x in parts]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def badge(ruling: str, words: str) -> str:
    """Return a ruling as symbol, words and color; each of them suffices alone.

    Args:
        ruling: pass, fail or inconclusive.
        words: The ruling in words.
    """
    return (
        f'<span class="mark {ruling}"><span aria-hidden="true">{RULING_SYMBOLS[ruling]}</span> {escape(words)}</span>'
    )


def escape_remark(value: object) -> str:
    """Return a sentence, escaped, with true minus and relation signs; empty for anything but text."""
    if not isinstance(value, str):
        return ""
    signs = value.replace("<=", "≤").replace(">=", "≥")
    return html.escape(re.sub(r"(?<![\w.-])-(?=[\d.])", "−", signs))


def fill_page(template: Path, **contents: str) -> str:
    """Return the page of a template, with the style sheet of all pages inside, so that it loads nothing.

    Args:
        template: The HTML file. It names its places ``$name``, and that of the style sheet ``$css``.
        **contents: The HTML of every other place.

    Raises:
        KeyError: a place of the template is not given.
    """
    css = Path(__file__).with_name("report.css").read_text(encoding="utf-8").strip()
    return Template(template.read_text(encoding="utf-8")).substitute(contents, css=css)


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
) -> str:
    """Return a table in a box of its own that scrolls sideways on a narrow page.

    Args:
        name: Content of the table, for screen readers.
        columns: Columns; the first is the heading of its row.
        rows: One mapping a row.
        kind: Class of the table.
        row_kind: Function from a row to its class.
    """
    heads = "".join(f'<th scope="col" role="columnheader" class="{f.kind}">{f.label}</th>' for f in columns)
    body = "\n".join(_render_row(columns, row, row_kind(row)) for row in rows)
    # the roles keep this a table when a narrow page shows each row as a block
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{html.escape(name)}">\n'
        f'<table role="table" class="{kind}">\n'
        f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead>\n<tbody role="rowgroup">\n{body}\n</tbody>\n'
        "</table>\n</div>"
    )


def _render_row(columns: Sequence[Column], row: Mapping[str, object], kind: str) -> str:
    """Return one row of a table."""
    first, *rest = columns
    cells = "".join(
        f'<td role="cell" class="{f.kind}" data-label="{html.escape(f.label)}">{f.cell(row)}</td>' for f in rest
    )
    head = f'<th scope="row" role="rowheader" class="{first.kind}">{first.cell(row)}</th>'
    return f'<tr role="row" class="{kind}">{head}{cells}</tr>'


def render_panels(drawing: Rendered) -> str:
    """Return a drawing as one ``<svg>`` a panel, so that a narrow page stacks them.

    The whole figure is stored once, invisible, and each panel is a window on its column. The name of the drawing
    prefixes all ids, since drawings share the ids of a page.
    """
    root = ElementTree.fromstring(drawing.svg)
    _, _, width, height = (float(part) for part in root.attrib["viewBox"].split())
    prefix = re.sub(r"[^A-Za-z0-9]", "-", drawing.name)
    column = width / len(drawing.panels)
    windows = "\n".join(
        f'<svg class="panel" viewBox="{k * column:g} 0 {column:g} {height:g}" role="img" '
        f'aria-labelledby="{prefix}-panel-{k}"><title id="{prefix}-panel-{k}">{escape(drawing.title)}: {escape(panel)}'
        f'</title><use href="#{prefix}-whole"></use></svg>'
        for k, panel in enumerate(drawing.panels)
    )
    return (
        f'<svg class="source" aria-hidden="true" focusable="false"><defs><g id="{prefix}-whole" {_STROKE_ATTRIBUTES}>'
        f"{_strip_svg(root, prefix)}</g></defs></svg>\n{windows}"
    )


def _strip_svg(root: ElementTree.Element, prefix: str) -> str:
    """Return the contents of an SVG without namespaces, metadata and style rules, with ids and references renamed."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style", "}script")):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {k.rpartition("}")[2]: _rename_reference(k, v, prefix) for k, v in element.attrib.items()}
    return "".join(ElementTree.tostring(child, encoding="unicode", short_empty_elements=False) for child in root)


def _rename_reference(key: str, value: str, prefix: str) -> str:
    """Return the value of an attribute with the prefix on every id in it."""
    if key == "id":
        return f"{prefix}-{value}"
    if key.endswith("href") and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    return _REFERENCE.sub(rf"url(#{prefix}-\1)", value)
