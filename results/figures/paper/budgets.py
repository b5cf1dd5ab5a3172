"""Figures 1a and S8: the same λ with budgets of several lengths, and the best accuracy over η and λ."""

from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.figures.axes import tick_label
from results.figures.columns import BROKEN_OUTCOMES, numeric_column
from results.figures.layout import draw_line_key, new_print_figure
from results.figures.paper.means import means_and_seeds, stack_panels
from results.figures.paper.panels import (
    LAM_ZERO_STYLE,
    LINE_KEY_MARGIN,
    draw_keys,
    draw_means,
    log_x,
    panel_rows,
    styles_from,
)
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
    """Return the table of figure 1a: test accuracy at the end of training against λ, for T fixed and for T ∝ 1/λ.

    Returns:
        Panel ``final``; ``series`` names the budget T in epochs; ``x`` is λ. Rows marked ``reference`` have λ = 0.

    Raises:
        RequirementError: The sweeps share no η, or are not one of a fixed and one of a proportional budget.
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
        points = chosen.assign(mark=mark)[chosen["sweep"] == name]
        kind, series = _find_budget_rule(points[points["lam"] > 0])
        kinds.add(kind)
        means = means_and_seeds(points.assign(panel="final", series=series, x=points["lam"]), ["eta", "lam"])
        zero = means["lam"] == 0
        parts += [means[~zero], means[zero & means["seed"].isna()].assign(mark="reference", x=np.nan)]
    if kinds != {FIXED, PROPORTIONAL}:
        found = " and ".join(sorted(kinds - {""})) or "no rule that is either"
        raise RequirementError(f"one sweep of a fixed budget and one of a budget proportional to 1/λ; there is {found}")
    return stack_panels(parts)


class BudgetRule(NamedTuple):
    """A rule for the budget T(λ).

    Attributes:
        kind: ``FIXED`` or ``PROPORTIONAL`` (to 1/λ); empty for any other rule.
        words: The rule in words.
    """

    kind: str
    words: str


def _last_accuracy(rows: pd.DataFrame) -> pd.Series:
    """Return the last measured test accuracy of each point."""
    measured = rows[np.isfinite(rows["test_acc"].to_numpy(dtype=float))]
    last: pd.Series = (
        measured.sort_values("step", kind="stable").drop_duplicates("point", keep="last").set_index("point")["test_acc"]
    )
    return last


def _find_budget_rule(points: pd.DataFrame) -> BudgetRule:
    """Return the rule T(λ) that the budgets of points at one η follow."""
    budget, product = numeric_column(points, "budget"), numeric_column(points, "budget") * numeric_column(points, "lam")
    if not len(budget) or len(np.unique(points["lam"])) < 2:
        return BudgetRule("", "T")
    if budget.max() <= 1.01 * budget.min():
        return BudgetRule(FIXED, f"T = {budget.max():g} epochs")
    free = budget < 0.99 * budget.max()  # a cap makes the longest budgets equal
    constant = product[free]
    if constant.max() <= 1.05 * constant.min():
        capped = bool((product[~free] < 0.95 * constant.min()).any())
        limit = f", at most {budget.max():g}" if capped else ""
        return BudgetRule(PROPORTIONAL, f"T = {float(f'{np.median(constant):.2g}'):g}/λ{limit}")
    return BudgetRule("", "T by another rule")


def heat_and_budgets(tables: Tables) -> pd.DataFrame:
    """Return the table of figure S8: best test accuracy over η and λ, and accuracy against λ for several T at one η.

    Panel b takes the budgets that the points were trained with if sweeps differ in them or η has a schedule. Otherwise
    it takes those of the grid (analysis.budgets). T is in epochs.

    Returns:
        Panels ``heat`` (``x`` is η, ``low`` is λ, ``y`` is the accuracy) and ``budgets`` (``x`` is λ).

    Raises:
        RequirementError: There are fewer than two η or two λ, or there is no accuracy within a budget.
    """
    require_columns(tables.peaks, ["best_test_acc"], "peaks")
    require_one_setting(tables.peaks)
    peaks = tables.peaks[~tables.peaks["outcome"].isin(BROKEN_OUTCOMES)]
    marks = peaks.assign(y=peaks["best_test_acc"], mark="observed")
    means = means_and_seeds(marks.assign(panel="heat", x=marks["eta"], low=marks["lam"]), ["eta", "lam", "sweep"])
    heat = means[means["seed"].isna()]
    # a sweep of one η is of panel b and has another budget
    wide = heat.groupby("sweep")["eta"].transform("nunique") > 1
    heat = (heat[wide] if wide.any() else heat).sort_values("y", ascending=False).drop_duplicates(["eta", "lam"])
    if min(heat["eta"].nunique(), heat["lam"].nunique()) < 2:
        raise RequirementError("at least two η and two λ")
    heat = heat.sort_values(["eta", "lam"])
    trained = peaks[peaks["lam"] > 0].groupby("sweep")["budget"].agg(["min", "max"])
    each_has_its_own = (trained["max"] <= 1.01 * trained["min"]).all() and trained["max"].round(3).nunique() > 1
    if each_has_its_own or (tables.sweeps["schedule"] != "constant").any():
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
    """Draw figure 1a: one panel."""
    names = list(dict.fromkeys(data["series"]))
    line_styles = {name: SERIES_STYLES[k % len(SERIES_STYLES)] for k, name in enumerate(names)}
    with styled(8.0):
        figure, [[ax]] = new_print_figure([["Test accuracy at the end of training"]], bottom=LINE_KEY_MARGIN)
        rows = panel_rows(data, "final")
        draw_means(ax, rows, "series", line_styles.__getitem__)
        for _, row in rows[rows["mark"] == "reference"].iterrows():
            ax.axhline(row["y"], color=line_styles[row["series"]]["color"], linestyle=DASHED, linewidth=1.0)
        log_x(ax, numeric_column(rows, "x"), "λ")
        ax.set_ylabel("test accuracy")
        zero = {"λ = 0": LAM_ZERO_STYLE} if (rows["mark"] == "reference").any() else {}
        draw_line_key(ax, line_styles | zero)
    return figure


def draw_heat_and_budgets(data: pd.DataFrame) -> Figure:
    """Draw figure S8: two panels."""
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
    """Draw a cell for each η and λ, evenly spaced; it is grey without a point and framed where accuracy is best."""
    etas, lams = np.unique(numeric_column(rows, "x")), np.unique(numeric_column(rows, "low"))
    cells = np.full((len(lams), len(etas)), np.nan)
    cells[np.searchsorted(lams, rows["low"]), np.searchsorted(etas, rows["x"])] = rows["y"]
    ax.set_facecolor(GREY)
    ax.grid(visible=False)
    mesh = ax.pcolormesh(np.arange(len(etas) + 1), np.arange(len(lams) + 1), cells, cmap=mpl.colormaps["cividis"])
    mesh.set(edgecolor="white", linewidth=0.4)
    row, column = divmod(int(np.nanargmax(cells)), len(etas))
    ax.add_patch(mpl.patches.Rectangle((column, row), 1, 1, fill=False, edgecolor=ORANGE, linewidth=1.6))
    for axis, values, label, maximum in ((ax.xaxis, etas, "η", 6), (ax.yaxis, lams, "λ", 11)):
        shown = np.arange(0, len(values), -(-len(values) // maximum))
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
    """Write accuracies (L, E) in percent into their cells, if cells are large enough."""
    rows, columns = cells.shape
    if rows > 12 or columns > 6:
        return
    shades = mpl.colormaps["cividis"](mpl.colors.Normalize(np.nanmin(cells), np.nanmax(cells))(cells))[..., :3].mean(-1)
    for r, c in zip(*np.nonzero(np.isfinite(cells)), strict=True):
        color = "white" if shades[r, c] < 0.45 else INK
        text = f"{100 * cells[r, c]:.1f}"
        ax.text(c + 0.5, r + 0.5, text, ha="center", va="center", fontsize=6 if rows < 11 else 5, color=color)
