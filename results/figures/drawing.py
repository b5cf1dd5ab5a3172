"""A finished figure with the table that it shows, and its files."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.figures.style import PRINT_DPI, styled
from results.store.files import write_bytes
from results.store.paths import AnyPath

POINTS_PER_INCH = 72.0
PNG_DPI = 120  # two pixels per point of a phone; more costs time and shows nothing more


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A figure with its caption and the table that it shows.

    Attributes:
        name: File name without ending.
        title: Title of the figure.
        caption: Caption of the figure.
        panels: Title of each column, left to right; columns have equal width.
        figure: The figure.
        data: Table of all that it shows.
    """

    name: str
    title: str
    caption: str
    panels: tuple[str, ...]
    figure: Figure
    data: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A drawing as the contents of its three files.

    Attributes:
        name: File name without ending.
        title: Title of the figure.
        caption: Caption of the figure.
        panels: Title of each column, left to right.
        svg: The figure as SVG.
        png: The figure as PNG.
        csv: The table as CSV.
        data: The table. Ids in the SVG name its rows (``results.figures.row_ids``).
        decades: Length of a decade on the x axis of each panel in units of the SVG; 0 where it is not logarithmic.
    """

    name: str
    title: str
    caption: str
    panels: tuple[str, ...]
    svg: str
    png: bytes
    csv: str
    data: pd.DataFrame = field(compare=False)  # its text compares
    decades: tuple[float, ...] = ()


def _without_formula(cell: object) -> object:
    """Put an apostrophe before a text that a spreadsheet would take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def render(drawing: Drawing, dpi: int = PNG_DPI) -> Rendered:
    """Render a drawing as SVG, PNG and CSV; the same drawing always gives the same bytes."""
    svg, png = io.StringIO(), io.BytesIO()
    with styled():
        no_metadata: Mapping[str, None] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        drawing.figure.savefig(svg, format="svg", dpi=PRINT_DPI, metadata=no_metadata)  # dpi of rasterized parts
        drawing.figure.savefig(png, format="png", dpi=dpi, metadata={"Software": None})
    return Rendered(
        name=drawing.name,
        title=drawing.title,
        caption=drawing.caption,
        panels=drawing.panels,
        svg=svg.getvalue(),
        png=png.getvalue(),
        csv=drawing.data.map(_without_formula).to_csv(index=False, lineterminator="\n"),
        data=drawing.data,
        decades=tuple(_decade(ax) for ax in drawing.figure.axes if (ax.get_gid() or "").isalnum()),
    )


def _decade(ax: Axes) -> float:
    """Return the length of a decade on the x axis in points, the unit of an SVG; 0 where it is not logarithmic."""
    if ax.get_xscale() != "log":
        return 0.0
    ends = ax.transData.transform([(1.0, 1.0), (10.0, 1.0)])
    return float(ends[1, 0] - ends[0, 0]) * POINTS_PER_INCH / ax.figure.dpi


def save(
    drawing: Drawing,
    folder: AnyPath,
    dpi: int = PNG_DPI,
    write: Callable[[AnyPath, bytes], None] = write_bytes,
) -> Rendered:
    """Render a drawing and write NAME.svg, NAME.png and NAME.csv, each whole or not at all.

    Args:
        drawing: The drawing.
        folder: Folder to write to; made if absent.
        dpi: Resolution of the PNG, dots per inch.
        write: Writes a file.

    Returns:
        The contents that were written.
    """
    rendered = render(drawing, dpi)
    write(folder / f"{drawing.name}.svg", rendered.svg.encode())
    write(folder / f"{drawing.name}.png", rendered.png)
    write(folder / f"{drawing.name}.csv", rendered.csv.encode())
    return rendered
