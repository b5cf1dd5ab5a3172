"""How every figure looks and how it is written: colours, panels, keys, ticks, files.

A figure is a row of equal columns, each complete with its own axes and key, so that a narrow page can stack
the columns instead of shrinking them. Figures are made from ``matplotlib.figure.Figure`` alone: no pyplot, no
window, no state kept between calls.
"""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.path import Path as Shape
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

INK = "#22262b"
MUTED = "#69727d"
COLUMN_HEIGHT = 3.75  # inches
MARKER = 4.2  # points
PNG_DPI = 120  # two pixels per point of a phone; higher costs time and shows nothing more

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


def paler(color: str, share: float) -> str:
    """A colour mixed with white: 0 leaves it, 1 gives white. Opaque, so overlaps stay readable."""
    red, green, blue = (c + (1.0 - c) * share for c in to_rgb(color))
    return to_hex((red, green, blue))


@contextmanager
def styled() -> Iterator[None]:
    """Apply the style for the duration of a ``with`` block, and nowhere else."""
    with mpl.rc_context(_RC):  # type: ignore[arg-type]  # the stub lists every known key
        yield


def new_figure(titles: Sequence[str], width: float) -> tuple[Figure, list[Axes]]:
    """A row of columns with one axes each and room for a key below.

    Args:
        titles: heading of each column.
        width: of one column, in inches.
    """
    count = len(titles)
    figure = Figure(figsize=(width * count, COLUMN_HEIGHT))
    left, right, bottom, top = 0.72 / width, 0.12 / width, 0.98 / COLUMN_HEIGHT, 0.34 / COLUMN_HEIGHT
    axes = []
    for k, title in enumerate(titles):
        ax = figure.add_axes(((k + left) / count, bottom, (1 - left - right) / count, 1 - bottom - top))
        ax.set_title(title, loc="left", fontsize=9.5, fontweight="bold", pad=7)
        axes.append(ax)
    return figure, axes


def color_key(ax: Axes, label: str, scale: Scale) -> None:
    """A strip of labelled colours below a panel; every n-th is labelled when there are many."""
    figure, box = ax.get_figure(), ax.get_position()
    assert isinstance(figure, Figure)
    count = len(scale.values)
    if not count:
        return
    height, width = figure.get_figheight(), min(1.0, 0.17 * count)
    strip = figure.add_axes((box.x0 + 0.06 * box.width, 0.27 / height, 0.94 * box.width * width, 0.085 / height))
    strip.set_axis_off()
    strip.set(xlim=(0, count), ylim=(0, 1))
    strip.bar(np.arange(count) + 0.5, 1.0, width=0.92, color=[scale.color(v) for v in scale.values])
    every = -(-count // 7)
    for k in range(0, count, every):
        strip.text(k + 0.5, -0.55, plain(scale.values[k]), ha="center", va="top", fontsize=8)
    strip.annotate(
        label,
        (0, 0.5),
        (-5, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="center",
    )


def no_data(ax: Axes, reason: str) -> None:
    """Say in a panel why it is empty."""
    ax.set(xscale="linear", yscale="linear", xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.text(0.5, 0.56, "no data", ha="center", transform=ax.transAxes, fontsize=12, color=MUTED)
    ax.text(0.5, 0.44, reason, ha="center", va="top", transform=ax.transAxes, color=MUTED, wrap=True, fontsize=8.5)


def log_axis(axis: Axis, values: np.ndarray) -> None:
    """Logarithmic axis around values with a few labelled ticks, at 1, 2, 5 below two decades.

    Fixed ticks are several times quicker to draw than matplotlib's own search for them.
    """
    low, high = math.log10(values.min()), math.log10(values.max())
    margin = 0.06 * max(high - low, 0.7)
    low, high = low - margin, high + margin
    set_scale, set_limits = (
        (axis.axes.set_xscale, axis.axes.set_xlim)
        if axis.axis_name == "x"  # type: ignore[attr-defined]
        else (axis.axes.set_yscale, axis.axes.set_ylim)
    )
    set_scale("log")
    set_limits(10.0**low, 10.0**high)
    decades = range(math.floor(low), math.ceil(high) + 1)
    every = -(-(high - low) // 8)
    steps = (1, 2, 5) if high - low < 2 else (1,)
    ticks = [m * 10.0**d for d in decades if d % every == 0 for m in steps]
    minor = [m * 10.0**d for d in decades for m in range(2, 10)] if high - low < 5 else []
    axis.set_major_locator(FixedLocator([t for t in ticks if low <= math.log10(t) <= high]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axis.set_minor_locator(FixedLocator(minor) if minor else NullLocator())
    axis.set_minor_formatter(NullFormatter())


def plain(value: float) -> str:
    """A tick label: 0.3, 20, 10⁻⁴, 2·10⁵."""
    if 0.001 <= value < 1e4 and value == float(f"{value:.3g}"):
        return f"{value:g}"
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = value / 10.0**exponent
    power = "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if math.isclose(factor, 1.0, rel_tol=5e-3) else f"{factor:.2g}·{power}"


def render(drawing: Drawing) -> Rendered:
    """The three files of a drawing as text and bytes; the same drawing always gives the same bytes."""
    svg, png = io.StringIO(), io.BytesIO()
    with styled():
        nothing: Mapping[str, None] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        drawing.figure.savefig(svg, format="svg", metadata=nothing)
        drawing.figure.savefig(png, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return Rendered(
        name=drawing.name,
        title=drawing.title,
        caption=drawing.caption,
        panels=drawing.panels,
        svg=svg.getvalue(),
        png=png.getvalue(),
        csv=drawing.data.to_csv(index=False, lineterminator="\n"),
    )


def save(drawing: Drawing, folder: str | Path) -> Rendered:
    """Write NAME.svg, NAME.png and NAME.csv into a folder, made if absent; returns what was written."""
    rendered, folder = render(drawing), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{drawing.name}.svg").write_text(rendered.svg, encoding="utf-8", newline="\n")
    (folder / f"{drawing.name}.png").write_bytes(rendered.png)
    (folder / f"{drawing.name}.csv").write_text(rendered.csv, encoding="utf-8", newline="\n")
    return rendered


def _positive(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    array = np.asarray(values, dtype=float)
    return tuple(np.unique(array[np.isfinite(array) & (array > 0)]).tolist())
