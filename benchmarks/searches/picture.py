"""What benchmarks/search.py shows: a table in Markdown and a figure, of the incumbents of all searches."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from results.figures.drawing import Drawing, save
from results.figures.layout import new_figure
from results.figures.style import BLUE, DASHED, GREEN, INK, MUTED, ORANGE, PRINT_DPI, styled
from searches.replay import gaps_at, good_from, quantiles

ENOUGH = 0.004  # accuracy: the tolerance of claim 5, and what the paper's λ_pred loses to the tuned λ
LEVELS = (0.1, 0.5, 0.9)  # shares of the searches
MOMENTS = (1.5, 2, 4, 16)  # runs, of the columns of the table
WIDTHS = {1: 6.0, 2: 3.9}  # inches of a panel, by their number; of three it is 3.2
PREDICT, DRY = "sweeper predict", "sweeper predict --dry"
_LINES = {
    "grid, from large λ": {"color": "#a5810b"},
    "sweeper, stop: peaked": {"color": ORANGE},
    "grid, random order": {"color": "#a5810b", "linestyle": DASHED},
    "random": {"color": INK},
    "Optuna TPE": {"color": GREEN},
    "Optuna GP": {"color": GREEN, "linestyle": DASHED},
    "Ray Tune ASHA": {"color": BLUE},
    "Ray Tune median rule": {"color": BLUE, "linestyle": DASHED},
}
_POINTS = {
    PREDICT: {"color": ORANGE, "marker": "o", "markersize": 7.5, "markeredgewidth": 0.0},
    DRY: {"color": ORANGE, "marker": "o", "markersize": 6.5, "markerfacecolor": "white", "markeredgewidth": 1.4},
}
_DEFAULT = {"color": MUTED, "marker": "D", "markersize": 5.5, "markeredgewidth": 0.0}
_BAND = "#e9ecef"


class Curve:
    """Gaps of one method in one set-up: quantiles over its searches, at every moment when one of them changes.

    Attributes:
        spent: moments, in runs (K,).
        low, middle, high: gaps that 10, 50 and 90 % of the searches do not exceed (K,).
        last: median gap of the last weights, at the λ that a search chooses in the end.
    """

    def __init__(self, incumbents: pd.DataFrame) -> None:
        self.spent: NDArray[np.float64] = np.unique(incumbents["spent"].to_numpy())
        own = [
            gaps_at(g["spent"].tolist(), g["gap"].tolist(), self.spent)
            for _, g in incumbents.groupby(["seed", "state"])
        ]
        self.searches = len(own)
        self.low, self.middle, self.high = quantiles(np.stack(own), LEVELS)
        chosen = incumbents.sort_values("spent").groupby(["seed", "state"])["gap_last"].last()
        self.last: float = float(chosen.median())

    def good_from(self) -> tuple[float, float]:
        """Runs until half and until nine tenths of the searches are good enough, for good."""
        return good_from(self.spent, self.middle, ENOUGH), good_from(self.spent, self.high, ENOUGH)

    def at(self, moment: float) -> tuple[float, float, float]:
        """Middle, low and high gap after so many runs."""
        place = int(np.searchsorted(self.spent, moment * (1 + 1e-9), side="right")) - 1
        return tuple(float(g[place]) if place >= 0 else math.inf for g in (self.middle, self.low, self.high))


def curves(incumbents: pd.DataFrame, setup: str) -> dict[str, Curve]:
    """Curves of a set-up by method."""
    own = incumbents[incumbents["setup"] == setup]
    return {method: Curve(group) for method, group in own.groupby("method", sort=False)}


def markdown(incumbents: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """Runs until searches are good enough, and their gaps after some numbers of runs, median [10 %, 90 %].

    One table a set-up, one row a method.
    """
    lines = []
    for setup, title in titles.items():
        heads = [
            title,
            "half good",
            "90 % good",
            *(f"gap after {m:g}, %" for m in MOMENTS),
            "last weights, %",
            "searches",
        ]
        lines += ["", f"| {' | '.join(heads)} |", "| --- |" + " ---: |" * (len(heads) - 1)]
        for method, curve in curves(incumbents, setup).items():
            cells = [method, *map(_runs, curve.good_from())]
            cells += [_gap(*curve.at(moment)) for moment in MOMENTS] + [f"{100 * curve.last:.2f}", str(curve.searches)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _runs(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "never"


def _gap(middle: float, low: float, high: float) -> str:
    """Percent of accuracy."""
    text = [f"{100 * g:.2f}" if math.isfinite(g) else "–" for g in (middle, low, high)]
    return text[0] if low == high else f"{text[0]} [{text[1]}, {text[2]}]"


def draw(incumbents: pd.DataFrame, titles: Mapping[str, str], most: float, file: Path) -> None:
    """The figure, one panel a set-up: gap against steps."""
    with styled():
        figure, axes = new_figure(list(titles.values()), WIDTHS.get(len(titles), 3.2))
        for ax, setup in zip(axes, titles, strict=True):
            _panel(ax, curves(incumbents, setup), most)
        axes[0].set_ylabel("accuracy lost to the best λ")
        figure.legend(
            handles=_key(incumbents["method"].unique()),
            loc="lower center",
            ncols=4,
            handlelength=2.2,
            borderaxespad=0.1,
        )
    panels = tuple(titles.values())
    drawing = Drawing(name=file.stem, title="", caption="", panels=panels, figure=figure, data=incumbents)
    save(drawing, file.parent, PRINT_DPI)


def _key(methods: Iterable[str]) -> list[Artist]:
    """Ours and the default first."""
    lines: list[Artist] = [
        Line2D([], [], label=name, linestyle="none", **_POINTS.get(name, _DEFAULT))
        for name in sorted(set(methods) - set(_LINES), key=lambda name: (name not in _POINTS, name))
    ]
    lines += [Line2D([], [], label=name, **look) for name, look in _LINES.items()]
    return [*lines, Patch(color=_BAND, label="random, 10 to 90 %")]


def _panel(ax: Axes, methods: Mapping[str, Curve], most: float) -> None:
    ax.set_xscale("log")
    # The square root shows 0, and what is near it.
    ax.set_yscale("function", functions=(lambda g: np.sqrt(np.maximum(g, 0)), np.square))
    ax.axhline(ENOUGH, color=MUTED, linewidth=0.8, zorder=1)
    ax.annotate(f"good: at most {ENOUGH:g}", (2.3, 0), (0, 8), textcoords="offset points", color=MUTED, ha="center")
    for name, curve in methods.items():
        spent = np.append(curve.spent, max(most, curve.spent[-1]))
        low, middle, high = (np.minimum(np.append(g, g[-1]), 1.0) for g in (curve.low, curve.middle, curve.high))
        if name == "random":
            ax.fill_between(spent, low, high, step="post", color=_BAND, linewidth=0, zorder=0)
        if name in _LINES:
            ax.step(spent, middle, where="post", **_LINES[name])
        else:
            place = float(np.median(curve.spent)), float(middle[-1])
            reach = [[[x - low], [high - x]] for x, low, high in zip(place, *_ends(curve), strict=True)]
            ax.errorbar(*place, xerr=reach[0], yerr=reach[1], zorder=5, **_POINTS.get(name, _DEFAULT))
    ax.set(xlim=(0.85, most * 1.04), ylim=(0, 0.06), xlabel="training steps, in runs")
    _ticks(ax.xaxis, [1, 2, 4, 8, 16])
    _ticks(ax.yaxis, [0, 0.001, ENOUGH, 0.01, 0.02, 0.04])


def _ends(curve: Curve) -> tuple[tuple[float, float], tuple[float, float]]:
    """Least and largest (steps, gap) of a method that names one λ for each seed."""
    return (float(curve.spent[0]), float(curve.low[-1])), (float(curve.spent[-1]), float(curve.high[-1]))


def _ticks(axis: Axis, values: Sequence[float]) -> None:
    axis.set_major_locator(FixedLocator(values))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
