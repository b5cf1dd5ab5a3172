"""Layout of figures: sizes, panels, and the keys below panels."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from results.figures.axes import text_width, tick_label
from results.figures.style import MUTED, PRINT_FONT, ColorScale

COLUMN_HEIGHT = 3.75  # inches
BOTTOM_MARGIN = 0.98  # inches below a panel, for tick labels, axis label and key
PANEL_HEIGHT = 1.55  # inches, of the axes of a printed panel
# Inches by panels in a row: one fills a column of a journal, two or three the page.
PANEL_WIDTHS = {1: 3.5, 2: 2.9}


def panel_id(column: int) -> str:
    """Return the id of a panel in an SVG; that of its key begins with it."""
    return f"panel{column}"


def new_figure(titles: Sequence[str], width: float) -> tuple[Figure, list[Axes]]:
    """Return a figure that is a row of columns, with one axes each and room for a key below.

    Args:
        titles: Title of each column.
        width: Width of one column, inches.
    """
    count = len(titles)
    figure = Figure(figsize=(width * count, COLUMN_HEIGHT))
    left, right, bottom, top = 0.72 / width, 0.12 / width, BOTTOM_MARGIN / COLUMN_HEIGHT, 0.34 / COLUMN_HEIGHT
    axes = []
    for k, title in enumerate(titles):
        ax = figure.add_axes(((k + left) / count, bottom, (1 - left - right) / count, 1 - bottom - top))
        ax.set_title(title, loc="left", fontsize=9.5, fontweight="bold", pad=7)
        ax.set_gid(panel_id(k))
        axes.append(ax)
    return figure, axes


def new_print_figure(
    titles: Sequence[Sequence[str]], headings: Sequence[str] = (), bottom: float = BOTTOM_MARGIN
) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure of rows of panels at their printed size, and its axes row by row.

    Each panel is an axes with a title above it and room for keys below.

    Args:
        titles: Title of each panel, row by row.
        headings: Heading of each row, above its titles; none by default.
        bottom: Inches below each panel for tick labels, axis label and keys.
    """
    columns, head = len(titles[0]), 0.22 if headings else 0.0
    width, tall = PANEL_WIDTHS.get(columns, 2.4), PANEL_HEIGHT + bottom + 0.3 + head
    across, down = columns * width, len(titles) * tall
    figure = Figure(figsize=(across, down))
    grid: list[list[Axes]] = []
    for r, row in enumerate(titles):
        top = down - r * tall  # all in inches
        if headings:
            figure.text(0.08 / across, (top - 0.06) / down, headings[r], va="top", color=MUTED)
        grid.append([])
        for c, title in enumerate(row):
            place = (c * width + 0.6, top - tall + bottom, width - 0.72, PANEL_HEIGHT)
            ax = figure.add_axes((place[0] / across, place[1] / down, place[2] / across, place[3] / down))
            ax.tick_params(labelsize=PRINT_FONT - 0.8, pad=2.5)
            ax.xaxis.labelpad = 2.0
            left = (c * width + 0.08) / across
            figure.text(left, (top - head - 0.08) / down, title, va="top", weight="bold")
            grid[-1].append(ax)
    return figure, grid


def draw_color_key(ax: Axes, label: str, scale: ColorScale, below: float = BOTTOM_MARGIN - 0.27) -> None:
    """Draw a strip of labeled colors below a panel; as many are labeled as there is room for.

    Args:
        ax: The panel.
        label: Label left of the strip.
        scale: Colors of the strip.
        below: Inches from the panel to the strip.
    """
    figure, box = ax.get_figure(), ax.get_position()
    assert isinstance(figure, Figure)
    count = len(scale.values)
    if not count:
        return
    height, font = figure.get_figheight(), 8.0 * mpl.rcParams["font.size"] / 9.0
    cell, every = _fit_cells(scale, 0.94 * box.width * figure.get_figwidth(), font)
    wide = cell * count / figure.get_figwidth()
    strip = figure.add_axes((box.x0 + 0.06 * box.width, box.y0 - below / height, wide, 0.085 / height))
    if (panel := ax.get_gid()) is not None:
        strip.set_gid(f"{panel}-key")
    strip.set_axis_off()
    strip.set(xlim=(0, count), ylim=(0, 1))
    strip.bar(np.arange(count) + 0.5, 1.0, width=0.92, color=[scale.color(v) for v in scale.values])
    for k in range((count - 1) % every // 2, count, every):
        strip.text(k + 0.5, -0.55, tick_label(scale.values[k]), ha="center", va="top", fontsize=font)
    strip.annotate(
        label,
        (0, 0.5),
        (-5, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="center",
    )


class _Cells(NamedTuple):
    """Cells of a color key.

    Attributes:
        width: Width of one color, inches.
        labeled_every: Every n-th color is labeled.
    """

    width: float
    labeled_every: int


def _fit_cells(scale: ColorScale, room: float, font: float) -> _Cells:
    """Return the cells of a color key that fits a width.

    Args:
        scale: Colors of the key.
        room: Width for the whole strip, inches.
        font: Size of the labels, points.
    """
    widest = text_width([tick_label(value) for value in scale.values], font)
    cell = min(room / len(scale.values), max(0.17 * room, widest))
    return _Cells(width=cell, labeled_every=math.ceil(widest / cell - 1e-9))


def draw_line_key(ax: Axes, entries: Mapping[str, Mapping[str, Any]], below: float = 0.4) -> None:
    """Draw a legend of lines and marks below a panel, in as many columns as there is room for.

    Args:
        ax: The panel.
        entries: Properties of each line, by label.
        below: Inches from the panel to the legend.
    """
    if not entries:
        return
    figure, box = ax.get_figure(), ax.get_position()
    assert isinstance(figure, Figure)
    room = box.width * figure.get_figwidth() + 0.3
    column = 0.32 + text_width(list(entries), PRINT_FONT - 1.0)
    figure.legend(
        handles=[Line2D([], [], label=label, **line_style) for label, line_style in entries.items()],
        loc="upper left",
        bbox_to_anchor=(box.x0 - 0.3 / figure.get_figwidth(), box.y0 - below / figure.get_figheight()),
        ncols=max(1, min(len(entries), int(room / column))),
        handlelength=1.9,
        columnspacing=1.0,
        labelspacing=0.25,
        borderaxespad=0.0,
        borderpad=0.1,
    )
