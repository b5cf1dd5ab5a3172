"""The figure of a comparison: learning curves, best accuracy within T epochs, and best accuracy against λ."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from results.analysis.segments import floats
from results.claims.comparison import Side, best_within, chosen_points
from results.figures import style
from results.figures.axes import draw_no_data, set_log_axis
from results.figures.drawing import Drawing
from results.figures.layout import draw_line_key, new_figure

SIDE_COLORS = (style.BLUE, style.ORANGE)
SIDE_WIDTHS = (2.8, 1.2)  # points; the second line lies on the first and must not hide it
MAX_MEASUREMENTS_PER_CURVE = 400  # of one run, evenly in log step
_COLUMNS = ("panel", "sweep", "seed", "eta", "lam", "x", "y")


def comparison_data(sides: Sequence[Side]) -> pd.DataFrame:
    """Return the table of the figure of a comparison.

    The panels are ``curve`` (test accuracy against epochs), ``within`` (best accuracy against T) and ``lam`` (best
    accuracy against λ).

    Returns:
        One row a mark: panel, sweep, seed, eta, lam, x, y. Curves are those of each sweep's best setting, one a seed.
        In ``within``, lam is the best λ at that T. Accuracies of ``within`` and ``lam`` are means over seeds.
    """
    parts = [part(side).assign(sweep=side.name) for part in (_curves, _within, _against_lam) for side in sides]
    full = [part.reindex(columns=list(_COLUMNS)) for part in parts if len(part)]
    return pd.concat(full, ignore_index=True) if full else pd.DataFrame(columns=list(_COLUMNS))


def draw_comparison(a: Side, b: Side) -> Drawing:
    """Draw two sweeps on the same axes, as figures 1a, 1c, S9 and S10 of the paper do."""
    data = comparison_data((a, b))
    titles = ("a  Test accuracy of the best setting", "b  Best accuracy within T epochs", "c  Best accuracy against λ")
    with style.styled():
        figure, axes = new_figure(titles, width=3.9)
        labels = ("epoch", "T (epochs)", "λ")
        for ax, panel, label in zip(axes, ("curve", "within", "lam"), labels, strict=True):
            _draw_panel(ax, data[data["panel"] == panel], (a.name, b.name), label)
    caption = (
        "a: every seed of the setting (η, λ, …) with the best mean maximum. b: the best over all settings, mean over "
        "seeds, among what was trained for T epochs or less. c: the best over everything but λ, mean over seeds; "
        "dashed where a sweep has one λ only."
    )
    title = f"{a.name} and {b.name}"
    return Drawing(name="comparison", title=title, caption=caption, panels=titles, figure=figure, data=data)


def _draw_panel(ax: Axes, rows: pd.DataFrame, names: tuple[str, str], label: str) -> None:
    """Draw the lines of both sweeps on a logarithmic x axis.

    A sweep with one λ becomes a horizontal line, since it has no curve against λ.

    Args:
        ax: The panel.
        rows: Rows of the panel.
        names: Names of the two sweeps.
        label: Label of the x axis.
    """
    rows = rows[(floats(rows, "x") > 0) & np.isfinite(floats(rows, "y"))]
    if rows.empty:
        draw_no_data(ax, "no test accuracy to show")
        return
    pairs = zip(names, SIDE_COLORS, SIDE_WIDTHS, strict=True)
    line_styles: dict[str, dict[str, Any]] = {
        name: {"color": color, "linewidth": width} for name, color, width in pairs
    }
    for name, line_style in line_styles.items():
        for _, line in rows[rows["sweep"] == name].groupby("seed", dropna=False):
            if label == "λ" and len(line) == 1:
                ax.axhline(float(line["y"].iloc[0]), linestyle=style.DASHED, **line_style)
            ax.plot(line["x"], line["y"], **line_style, marker="o" if label == "λ" else "")
    set_log_axis(ax.xaxis, floats(rows, "x"))
    ax.set(xlabel=label, ylabel="test accuracy")
    draw_line_key(ax, line_styles, below=0.55)


def _curves(side: Side) -> pd.DataFrame:
    """Return thinned test accuracies of every seed of the best setting."""
    chosen = chosen_points(side)
    runs = []
    for point in chosen.itertuples():
        run = side.rows[side.rows["point"] == point.point].sort_values("step")
        kept = np.unique(np.geomspace(1, len(run), MAX_MEASUREMENTS_PER_CURVE).astype(int)) - 1
        run = run.iloc[kept]
        runs.append(run.assign(panel="curve", x=run["epoch"], y=run["test_acc"]))
    return pd.concat(runs, ignore_index=True) if runs else pd.DataFrame()


def _within(side: Side) -> pd.DataFrame:
    """Return the best accuracy within each T."""
    table = best_within(side)
    return table.assign(panel="within", x=table["T"], y=table["acc"])


def _against_lam(side: Side) -> pd.DataFrame:
    """Return the best mean accuracy at each λ."""
    mean = side.peaks.groupby(side.settings, dropna=False)["best_test_acc"].mean()
    best = mean.groupby("lam", sort=True).max().dropna()
    lam = best.index.to_numpy(dtype=np.float64)
    return pd.DataFrame({"panel": "lam", "lam": lam, "x": lam, "y": best.to_numpy(dtype=np.float64)})
