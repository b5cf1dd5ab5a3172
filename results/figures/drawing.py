"""A finished figure with the data that it shows, and its files."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from results.figures.style import PRINT_DPI, styled
from results.store.files import write_bytes, write_text
from results.store.paths import AnyPath

PNG_DPI = 120  # two pixels per point of a phone; higher costs time and shows nothing more


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A figure, what it says, and the numbers it shows."""

    name: str
    """File name without ending."""
    title: str
    caption: str
    panels: tuple[str, ...]
    """What each column shows, left to right; columns have equal width."""
    figure: Figure
    data: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A drawing as the contents of its three files."""

    name: str
    title: str
    caption: str
    panels: tuple[str, ...]
    svg: str
    png: bytes
    csv: str


def render(drawing: Drawing, dpi: int = PNG_DPI) -> Rendered:
    """The three files of a drawing as text and bytes; the same drawing always gives the same bytes."""
    svg, png = io.StringIO(), io.BytesIO()
    with styled():
        nothing: Mapping[str, None] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        drawing.figure.savefig(svg, format="svg", dpi=PRINT_DPI, metadata=nothing)  # dpi: of what is pixels there
        drawing.figure.savefig(png, format="png", dpi=dpi, metadata={"Software": None})
    return Rendered(
        name=drawing.name,
        title=drawing.title,
        caption=drawing.caption,
        panels=drawing.panels,
        svg=svg.getvalue(),
        png=png.getvalue(),
        csv=drawing.data.to_csv(index=False, lineterminator="\n"),
    )


def save(drawing: Drawing, folder: AnyPath, dpi: int = PNG_DPI) -> Rendered:
    """Write NAME.svg, NAME.png and NAME.csv into a folder, made if absent, each whole or not at all.

    Returns:
        What was written.
    """
    rendered = render(drawing, dpi)
    write_text(folder / f"{drawing.name}.svg", rendered.svg)
    write_bytes(folder / f"{drawing.name}.png", rendered.png)
    write_text(folder / f"{drawing.name}.csv", rendered.csv)
    return rendered
