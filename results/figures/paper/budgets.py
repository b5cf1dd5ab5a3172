"""Figures 1a and S8: the same λ with budgets of several lengths, and the best accuracy over η and λ."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.figures.axes import tick_label
from results.figures.columns import BROKEN_OUTCOMES, numeric_column
from results.figures.layout import draw_line_key, new_print_figure
from results.figures.paper.means import means_and_seeds, stack_panels
from results.figures.paper.panels import LINE_KEY_MARGIN, draw_keys, draw_means, log_x, panel_rows, styles_from
from results.figures.paper.sources import (
    RequirementError,
    Tables,
    choose_eta,
    require_columns,
    require_one_setting,
    rows_at_eta,
)
from results.figures.style import BLUE, DASHED, GREEN, GREY, INK, ORANGE, budget_scale, styled

FIXED, PROPORTIONAL = "fixed", "proportional"
SERIES_STYLES: tuple[dict[str, Any], ...] = (
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
    require_columns(tables.rows, ["test_acc", "budget"], "rows")
    require_one_setting(tables.peaks)
    shared = set.intersection(*(set(tables.of_sweep(name).peaks["eta"]) for name in tables.names))
    peaks = tables.peaks[tables.peaks["eta"].isin(shared)]
    if peaks.empty:
        raise RequirementError("an η that all these sweeps have")
    chosen = rows_at_eta(peaks, choose_eta(peaks, tables.eta))
    chosen = chosen.assign(y=chosen["point"].map(_last_accuracy(tables.rows)), budget_at=chosen["budget"])
    mark = np.where(chosen["outcome"].isin(BROKEN_OUTCOMES), "broken", "observed")
    parts, kinds = [], set()
    for name in tables.names:
        own = chosen.assign(mark=mark)[chosen["sweep"] == name]
        kind, series = _budget_rule(own[own["lam"] > 0])
        kinds.add(kind)
        means = means_and_seeds(own.assign(panel="final", series=series, x=own["lam"]), ["eta", "lam"])
        zero = means["lam"] == 0
        parts += [means[~zero], means[zero & means["seed"].isna()].assign(mark="reference", x=np.nan)]
    if kinds != {FIXED, PROPORTIONAL}:
        there = " and ".join(sorted(kinds - {""})) or "no rule that is either"
        raise RequirementError(f"one sweep of a fixed budget and one of a budget proportional to 1/λ; there is {there}")
    return stack_panels(parts)


def _last_accuracy(rows: pd.DataFrame) -> pd.Series:
    measured = rows[np.isfinite(rows["test_acc"].to_numpy(dtype=float))]
    last: pd.Series = (
        measured.sort_values("step", kind="stable").drop_duplicates("point", keep="last").set_index("point")["test_acc"]
    )
    return last


def _budget_rule(points: pd.DataFrame) -> tuple[str, str]:
    """What the budgets of points at one η say about T(λ): its kind, and in words."""
    budget, product = numeric_column(points, "budget"), numeric_column(points, "budget") * numeric_column(points, "lam")
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
    require_columns(tables.peaks, ["best_test_acc"], "peaks")
    require_one_setting(tables.peaks)
    peaks = tables.peaks[~tables.peaks["outcome"].isin(BROKEN_OUTCOMES)]
    marks = peaks.assign(y=peaks["best_test_acc"], mark="observed")
    means = means_and_seeds(marks.assign(panel="heat", x=marks["eta"], low=marks["lam"]), ["eta", "lam", "sweep"])
    heat = means[means["seed"].isna()]
    wide = heat.groupby("sweep")["eta"].transform("nunique") > 1  # a sweep of one η, of panel b, has another budget
    heat = (heat[wide] if wide.any() else heat).sort_values("y", ascending=False).drop_duplicates(["eta", "lam"])
    if min(heat["eta"].nunique(), heat["lam"].nunique()) < 2:
        raise RequirementError("at least two η and two λ")
    heat = heat.sort_values(["eta", "lam"])
    trained = peaks[peaks["lam"] > 0].groupby("sweep")["budget"].agg(["min", "max"])
    own = (trained["max"] <= 1.01 * trained["min"]).all() and trained["max"].round(3).nunique() > 1
    if own or (tables.sweeps["schedule"] != "constant").any():
        table = marks.assign(budget_at=marks["budget"])
    else:
        require_columns(tables.within, ["acc"], "accuracies within the budgets of the grid (analysis.budgets)")
        table = tables.within.assign(y=tables.within["acc"], mark="observed")
        table = table[table["acc"].notna()]
    chosen = rows_at_eta(table, choose_eta(table, tables.eta))
    lines = means_and_seeds(
        chosen[chosen["lam"] > 0].assign(panel="budgets", x=chosen["lam"]), ["eta", "lam", "budget_at"]
    )
    return stack_panels([heat.drop(columns="sweep"), lines.drop(columns="sweep")])


# -------------------------------------------------------------------------------------------- drawing


def draw_final_accuracy(data: pd.DataFrame) -> Figure:
    """Figure 1a: one panel."""
    names = list(dict.fromkeys(data["series"]))
    look = {name: SERIES_STYLES[k % len(SERIES_STYLES)] for k, name in enumerate(names)}
    with styled(8.0):
        figure, [[ax]] = new_print_figure([["Test accuracy at the end of training"]], bottom=LINE_KEY_MARGIN)
        rows = panel_rows(data, "final")
        draw_means(ax, rows, "series", look.__getitem__)
        for _, row in rows[rows["mark"] == "reference"].iterrows():
            ax.axhline(row["y"], color=look[row["series"]]["color"], linestyle=DASHED, linewidth=1.0)
        log_x(ax, numeric_column(rows, "x"), "λ")
        ax.set_ylabel("test accuracy")
        zero = (
            {"λ = 0": {"color": INK, "linestyle": DASHED, "linewidth": 1.0}}
            if (rows["mark"] == "reference").any()
            else {}
        )
        draw_line_key(ax, look | zero)
    return figure


def draw_heat_and_budgets(data: pd.DataFrame) -> Figure:
    """Figure S8: two panels."""
    with styled(8.0):
        rows = panel_rows(data, "budgets")
        eta = tick_label(rows["eta"].iloc[0])
        figure, [[left, right]] = new_print_figure(
            [["a  Maximum test accuracy", f"b  Maximum within T epochs, η = {eta}"]]
        )
        _draw_heat(left, panel_rows(data, "heat"))
        budgets = budget_scale(numeric_column(rows, "budget_at"))
        draw_means(right, rows, "budget_at", styles_from(budgets))
        log_x(right, numeric_column(rows, "x"), "λ")
        right.set_ylabel("test accuracy")
        draw_keys(right, "T", budgets)
    return figure


def _draw_heat(ax: Axes, rows: pd.DataFrame) -> None:
    """A cell for each η and λ, the values evenly spaced; grey where there is no point, framed where it is best."""
    etas, lams = np.unique(numeric_column(rows, "x")), np.unique(numeric_column(rows, "low"))
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
        axis.set_ticks(shown + 0.5, [tick_label(float(f"{values[k]:.2g}")) for k in shown])
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
