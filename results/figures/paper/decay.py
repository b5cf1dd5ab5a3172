"""Figures B1 to B3, beyond the paper: time of the maximum with momentum, with schedules of η, and with AdamW."""

from collections.abc import Callable, Mapping, Sequence
from string import ascii_lowercase
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.figures.axes import tick_label
from results.figures.columns import BROKEN_OUTCOMES, numeric_column
from results.figures.layout import draw_line_key, new_print_figure
from results.figures.paper.means import means_and_seeds, stack_panels
from results.figures.paper.panels import (
    BOUND_STYLE,
    LineStyle,
    draw_keys,
    draw_means,
    log_x,
    log_y,
    panel_rows,
    styles_from,
)
from results.figures.paper.sources import RequirementError, Tables, require_columns, require_one_setting
from results.figures.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, ColorScale, eta_scale, styled

# κ of plain SGD at constant η, of a fully connected network 3×64 on 512 digits: 0.61 (2026-11-21). It is rounded to the
# digit that keys, captions and records of the gallery print.
PLAIN_SGD_KAPPA = 0.6
SGD_LINE_STYLE: dict[str, Any] = {"color": MUTED, "linestyle": (0, (1, 1.6)), "linewidth": 1.0}
SERIES_COLORS = (BLUE, ORANGE, GREEN, PURPLE)
ETA_MARKERS = ("o", "s", "^", "D")
_WARMUP_AXIS = "schedule.warmup"
_GROUP_COLUMNS = ["sweep", "series", "eta", "lam"]


def time_and_decay(tables: Tables) -> pd.DataFrame:
    """Return the table of figures B1 to B3: t* (epochs), the decay time at t*, and maximum test accuracy against λ.

    Returns:
        Panels ``t_star`` and ``kappa``, of the points that learned, and ``best``; ``x`` is λ. ``sweep`` is the network
        and data in words, ``series`` the momentum and the schedule of η in words where these differ.

    Raises:
        RequirementError: No point has λ > 0, or there are more series or η than colors and markers.
    """
    if not (tables.peaks["lam"] > 0).any():
        raise RequirementError("points of λ > 0")
    require_columns(tables.peaks, ["t_star", "kappa", "best_test_acc"], "peaks")
    for name in tables.names:
        require_one_setting(tables.of_sweep(name).peaks, besides=["mu", _WARMUP_AXIS])
    peaks = tables.peaks.merge(tables.sweeps[["sweep", "schedule", "trains"]], on="sweep")
    peaks = peaks[peaks["lam"] > 0].assign(x=lambda table: table["lam"], series=_series_names(peaks))
    peaks["sweep"] = peaks["trains"]
    etas = int(peaks.groupby("sweep")["eta"].nunique().max())
    if peaks["series"].nunique() > len(SERIES_COLORS) or (any(peaks["series"]) and etas > len(ETA_MARKERS)):
        raise RequirementError(
            f"at most {len(SERIES_COLORS)} momenta and schedules, at {len(ETA_MARKERS)} η; choose with --only"
        )
    broken = peaks["outcome"].isin(BROKEN_OUTCOMES)
    seen = peaks[peaks["in_law"].astype(bool) & ~broken]
    seen = seen.assign(mark=np.where(seen["censored"].astype(bool), "censored", "observed"))
    best = peaks.assign(panel="best", y=peaks["best_test_acc"], mark=np.where(broken, "broken", "observed"))
    times = [
        means_and_seeds(seen.assign(panel=p, y=seen[p]), _GROUP_COLUMNS, geometric=True) for p in ("t_star", "kappa")
    ]
    return stack_panels([*times, means_and_seeds(best, _GROUP_COLUMNS)])


