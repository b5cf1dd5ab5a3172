"""How every figure looks and how it is written: colours, panels, keys, ticks, files.

A figure is a row of equal columns, each complete with its own axes and key, so that a narrow page can stack
the columns instead of shrinking them. Figures for a journal (``results.paper``) are grids of smaller panels, made to
be printed at their own size. Figures are made from ``matplotlib.figure.Figure`` alone: no pyplot, no
window, no state kept between calls.
"""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.path import Path as Shape
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from results.store.files import write_bytes, write_text
from results.store.place import Place

INK = "#22262b"
MUTED = "#69727d"
GREY = "#d9dee4"
DASHED = (0, (4, 3))
# Okabe & Ito's colours, told apart by every kind of colour blindness; never used for a quantity.
BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
COLUMN_HEIGHT = 3.75  # inches
KEY_ROOM = 0.98  # inches below a panel, for tick labels, axis label and key
MARKER = 4.2  # points
PNG_DPI = 120  # two pixels per point of a phone; higher costs time and shows nothing more
PRINT_DPI = 200
PRINT_FONT = 8.0  # points, at the size a printed figure has
PANEL_HEIGHT = 1.55  # inches, of the axes of a printed panel
PANEL_WIDTHS = {1: 3.5, 2: 2.9}  # inches, by panels in a row: one is a column of a journal, two or three the page

# Text becomes paths: the drawing is then the same on every machine, whatever fonts it has. The salt fixes the
# ids that matplotlib would otherwise draw at random.
_RC: dict[str, object] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9aa3ad",
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#e6e9ed",
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.4,
    "lines.markersize": MARKER,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "svg.fonttype": "path",
    "svg.hashsalt": "sweeper",
    "path.simplify_threshold": 0.3,
}

# A circle with an arrow upwards, "at least this". matplotlib scales a shape to its largest coordinate, 1.5, hence
# the factor three that gives the circle the size of an ordinary marker.
_CIRCLE = Shape.circle((0.0, 0.0), 0.5)
_ARROW = Shape(
    [(0.0, 0.5), (0.0, 1.5), (-0.35, 1.05), (0.0, 1.5), (0.35, 1.05)],
    [Shape.MOVETO, Shape.LINETO, Shape.MOVETO, Shape.LINETO, Shape.LINETO],
)
MARKS: dict[str, dict[str, Any]] = {
    "observed": {"marker": "o", "markeredgewidth": 0.0},
    "censored": {
        "marker": Shape.make_compound_path(_CIRCLE, _ARROW),
        "markersize": 3.0 * MARKER,
        "markerfacecolor": "white",
        "markeredgewidth": 1.0,
    },
    "edge": {"marker": "o", "markerfacecolor": "white", "markeredgewidth": 1.0},
    "outside": {"marker": "s", "markersize": 2.6, "markeredgewidth": 0.0},
    "broken": {"marker": "x", "markeredgewidth": 1.2},
}


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


@dataclass(frozen=True, slots=True)
class Scale:
    """A colour for every value of one quantity, on a logarithmic scale, the same in every figure."""

    values: tuple[float, ...]
    colormap: str
    low: float
    high: float

    def color(self, value: float) -> str:
        """Colour of a value, as #rrggbb."""
        first, last = math.log(self.values[0]), math.log(self.values[-1])
        share = (math.log(value) - first) / (last - first) if last > first else 0.3
        return to_hex(mpl.colormaps[self.colormap](self.low + (self.high - self.low) * share))


def eta_scale(etas: Sequence[float] | np.ndarray) -> Scale:
    """Colours of the learning rates: viridis without its yellow end, which is too pale on white."""
    return Scale(_positive(etas), "viridis", 0.0, 0.86)


def budget_scale(budgets: Sequence[float] | np.ndarray) -> Scale:
    """Colours of the budgets: browns, so that a budget is never taken for a learning rate."""
    return Scale(_positive(budgets), "YlOrBr", 0.38, 0.95)


def lam_scale(lams: Sequence[float] | np.ndarray) -> Scale:
    """Colours of λ > 0 where curves differ in it: pinks to purple, unlike those of η and of the budgets."""
    return Scale(_positive(lams), "RdPu", 0.36, 0.98)


def paler(color: str, share: float) -> str:
    """A colour mixed with white: 0 leaves it, 1 gives white. Opaque, so overlaps stay readable."""
    red, green, blue = (c + (1.0 - c) * share for c in to_rgb(color))
    return to_hex((red, green, blue))


@contextmanager
def styled(font: float = 9.0) -> Iterator[None]:
    """Apply the style for the duration of a ``with`` block, and nowhere else; ``font`` is the size of text, points."""
    sizes = {"font.size": font, "legend.fontsize": font - 1.0}
    with mpl.rc_context(_RC | sizes):  # type: ignore[arg-type]  # the stub lists every known key
        yield


