"""Figures 1a and S8: the same λ with budgets of several lengths, and the best accuracy over η and λ."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.figures.axes import plain
from results.figures.layout import line_key, print_figure
from results.figures.paper.means import replicated, stack
from results.figures.paper.panels import ONE_KEY, draw_means, keys, log_x, look_of, numbers, panel
from results.figures.paper.sources import LackingError, Tables, at_eta, one_eta, require, require_one
from results.figures.style import BLUE, DASHED, GREEN, GREY, INK, ORANGE, budget_scale, styled
from results.figures.sweep_data import BROKEN

FIXED, PROPORTIONAL = "fixed", "proportional"
LOOKS: tuple[dict[str, Any], ...] = (
    {"color": BLUE, "marker": "o"},
    {"color": ORANGE, "marker": "s"},
    {"color": GREEN, "marker": "^"},
    {"color": INK, "marker": "v"},
)


def final_accuracy(tables: Tables) -> pd.DataFrame:
    """Figure 1a: test accuracy at the end of training against λ, for T fixed and for T ∝ 1/λ, one sweep each.

    Returns:
        Panel ``final``; ``series`` says T in epochs; ``x`` is λ. Marked ``reference``: λ = 0.
    """
    require(tables.rows, ["test_acc", "budget"], "rows")
    require_one(tables.peaks)
    shared = set.intersection(*(set(tables.of(name).peaks["eta"]) for name in tables.names))
    peaks = tables.peaks[tables.peaks["eta"].isin(shared)]
    if peaks.empty:
        raise LackingError("an η that all these sweeps have")
    chosen = at_eta(peaks, one_eta(peaks, tables.eta))
    chosen = chosen.assign(y=chosen["point"].map(_last_accuracy(tables.rows)), budget_at=chosen["budget"])
    mark = np.where(chosen["outcome"].isin(BROKEN), "broken", "observed")
    parts, kinds = [], set()
    for name in tables.names:
        own = chosen.assign(mark=mark)[chosen["sweep"] == name]
        kind, series = _rule(own[own["lam"] > 0])
        kinds.add(kind)
        means = replicated(own.assign(panel="final", series=series, x=own["lam"]), ["eta", "lam"])
        zero = means["lam"] == 0
        parts += [means[~zero], means[zero & means["seed"].isna()].assign(mark="reference", x=np.nan)]
    if kinds != {FIXED, PROPORTIONAL}:
        there = " and ".join(sorted(kinds - {""})) or "no rule that is either"
        raise LackingError(f"one sweep of a fixed budget and one of a budget proportional to 1/λ; there is {there}")
    return stack(parts)


def _last_accuracy(rows: pd.DataFrame) -> pd.Series:
    measured = rows[np.isfinite(rows["test_acc"].to_numpy(dtype=float))]
    last: pd.Series = (
        measured.sort_values("step", kind="stable").drop_duplicates("point", keep="last").set_index("point")["test_acc"]
    )
    return last


def _rule(points: pd.DataFrame) -> tuple[str, str]:
    """What the budgets of points at one η say about T(λ): its kind, and in words."""
    budget, product = numbers(points, "budget"), numbers(points, "budget") * numbers(points, "lam")
    if not len(budget) or len(np.unique(points["lam"])) < 2:
        return "", "T"
    if budget.max() <= 1.01 * budget.min():
        return FIXED, f"T = {budget.max():g} epochs"
    free = budget < 0.99 * budget.max()  # a cap makes the longest ones alike
    constant = product[free]
    if constant.max() <= 1.05 * constant.min():
        capped = bool((product[~free] < 0.95 * constant.min()).any())
        return PROPORTIONAL, f"T = {float(f'{np.median(constant):.2g}'):g}/λ" + f", at most {budget.max():g}" * capped
    return "", "T by another rule"


def heat_and_budgets(tables: Tables) -> pd.DataFrame:
    """Figure S8: a, best test accuracy over η and λ; b, accuracy against λ for several T (epochs) at one η.

    Panel b takes the budgets that the points were trained with where sweeps differ in them or η has a schedule, and
    otherwise those of the grid (analysis.budgets).

    Returns:
        Panels ``heat`` (``x`` is η, ``low`` is λ, ``y`` the accuracy) and ``budgets`` (``x`` is λ).
    """
    require(tables.peaks, ["best_test_acc"], "peaks")
    require_one(tables.peaks)
    peaks = tables.peaks[~tables.peaks["outcome"].isin(BROKEN)]
    marks = peaks.assign(y=peaks["best_test_acc"], mark="observed")
    means = replicated(marks.assign(panel="heat", x=marks["eta"], low=marks["lam"]), ["eta", "lam", "sweep"])
    heat = means[means["seed"].isna()]
    wide = heat.groupby("sweep")["eta"].transform("nunique") > 1  # a sweep of one η, of panel b, has another budget
    heat = (heat[wide] if wide.any() else heat).sort_values("y", ascending=False).drop_duplicates(["eta", "lam"])
    if min(heat["eta"].nunique(), heat["lam"].nunique()) < 2:
        raise LackingError("at least two η and two λ")
    heat = heat.sort_values(["eta", "lam"])
    trained = peaks[peaks["lam"] > 0].groupby("sweep")["budget"].agg(["min", "max"])
    own = (trained["max"] <= 1.01 * trained["min"]).all() and trained["max"].round(3).nunique() > 1
    if own or (tables.sweeps["schedule"] != "constant").any():
        table = marks.assign(budget_at=marks["budget"])
    else:
        require(tables.within, ["acc"], "accuracies within the budgets of the grid (analysis.budgets)")
        table = tables.within.assign(y=tables.within["acc"], mark="observed")
        table = table[table["acc"].notna()]
    chosen = at_eta(table, one_eta(table, tables.eta))
    lines = replicated(chosen[chosen["lam"] > 0].assign(panel="budgets", x=chosen["lam"]), ["eta", "lam", "budget_at"])
    return stack([heat.drop(columns="sweep"), lines.drop(columns="sweep")])


# -------------------------------------------------------------------------------------------- drawing


def draw_final_accuracy(data: pd.DataFrame) -> Figure:
    """Figure 1a: one panel."""
    names = list(dict.fromkeys(data["series"]))
    look = {name: LOOKS[k % len(LOOKS)] for k, name in enumerate(names)}
    with styled(8.0):
        figure, [[ax]] = print_figure([["Test accuracy at the end of training"]], room=ONE_KEY)
        rows = panel(data, "final")
        draw_means(ax, rows, "series", look.__getitem__)
        for _, row in rows[rows["mark"] == "reference"].iterrows():
            ax.axhline(row["y"], color=look[row["series"]]["color"], linestyle=DASHED, linewidth=1.0)
        log_x(ax, numbers(rows, "x"), "λ")
        ax.set_ylabel("test accuracy")
        zero = (
            {"λ = 0": {"color": INK, "linestyle": DASHED, "linewidth": 1.0}}
            if (rows["mark"] == "reference").any()
            else {}
        )
        line_key(ax, look | zero)
    return figure


def draw_heat_and_budgets(data: pd.DataFrame) -> Figure:
    """Figure S8: two panels."""
    with styled(8.0):
        rows = panel(data, "budgets")
        eta = plain(rows["eta"].iloc[0])
        figure, [[left, right]] = print_figure([["a  Maximum test accuracy", f"b  Maximum within T epochs, η = {eta}"]])
        _draw_heat(left, panel(data, "heat"))
        budgets = budget_scale(numbers(rows, "budget_at"))
        draw_means(right, rows, "budget_at", look_of(budgets))
        log_x(right, numbers(rows, "x"), "λ")
        right.set_ylabel("test accuracy")
        keys(right, "T", budgets)
    return figure


def _draw_heat(ax: Axes, rows: pd.DataFrame) -> None:
    """A cell for each η and λ, the values evenly spaced; grey where there is no point, framed where it is best."""
    etas, lams = np.unique(numbers(rows, "x")), np.unique(numbers(rows, "low"))
    cells = np.full((len(lams), len(etas)), np.nan)
    cells[np.searchsorted(lams, rows["low"]), np.searchsorted(etas, rows["x"])] = rows["y"]
    ax.set_facecolor(GREY)
    ax.grid(visible=False)
    mesh = ax.pcolormesh(np.arange(len(etas) + 1), np.arange(len(lams) + 1), cells, cmap=mpl.colormaps["cividis"])
    mesh.set(edgecolor="white", linewidth=0.4)
    row, column = divmod(int(np.nanargmax(cells)), len(etas))
    ax.add_patch(mpl.patches.Rectangle((column, row), 1, 1, fill=False, edgecolor=ORANGE, linewidth=1.6))
    for axis, values, label, most in ((ax.xaxis, etas, "η", 6), (ax.yaxis, lams, "λ", 11)):
        shown = np.arange(0, len(values), -(-len(values) // most))
        axis.set_ticks(shown + 0.5, [plain(float(f"{values[k]:.2g}")) for k in shown])
        axis.set_label_text(label)
    ax.yaxis.labelpad = 1.0
    _write_cells(ax, cells)
    figure, box = ax.get_figure(), ax.get_position()
    assert isinstance(figure, Figure)
    bar = figure.add_axes((box.x0, box.y0 - 0.54 / figure.get_figheight(), box.width, 0.085 / figure.get_figheight()))
    figure.colorbar(mesh, cax=bar, orientation="horizontal")
    bar.tick_params(labelsize=7, length=2, pad=2)
    bar.grid(visible=False)
    bar.set_xlabel("test accuracy", labelpad=1, fontsize=7)


def _write_cells(ax: Axes, cells: np.ndarray) -> None:
    """Accuracies in per cent, where cells are large enough."""
    rows, columns = cells.shape
    if rows > 12 or columns > 6:
        return
    shades = mpl.colormaps["cividis"](mpl.colors.Normalize(np.nanmin(cells), np.nanmax(cells))(cells))[..., :3].mean(-1)
    for r, c in zip(*np.nonzero(np.isfinite(cells)), strict=True):
        color = "white" if shades[r, c] < 0.45 else INK
        text = f"{100 * cells[r, c]:.1f}"
        ax.text(c + 0.5, r + 0.5, text, ha="center", va="center", fontsize=6 if rows < 11 else 5, color=color)