def _series_names(peaks: pd.DataFrame) -> pd.Series:
    """Return momentum and schedule of each point in words, as far as they differ."""
    warmup = peaks[_WARMUP_AXIS].fillna(0) if _WARMUP_AXIS in peaks else [0.0] * len(peaks)
    momentum = [f"μ = {tick_label(mu)}" for mu in peaks["mu"]]
    names = [str(name).replace("constant", "constant η") for name in peaks["schedule"]]
    schedule = [f"{name}, warm-up" if share > 0 else name for name, share in zip(names, warmup, strict=True)]
    varying = [words for words in (momentum, schedule) if len(set(words)) > 1]
    return pd.Series([", ".join(words) for words in zip(*varying, strict=True)] if varying else "", index=peaks.index)


# -------------------------------------------------------------------------------------------- drawing


def draw_time_and_decay(data: pd.DataFrame) -> Figure:
    """Draw figures B1 to B3: three panels a row, one row for each network and data set."""
    rows = list(dict.fromkeys(data["sweep"]))
    colors = dict(zip(sorted(data["series"].unique()), SERIES_COLORS, strict=False))
    names = ("Epochs to maximum accuracy", "Decay time at t*", "Maximum test accuracy")
    titles = [[f"{ascii_lowercase[3 * r + k]}  {name}" for k, name in enumerate(names)] for r in range(len(rows))]
    with styled(8.0):
        figure, grid = new_print_figure(titles, rows)
        for name, axes in zip(rows, grid, strict=True):
            panels = [panel_rows(data, p, name) for p in ("t_star", "kappa", "best")]
            etas = eta_scale(numeric_column(panels[-1], "eta"))
            styles = _series_styles(colors, etas)
            for ax, part in zip(axes, panels, strict=True):
                for series in colors:
                    draw_means(ax, part[part["series"] == series], "eta", styles(series))
                log_x(ax, numeric_column(part, "x"), "λ")
            time, decay, best = axes
            decay.axhline(PLAIN_SGD_KAPPA, **SGD_LINE_STYLE)
            log_y(time, numeric_column(panels[0], "y"), "t* (epochs)")
            log_y(decay, np.append(numeric_column(panels[1], "y"), PLAIN_SGD_KAPPA), "κ = Σηλ/(1−μ)")
            best.set_ylabel("test accuracy")
            shown = {series: color for series, color in colors.items() if (panels[-1]["series"] == series).any()}
            _draw_row_keys(axes, shown, etas, bounds=bool((panels[0]["mark"] == "censored").any()))
    return figure


def _series_styles(colors: Mapping[str, str], etas: ColorScale) -> Callable[[str], Callable[[float], LineStyle]]:
    """Return styles by series and η: the series has the color, η the marker.

    Of one series alone, η has the color, as in the paper's figures.
    """
    if "" in colors:
        return lambda _: styles_from(etas)
    marks = dict(zip(etas.values, ETA_MARKERS, strict=False))
    return lambda name: lambda eta: {"color": colors[name], "marker": marks[eta]}


def _draw_row_keys(axes: Sequence[Axes], colors: Mapping[str, str], etas: ColorScale, *, bounds: bool) -> None:
    """Draw the keys of a row: series below the first panel, η below the last, all else below the second.

    Args:
        axes: The three panels.
        colors: Color of each series.
        etas: Colors of η.
        bounds: Whether a lower bound is shown.
    """
    time, decay, best = axes
    if "" in colors:
        draw_keys(time, "η", etas)
        draw_keys(best, "η", etas)
    else:
        draw_line_key(time, {name: {"color": color} for name, color in colors.items()})
        marks = {f"η = {tick_label(eta)}": mark for eta, mark in zip(etas.values, ETA_MARKERS, strict=False)}
        draw_line_key(best, {name: {"color": INK, "linestyle": "none", "marker": mark} for name, mark in marks.items()})
    draw_line_key(
        decay,
        {f"κ = {PLAIN_SGD_KAPPA:g}, plain SGD": SGD_LINE_STYLE} | ({"lower bound": BOUND_STYLE} if bounds else {}),
    )