def new_figure(titles: Sequence[str], width: float) -> tuple[Figure, list[Axes]]:
    """A row of columns with one axes each and room for a key below.

    Args:
        titles: heading of each column.
        width: of one column, in inches.
    """
    count = len(titles)
    figure = Figure(figsize=(width * count, COLUMN_HEIGHT))
    left, right, bottom, top = 0.72 / width, 0.12 / width, KEY_ROOM / COLUMN_HEIGHT, 0.34 / COLUMN_HEIGHT
    axes = []
    for k, title in enumerate(titles):
        ax = figure.add_axes(((k + left) / count, bottom, (1 - left - right) / count, 1 - bottom - top))
        ax.set_title(title, loc="left", fontsize=9.5, fontweight="bold", pad=7)
        axes.append(ax)
    return figure, axes


def print_figure(
    titles: Sequence[Sequence[str]], headings: Sequence[str] = (), room: float = KEY_ROOM
) -> tuple[Figure, list[list[Axes]]]:
    """Rows of panels at the size they are printed: each an axes, a title above it and room for keys below.

    Args:
        titles: heading of each panel, row by row.
        headings: of each row, above its titles; none by default.
        room: inches below each panel, for tick labels, axis label and keys.
    """
    columns, head = len(titles[0]), 0.22 if headings else 0.0
    width, tall = PANEL_WIDTHS.get(columns, 2.4), PANEL_HEIGHT + room + 0.3 + head
    across, down = columns * width, len(titles) * tall
    figure = Figure(figsize=(across, down))
    grid: list[list[Axes]] = []
    for r, row in enumerate(titles):
        top = down - r * tall  # all in inches
        if headings:
            figure.text(0.08 / across, (top - 0.06) / down, headings[r], va="top", color=MUTED)
        grid.append([])
        for c, title in enumerate(row):
            place = (c * width + 0.6, top - tall + room, width - 0.72, PANEL_HEIGHT)
            ax = figure.add_axes((place[0] / across, place[1] / down, place[2] / across, place[3] / down))
            ax.tick_params(labelsize=PRINT_FONT - 0.8, pad=2.5)
            ax.xaxis.labelpad = 2.0
            left = (c * width + 0.08) / across
            figure.text(left, (top - head - 0.08) / down, title, va="top", weight="bold")
            grid[-1].append(ax)
    return figure, grid


