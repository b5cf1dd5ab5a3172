"""The law by each clock that is read off single points, other than t*."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from results.analysis.clocks.reading import CLOCK_TITLES, Clock
from results.analysis.selection import in_law
from results.figures import style
from results.figures.columns import numeric_column
from results.figures.drawing import Drawing
from results.figures.layout import draw_color_key, new_figure
from results.figures.sweep import draw_law
from results.figures.sweep_data import clock_line, collapse_data


def draw_clocks(clocks: Sequence[Clock]) -> Drawing | None:
    """Draw the time of each clock in steps against ηλ/(1-μ), with its fit.

    Args:
        clocks: The clocks of a sweep; those without times of single points are left out.

    Returns:
        None if no clock has times.
    """
    shown = [clock for clock in clocks if clock.times is not None and len(clock.times)]
    if not shown:
        return None
    data = clocks_data(shown)
    titles = tuple(map(_title, shown))
    etas = [numeric_column(clock.times, "eta") for clock in shown if clock.times is not None]
    scale = style.eta_scale(np.concatenate(etas))
    with style.styled():
        figure, axes = new_figure(titles, width=4.3)
        for ax, clock in zip(axes, shown, strict=True):
            draw_law(ax, data[data["panel"] == clock.name], scale, clock_line(clock))
            ax.set_ylabel("steps")
            draw_color_key(ax, "η", scale)
    caption = (
        "As panel b of the collapse, with the time of another clock in place of t*. Hollow with an arrow: the time is "
        f"only a lower bound ({int((data['mark'] == 'censored').sum())} of {len(data)})."
    )
    title = "The law by other clocks"
    return Drawing(name="clocks", title=title, caption=caption, panels=titles, figure=figure, data=data)


def clocks_data(clocks: Sequence[Clock]) -> pd.DataFrame:
    """Return the table of ``draw_clocks``: the panel ``law`` of ``collapse_data``, named by the clock.

    Args:
        clocks: Clocks with times of single points.
    """
    parts = []
    for clock in clocks:
        if clock.times is not None:
            data = collapse_data(clock.times.assign(in_law=in_law(clock.times)), pd.DataFrame())
            parts.append(data[data["panel"] == "law"].assign(panel=clock.name))
    return pd.concat(parts, ignore_index=True)


def _title(clock: Clock) -> str:
    """Return the clock in words, as the title of a panel."""
    title = CLOCK_TITLES[clock.name]
    return title[0].upper() + title[1:]
