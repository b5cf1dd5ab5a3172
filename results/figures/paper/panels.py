"""What the panels of the paper's figures are made of: lines of means, curves, references, axes, keys."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from results.figures.axes import set_log_axis
from results.figures.layout import draw_color_key, draw_line_key
from results.figures.style import DASHED, INK, MARK_STYLES, MARKER_SIZE, ColorScale, lighten

SEED_DOT_STYLE: dict[str, Any] = {"markersize": 2.0, "markeredgewidth": 0.0}
LINE_KEY_MARGIN = 0.72  # inches below panels that have lines to explain and no colours
LAM_ZERO_STYLE: dict[str, Any] = {"color": INK, "linestyle": DASHED, "linewidth": 1.0}
BOUND_STYLE: dict[str, Any] = (
    {"color": INK, "linestyle": "none"} | MARK_STYLES["censored"] | {"markersize": 0.75 * 3 * MARKER_SIZE}
)

LineStyle = Mapping[str, Any]


def panel_rows(data: pd.DataFrame, name: str, sweep: str | None = None) -> pd.DataFrame:
    """The rows of a panel, all columns present."""
    rows = data[data["panel"] == name]
    if sweep is not None and "sweep" in data:
        rows = rows[rows["sweep"] == sweep]
    columns = ["sweep", "series", "eta", "lam", "budget_at", "seed", "seeds", "low", "high"]
    return rows.reindex(columns=[*data.columns, *(c for c in columns if c not in data)])


def styles_from(scale: ColorScale) -> Callable[[float], LineStyle]:
    """The look of a value: its colour; λ = 0 is the dashed reference."""
    return lambda value: {"color": scale.color(value)} if value > 0 else LAM_ZERO_STYLE


def draw_means(ax: Axes, rows: pd.DataFrame, by: str, look: Callable[[Any], LineStyle]) -> None:
    """A line a group through the observed means; every mean marked, each seed a small paler dot."""
    rows = rows[rows["mark"] != "reference"]
    for value, part in rows.groupby(by, sort=True):
        own = dict(look(value))
        means, seeds = part[part["seed"].isna()].sort_values("x"), part[part["seed"].notna()]
        line = means[means["mark"].isin(["observed", "edge"])]
        ax.plot(line["x"], line["y"], **own)
        dots = seeds[seeds["mark"] != "broken"]
        marker = own.get("marker", "o")
        pale = lighten(own["color"], 0.45)
        ax.plot(dots["x"], dots["y"], linestyle="none", color=pale, marker=marker, zorder=2.1, **SEED_DOT_STYLE)
        draw_marks(ax, pd.concat([means, seeds[seeds["mark"] == "broken"]]), own)


def draw_marks(ax: Axes, rows: pd.DataFrame, look: LineStyle) -> None:
    """Full marks for observed means, hollow with an arrow for lower bounds, hollow at the edge, crosses for broken."""
    for mark, shape in MARK_STYLES.items():
        part = rows[rows["mark"] == mark]
        if len(part):
            own = dict(shape) | (
                {"marker": look["marker"]} if "marker" in look and mark in {"observed", "edge"} else {}
            )
            if mark == "censored":
                own["markersize"] = BOUND_STYLE["markersize"]
            ax.plot(part["x"], part["y"], color=look["color"], linestyle="none", zorder=3, **own)


def draw_curves(ax: Axes, rows: pd.DataFrame, by: str, look: Callable[[Any], LineStyle], **further: Any) -> None:
    """A line a group, without marks, in order of x."""
    for value, part in rows.groupby(by, sort=False, dropna=False):
        ordered = part.sort_values("x")
        ax.plot(ordered["x"], ordered["y"], **{"linewidth": 1.2} | dict(look(value)) | further)


def draw_reference(ax: Axes, rows: pd.DataFrame, color: Callable[[pd.Series], str] = lambda _: INK) -> None:
    """A dashed line across the panel for each row marked as a reference: λ = 0."""
    for _, row in rows[rows["mark"] == "reference"].iterrows():
        ax.axhline(row["y"], **LAM_ZERO_STYLE | {"color": color(row)})


def log_x(ax: Axes, values: np.ndarray, label: str) -> None:
    """Logarithmic axis with a label."""
    set_log_axis(ax.xaxis, values[np.isfinite(values) & (values > 0)], ax.bbox.width / ax.figure.dpi)
    ax.set_xlabel(label)


def log_y(ax: Axes, values: np.ndarray, label: str) -> None:
    """Logarithmic axis with a label."""
    set_log_axis(ax.yaxis, values[np.isfinite(values) & (values > 0)], ax.bbox.height / ax.figure.dpi)
    ax.set_ylabel(label)


def draw_keys(ax: Axes, label: str, scale: ColorScale, lines: Mapping[str, LineStyle] | None = None) -> None:
    """The colours of a panel, and below them what its lines and marks mean."""
    draw_color_key(ax, label, scale, below=0.54)
    draw_line_key(ax, lines or {}, below=0.75)


def share_y_limits(axes: list[Axes]) -> None:
    """One range of y for panels that are to be compared."""
    limits = np.array([ax.get_ylim() for ax in axes])
    for ax in axes:
        ax.set_ylim(limits[:, 0].min(), limits[:, 1].max())
