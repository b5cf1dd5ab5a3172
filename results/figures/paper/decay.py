"""Figures B1 to B3, beyond the paper: when the maximum comes with momentum, with schedules of η, and with AdamW."""

from collections.abc import Callable, Mapping, Sequence
from string import ascii_lowercase
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.figures.axes import plain
from results.figures.layout import line_key, print_figure
from results.figures.paper.means import replicated, stack
from results.figures.paper.panels import HOLLOW, Look, draw_means, keys, log_x, log_y, look_of, numbers, panel
from results.figures.paper.sources import LackingError, Tables, require, require_one
from results.figures.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, Scale, eta_scale, styled
from results.figures.sweep_data import BROKEN

KAPPA = 0.6  # of plain SGD at constant η on digits (grids/small/fig2abc.yaml)
OF_SGD: dict[str, Any] = {"color": MUTED, "linestyle": (0, (1, 1.6)), "linewidth": 1.0}
COLORS = (BLUE, ORANGE, GREEN, PURPLE)
MARKERS = ("o", "s", "^", "D")
_WARMUP = "schedule.warmup"
_CELL = ["sweep", "series", "eta", "lam"]


def time_and_decay(tables: Tables) -> pd.DataFrame:
    """t* (epochs), the decay time at t*, and the maximum test accuracy against λ.

    Returns:
        Panels ``t_star`` and ``kappa``, of the points that learned, and ``best``; ``x`` is λ, ``sweep`` the network and
        data in words, ``series`` the momentum and the schedule of η in words where these differ.
    """
    if not (tables.peaks["lam"] > 0).any():
        raise LackingError("points of λ > 0")
    require(tables.peaks, ["t_star", "kappa", "best_test_acc"], "peaks")
    for name in tables.names:
        require_one(tables.of(name).peaks, besides=["mu", _WARMUP])
    peaks = tables.peaks.merge(tables.sweeps[["sweep", "schedule", "trains"]], on="sweep")
    peaks = peaks[peaks["lam"] > 0].assign(x=lambda table: table["lam"], series=_series(peaks))
    peaks["sweep"] = peaks["trains"]
    etas = int(peaks.groupby("sweep")["eta"].nunique().max())
    if peaks["series"].nunique() > len(COLORS) or (any(peaks["series"]) and etas > len(MARKERS)):
        raise LackingError(f"at most {len(COLORS)} momenta and schedules, at {len(MARKERS)} η; choose with --only")
    broken = peaks["outcome"].isin(BROKEN)
    seen = peaks[peaks["in_law"].astype(bool) & ~broken]
    seen = seen.assign(mark=np.where(seen["censored"].astype(bool), "censored", "observed"))
    best = peaks.assign(panel="best", y=peaks["best_test_acc"], mark=np.where(broken, "broken", "observed"))
    times = [replicated(seen.assign(panel=p, y=seen[p]), _CELL, geometric=True) for p in ("t_star", "kappa")]
    return stack([*times, replicated(best, _CELL)])


def _series(peaks: pd.DataFrame) -> pd.Series:
    """Momentum and schedule of each point in words, as far as they differ."""
    warmup = peaks[_WARMUP].fillna(0) if _WARMUP in peaks else [0.0] * len(peaks)
    momentum = [f"μ = {plain(mu)}" for mu in peaks["mu"]]
    names = [str(name).replace("constant", "constant η") for name in peaks["schedule"]]
    schedule = [f"{name}, warm-up" if share > 0 else name for name, share in zip(names, warmup, strict=True)]
    told = [words for words in (momentum, schedule) if len(set(words)) > 1]
    return pd.Series([", ".join(words) for words in zip(*told, strict=True)] if told else "", index=peaks.index)


# -------------------------------------------------------------------------------------------- drawing


def draw_time_and_decay(data: pd.DataFrame) -> Figure:
    """Three panels a row, one row for each network and data set."""
    rows = list(dict.fromkeys(data["sweep"]))
    colors = dict(zip(sorted(data["series"].unique()), COLORS, strict=False))
    names = ("Epochs to maximum accuracy", "Decay time at t*", "Maximum test accuracy")
    titles = [[f"{ascii_lowercase[3 * r + k]}  {name}" for k, name in enumerate(names)] for r in range(len(rows))]
    with styled(8.0):
        figure, grid = print_figure(titles, rows)
        for name, axes in zip(rows, grid, strict=True):
            panels = [panel(data, p, name) for p in ("t_star", "kappa", "best")]
            etas = eta_scale(numbers(panels[-1], "eta"))
            look = _looks(colors, etas)
            for ax, part in zip(axes, panels, strict=True):
                for own in colors:
                    draw_means(ax, part[part["series"] == own], "eta", look(own))
                log_x(ax, numbers(part, "x"), "λ")
            time, decay, best = axes
            decay.axhline(KAPPA, **OF_SGD)
            log_y(time, numbers(panels[0], "y"), "t* (epochs)")
            log_y(decay, np.append(numbers(panels[1], "y"), KAPPA), "κ = Σηλ/(1−μ)")
            best.set_ylabel("test accuracy")
            shown = {own: color for own, color in colors.items() if (panels[-1]["series"] == own).any()}
            _draw_keys(axes, shown, etas, bounds=bool((panels[0]["mark"] == "censored").any()))
    return figure


def _looks(colors: Mapping[str, str], etas: Scale) -> Callable[[str], Callable[[float], Look]]:
    """Colour of the series and mark of η; of one series alone the colour is that of η, as in the paper's figures."""
    if "" in colors:
        return lambda _: look_of(etas)
    marks = dict(zip(etas.values, MARKERS, strict=False))
    return lambda name: lambda eta: {"color": colors[name], "marker": marks[eta]}


def _draw_keys(axes: Sequence[Axes], colors: Mapping[str, str], etas: Scale, *, bounds: bool) -> None:
    """Series below the first panel, η below the last, what else there is below the second."""
    time, decay, best = axes
    if "" in colors:
        keys(time, "η", etas)
        keys(best, "η", etas)
    else:
        line_key(time, {name: {"color": color} for name, color in colors.items()})
        marks = {f"η = {plain(eta)}": mark for eta, mark in zip(etas.values, MARKERS, strict=False)}
        line_key(best, {name: {"color": INK, "linestyle": "none", "marker": mark} for name, mark in marks.items()})
    line_key(decay, {f"κ = {KAPPA:g}, plain SGD": OF_SGD} | ({"lower bound": HOLLOW} if bounds else {}))