def color_key(ax: Axes, label: str, scale: Scale, below: float = KEY_ROOM - 0.27) -> None:
    """A strip of labelled colours below a panel; as many are labelled as there is room for.

    Args:
        ax: the panel.
        label: left of the strip.
        scale: its colours.
        below: inches from the panel to the strip.
    """
    figure, box = ax.get_figure(), ax.get_position()
    assert isinstance(figure, Figure)
    count = len(scale.values)
    if not count:
        return
    height, font = figure.get_figheight(), 8.0 * mpl.rcParams["font.size"] / 9.0
    cell, every = _cells(scale, 0.94 * box.width * figure.get_figwidth(), font)
    wide = cell * count / figure.get_figwidth()
    strip = figure.add_axes((box.x0 + 0.06 * box.width, box.y0 - below / height, wide, 0.085 / height))
    strip.set_axis_off()
    strip.set(xlim=(0, count), ylim=(0, 1))
    strip.bar(np.arange(count) + 0.5, 1.0, width=0.92, color=[scale.color(v) for v in scale.values])
    for k in range((count - 1) % every // 2, count, every):
        strip.text(k + 0.5, -0.55, plain(scale.values[k]), ha="center", va="top", fontsize=font)
    strip.annotate(
        label,
        (0, 0.5),
        (-5, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="center",
    )


def _cells(scale: Scale, room: float, font: float) -> tuple[float, int]:
    """Width of a colour in inches, and that every n-th is labelled."""
    widest = _width([plain(value) for value in scale.values], font)
    cell = min(room / len(scale.values), max(0.17 * room, widest))
    return cell, math.ceil(widest / cell - 1e-9)


def line_key(ax: Axes, entries: Mapping[str, Mapping[str, Any]], below: float = 0.4) -> None:
    """What lines and marks mean, below a panel, in as many columns as there is room for.

    Args:
        ax: the panel.
        entries: label to the properties of its line.
        below: inches from the panel to the key.
    """
    if not entries:
        return
    figure, box = ax.get_figure(), ax.get_position()
    assert isinstance(figure, Figure)
    room = box.width * figure.get_figwidth() + 0.3
    column = 0.32 + _width(list(entries), PRINT_FONT - 1.0)
    figure.legend(
        handles=[Line2D([], [], label=label, **look) for label, look in entries.items()],
        loc="upper left",
        bbox_to_anchor=(box.x0 - 0.3 / figure.get_figwidth(), box.y0 - below / figure.get_figheight()),
        ncols=max(1, min(len(entries), int(room / column))),
        handlelength=1.9,
        columnspacing=1.0,
        labelspacing=0.25,
        borderaxespad=0.0,
        borderpad=0.1,
    )


def no_data(ax: Axes, reason: str) -> None:
    """Say in a panel why it is empty."""
    ax.set(xscale="linear", yscale="linear", xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.text(0.5, 0.56, "no data", ha="center", transform=ax.transAxes, fontsize=12, color=MUTED)
    ax.text(0.5, 0.44, reason, ha="center", va="top", transform=ax.transAxes, color=MUTED, wrap=True, fontsize=8.5)


def log_axis(axis: Axis, values: np.ndarray, inches: float | None = None) -> None:
    """Logarithmic axis around values with a few labelled ticks, at 1, 2, 5 below two decades.

    Fixed ticks are several times quicker to draw than matplotlib's own search for them.

    Args:
        axis: of a panel.
        values: what it must show, all above zero.
        inches: length of the axis; given, ticks are as close as their labels allow.
    """
    low, high = math.log10(values.min()), math.log10(values.max())
    margin = 0.06 * max(high - low, 0.7)
    low, high = low - margin, high + margin
    set_scale, set_limits = (
        (axis.axes.set_xscale, axis.axes.set_xlim)
        if axis.axis_name == "x"  # type: ignore[attr-defined]
        else (axis.axes.set_yscale, axis.axes.set_ylim)
    )
    set_limits(10.0**low, 10.0**high)  # before the scale, which would look for limits of its own
    set_scale("log")
    decades = range(math.floor(low), math.ceil(high) + 1)
    ticks = _log_ticks(low, high, inches, axis.axis_name == "x")  # type: ignore[attr-defined]
    minor = [m * 10.0**d for d in decades for m in range(2, 10)] if high - low < 5 else []
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axis.set_minor_locator(FixedLocator(minor) if minor else NullLocator())
    axis.set_minor_formatter(NullFormatter())


_TICKS = ((1, (1, 2, 5)), (1, (1, 3)), *((every, (1,)) for every in range(1, 12)))  # every n-th decade, steps in it


def _log_ticks(low: float, high: float, inches: float | None, along: bool) -> list[float]:
    """Labelled ticks between two powers of ten: those as close as labels beside (``along``) each other allow."""

    def inside(every: int, steps: Sequence[int]) -> list[float]:
        decades = (d for d in range(math.floor(low), math.ceil(high) + 1) if d % every == 0)
        return [t for d in decades for m in steps if low <= math.log10(t := float(f"{m}e{d}")) <= high]

    if inches is None:
        return inside(int(-(-(high - low) // 8)), (1, 2, 5) if high - low < 2 else (1,))
    for every, steps in _TICKS:
        ticks = inside(every, steps)
        gap = min(np.diff(np.log10(ticks)), default=math.inf) / (high - low) * inches
        if gap >= (_width([plain(t) for t in ticks], PRINT_FONT) if along else 0.17):
            break
    return ticks


def _width(labels: Sequence[str], font: float) -> float:
    """Inches that the longest label takes, with a blank; some letters are narrow."""
    narrow = " .,;:·*/ijlt⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
    longest = max((sum(0.4 if c in narrow else 0.64 for c in label) for label in labels), default=0.0)
    return longest * font / 72 + 0.05


def plain(value: float) -> str:
    """A tick label: 0, 0.3, 20, 10⁻⁴, 2·10⁵."""
    if value == 0:
        return "0"
    if 0.001 <= value < 1e4 and value == float(f"{value:.3g}"):
        return f"{value:g}"
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = value / 10.0**exponent
    power = "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if math.isclose(factor, 1.0, rel_tol=5e-3) else f"{factor:.2g}·{power}"


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


def save(drawing: Drawing, folder: Place, dpi: int = PNG_DPI) -> Rendered:
    """Write NAME.svg, NAME.png and NAME.csv into a folder, made if absent, each whole or not at all.

    Returns:
        What was written.
    """
    rendered = render(drawing, dpi)
    write_text(folder / f"{drawing.name}.svg", rendered.svg)
    write_bytes(folder / f"{drawing.name}.png", rendered.png)
    write_text(folder / f"{drawing.name}.csv", rendered.csv)
    return rendered


def _positive(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    array = np.asarray(values, dtype=float)
    return tuple(np.unique(array[np.isfinite(array) & (array > 0)]).tolist())
