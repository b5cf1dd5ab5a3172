"""Style of all figures: colors, marks, fonts.

A figure of a report is a row of equal columns, each complete with its own axes and key. A narrow page can therefore
stack the columns instead of shrinking them. Figures for a journal (``results.figures.paper``) are grids of smaller
panels, made to be printed at their own size. Figures are made from ``matplotlib.figure.Figure`` alone: no pyplot, no
window, no state kept between calls.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex, to_rgb
from matplotlib.path import Path as Shape

INK = "#22262b"
MUTED = "#69727d"
GREY = "#d9dee4"
DASHED = (0, (4, 3))
# Okabe & Ito's colors, distinguishable with every kind of color blindness; never used for a quantity.
BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
MARKER_SIZE = 4.2  # points
PRINT_DPI = 200
PRINT_FONT = 8.0  # points, in print

# Text becomes paths: the drawing is then the same on every machine, whatever fonts it has. The salt fixes the
# ids that matplotlib would otherwise draw at random.
_RC_PARAMS: dict[str, object] = {
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
    "lines.markersize": MARKER_SIZE,
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
MARK_STYLES: dict[str, dict[str, Any]] = {
    "observed": {"marker": "o", "markeredgewidth": 0.0},
    "censored": {
        "marker": Shape.make_compound_path(_CIRCLE, _ARROW),
        "markersize": 3.0 * MARKER_SIZE,
        "markerfacecolor": "white",
        "markeredgewidth": 1.0,
    },
    "edge": {"marker": "o", "markerfacecolor": "white", "markeredgewidth": 1.0},
    "outside": {"marker": "s", "markersize": 2.6, "markeredgewidth": 0.0},
    "broken": {"marker": "x", "markeredgewidth": 1.2},
}


@dataclass(frozen=True, slots=True)
class ColorScale:
    """A color for every value of one quantity, on a logarithmic scale, the same in every figure.

    Attributes:
        values: Distinct values of the quantity, all above zero, ascending.
        colormap: Name of a colormap of matplotlib.
        low: Place of the smallest value in the colormap, 0 to 1.
        high: Place of the largest value in the colormap, 0 to 1.
    """

    values: tuple[float, ...]
    colormap: str
    low: float
    high: float

    def color(self, value: float) -> str:
        """Return the color of a value as #rrggbb."""
        first, last = math.log(self.values[0]), math.log(self.values[-1])
        share = (math.log(value) - first) / (last - first) if last > first else 0.3
        colors = mpl.colormaps[self.colormap].resampled(
            256
        )  # where ``image.lut`` of a ``matplotlibrc`` has another number
        return to_hex(colors(self.low + (self.high - self.low) * share))


def eta_scale(etas: Sequence[float] | np.ndarray) -> ColorScale:
    """Return colors of learning rates (n,): viridis without its yellow end, which is too pale on white."""
    return ColorScale(_positive(etas), "viridis", 0.0, 0.86)


def budget_scale(budgets: Sequence[float] | np.ndarray) -> ColorScale:
    """Return colors of budgets (n,): browns, so that a budget is never taken for a learning rate."""
    return ColorScale(_positive(budgets), "YlOrBr", 0.38, 0.95)


def lam_scale(lams: Sequence[float] | np.ndarray) -> ColorScale:
    """Return colors of λ > 0 (n,) where curves differ in it: pinks to purple, unlike those of η and of the budgets."""
    return ColorScale(_positive(lams), "RdPu", 0.36, 0.98)


def lighten(color: str, share: float) -> str:
    """Mix a color with white; a share of 0 leaves it, 1 gives white.

    The result is opaque, so that overlaps stay readable.
    """
    red, green, blue = (c + (1.0 - c) * share for c in to_rgb(color))
    return to_hex((red, green, blue))


@contextmanager
def styled(font: float = 9.0) -> Iterator[None]:
    """Apply the style within a ``with`` block and nowhere else, whatever a ``matplotlibrc`` or a script has set.

    Args:
        font: size of text in points.
    """
    defaults = {key: value for key, value in mpl.rcParamsDefault.items() if key != "backend"}  # which no figure reads
    sizes = {"font.size": font, "legend.fontsize": font - 1.0}
    with mpl.rc_context(defaults | _RC_PARAMS | sizes):  # type: ignore[arg-type]  # the stub lists every known key
        yield


def _positive(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    """Return the distinct finite values above zero, ascending."""
    array = np.asarray(values, dtype=float)
    return tuple(np.unique(array[np.isfinite(array) & (array > 0)]).tolist())
