"""Parts of the panels of the paper's figures: lines of means, curves, references, axes, keys."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from results.figures.axes import set_log_axis
from results.figures.layout import draw_color_key, draw_line_key
from results.figures.style import DASHED, INK, MARK_STYLES, MARKER_SIZE, ColorScale, lighten

SEED_DOT_STYLE: dict[str, Any] = {"markersize": 2.0, "markeredgewidth": 0.0}
LINE_KEY_MARGIN = 0.72  # inches below panels with a legend of lines and no color key
LAM_ZERO_STYLE: dict[str, Any] = {"color": INK, "linestyle": DASHED, "linewidth": 1.0}
BOUND_STYLE: dict[str, Any] = (
    {"color": INK, "linestyle": "none"} | MARK_STYLES["censored"] | {"markersize": 0.75 * 3 * MARKER_SIZE}
)

LineStyle = Mapping[str, Any]


def panel_rows(data: pd.DataFrame, name: str, sweep: str | None = None) -> pd.DataFrame:
    """Return the rows of a panel, with all columns of the paper's figures.

    Args:
        data: Table of a figure.
        name: Name of the panel.
        sweep: Name of a sweep; None for all.
    """
    rows = data[data["panel"] == name]
    if sweep is not None and "sweep" in data:
        rows = rows[rows["sweep"] == sweep]
    columns = ["sweep", "series", "eta", "lam", "budget_at", "seed", "seeds", "low", "high"]
    return rows.reindex(columns=[*data.columns, *(c for c in columns if c not in data)])


def styles_from(scale: ColorScale) -> Callable[[float], LineStyle]:
    """Return a function from a value to its line style: its color, or the dashed reference for λ = 0."""
    return lambda value: {"color": scale.color(value)} if value > 0 else LAM_ZERO_STYLE


def draw_means(ax: Axes, rows: pd.DataFrame, by: str, style_of: Callable[[Any], LineStyle]) -> None:
    """Draw a line per group through the observed means; mark every mean, and each seed as a small paler dot.

    Args:
        ax: The panel.
        rows: Rows of the panel, of ``means_and_seeds``.
        by: Column of the groups.
        style_of: Function from a group's value to its line style.
    """
    rows = rows[rows["mark"] != "reference"]
    for value, part in rows.groupby(by, sort=True):
        line_style = dict(style_of(value))
        means, seeds = part[part["seed"].isna()].sort_values("x"), part[part["seed"].notna()]
        line = means[means["mark"].isin(["observed", "edge"])]
        ax.plot(line["x"], line["y"], **line_style)
        dots = seeds[seeds["mark"] != "broken"]
        marker = line_style.get("marker", "o")
        pale = lighten(line_style["color"], 0.45)
        ax.plot(dots["x"], dots["y"], linestyle="none", color=pale, marker=marker, zorder=2.1, **SEED_DOT_STYLE)
        draw_marks(ax, pd.concat([means, seeds[seeds["mark"] == "broken"]]), line_style)


def draw_marks(ax: Axes, rows: pd.DataFrame, line_style: LineStyle) -> None:
    """Draw means: full marks if observed, hollow with an arrow if a lower bound, hollow at the edge, crosses if broken.

    Args:
        ax: The panel.
        rows: Rows to draw.
        line_style: Color, and the marker of observed means if not a circle.
    """
    for mark, mark_style in MARK_STYLES.items():
        part = rows[rows["mark"] == mark]
        if part.empty:
            continue
        properties = dict(mark_style)
        if "marker" in line_style and mark in {"observed", "edge"}:
            properties["marker"] = line_style["marker"]
        if mark == "censored":
            properties["markersize"] = BOUND_STYLE["markersize"]
        ax.plot(part["x"], part["y"], color=line_style["color"], linestyle="none", zorder=3, **properties)


def draw_curves(ax: Axes, rows: pd.DataFrame, by: str, style_of: Callable[[Any], LineStyle], **properties: Any) -> None:
    """Draw a line per group, without marks, in order of x.

    Args:
        ax: The panel.
        rows: Rows of the panel.
        by: Column of the groups.
        style_of: Function from a group's value to its line style.
        **properties: Further properties of all lines.
    """
    for value, part in rows.groupby(by, sort=False, dropna=False):
        ordered = part.sort_values("x")
        ax.plot(ordered["x"], ordered["y"], **{"linewidth": 1.2} | dict(style_of(value)) | properties)


def draw_reference(ax: Axes, rows: pd.DataFrame, color: Callable[[pd.Series], str] = lambda _: INK) -> None:
    """Draw a dashed line across the panel for each row marked as a reference: λ = 0.

    Args:
        ax: The panel.
        rows: Rows of the panel.
        color: Function from a row to its color.
    """
    for _, row in rows[rows["mark"] == "reference"].iterrows():
        ax.axhline(row["y"], **LAM_ZERO_STYLE | {"color": color(row)})


def log_x(ax: Axes, values: np.ndarray, label: str) -> None:
    """Make the x axis logarithmic and label it.

    Args:
        ax: The panel.
        values: Values that must be visible (n,); those not finite or not positive do not count.
        label: Label of the axis.
    """
    set_log_axis(ax.xaxis, values[np.isfinite(values) & (values > 0)], ax.bbox.width / ax.figure.dpi)
    ax.set_xlabel(label)


def log_y(ax: Axes, values: np.ndarray, label: str) -> None:
    """Make the y axis logarithmic and label it.

    Args:
        ax: The panel.
        values: Values that must be visible (n,); those not finite or not positive do not count.
        label: Label of the axis.
    """
    set_log_axis(ax.yaxis, values[np.isfinite(values) & (values > 0)], ax.bbox.height / ax.figure.dpi)
    ax.set_ylabel(label)


def draw_keys(ax: Axes, label: str, scale: ColorScale, lines: Mapping[str, LineStyle] | None = None) -> None:
    """Draw the color key of a panel, and below it the legend of its lines and marks.

    Args:
        ax: The panel.
        label: Label of the color key.
        scale: Colors of the key.
        lines: Properties of each line or mark, by label.
    """
    draw_color_key(ax, label, scale, below=0.54)
    draw_line_key(ax, lines or {}, below=0.75)


def share_y_limits(axes: list[Axes]) -> None:
    """Give panels that are to be compared one range of y."""
    limits = np.array([ax.get_ylim() for ax in axes])
    for ax in axes:
        ax.set_ylim(limits[:, 0].min(), limits[:, 1].max())
