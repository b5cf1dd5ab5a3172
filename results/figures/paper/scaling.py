"""Figures 2, 3, S2 and S7: time to the maximum and maximum test accuracy against λ."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.figures.axes import tick_label
from results.figures.columns import BROKEN_OUTCOMES, numeric_column
from results.figures.layout import new_print_figure
from results.figures.paper.means import means_and_seeds, stack_panels
from results.figures.paper.panels import (
    BOUND_STYLE,
    LAM_ZERO_STYLE,
    LineStyle,
    draw_keys,
    draw_means,
    draw_reference,
    log_x,
    log_y,
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
from results.figures.style import MUTED, budget_scale, eta_scale, styled

LAW_LINE_STYLE: dict[str, Any] = {"color": MUTED, "linestyle": (0, (1, 1.6)), "linewidth": 1.0}


def time_and_accuracy(tables: Tables) -> pd.DataFrame:
    """Return the table of figures 2 and 3: t*, maximum test accuracy, and that within each budget T at one η.

    Both t* and T are in epochs.

    Returns:
        Panels ``t_star``, ``best`` and ``within`` of each sweep; ``x`` is λ. Rows marked ``reference`` have λ = 0: the
        best over all η, or within each budget.
    """
    parts = []
    for name in tables.names:
        sweep = tables.of_sweep(name)
        _require_peaks(sweep)
        require_columns(sweep.within, ["acc"], "accuracies within the budgets of the grid (analysis.budgets)")
        parts += [time_marks(sweep.peaks), accuracy_marks(sweep.peaks), _within_marks(sweep)]
    return stack_panels(parts)


def time_and_momentum(tables: Tables) -> pd.DataFrame:
    """Return the table of figure S2: t* (epochs) against λ with momentum, and the line t* = c/λ through each η.

    Returns:
        Panel ``t_star``; ``x`` is λ. Rows marked ``prediction`` are the ends of the line, with c the mean of t*·λ.

    Raises:
        RequirementError: A point has no momentum.
    """
    _require_peaks(tables)
    require_one_setting(tables.peaks)
    if not (tables.peaks["mu"] > 0).all():
        raise RequirementError("momentum (optimizer.mu), but it is 0")
    marks = time_marks(tables.peaks)
    lines = []
    for eta, part in marks[marks["seed"].isna()].groupby("eta", sort=True):
        seen = part[part["mark"] == "observed"]
        if len(seen) > 1:
            c, x = float(np.exp(np.log(seen["y"] * seen["x"]).mean())), np.array([seen["x"].min(), seen["x"].max()])
            lines.append(pd.DataFrame({"panel": "t_star", "eta": eta, "x": x, "y": c / x, "mark": "prediction"}))
    return stack_panels([marks, *lines])


def time_and_limits(tables: Tables) -> pd.DataFrame:
    """Return the table of figure S7: t* (epochs) and maximum test accuracy against λ, each beside that of λ = 0.

    Returns:
        Panels ``t_star`` and ``best``; ``x`` is λ. Rows marked ``reference`` have λ = 0: of each η in ``t_star``, the
        best over all η in ``best``.
    """
    _require_peaks(tables)
    require_one_setting(tables.peaks)
    zero = tables.peaks[tables.peaks["lam"] == 0]
    seen = _mark_times(zero).assign(panel="t_star")
    seen = means_and_seeds(seen, ["eta", "lam"], geometric=True)
    bound = seen["mark"] == "censored"
    reference = seen[seen["seed"].isna()].assign(
        mark="reference", series=np.where(bound, "lower bound", "observed")[seen["seed"].isna()]
    )
    return stack_panels([time_marks(tables.peaks), reference, accuracy_marks(tables.peaks)])


def time_marks(peaks: pd.DataFrame) -> pd.DataFrame:
    """Return panel ``t_star``: geometric means over seeds of t* in epochs, and each seed.

    A mean is a lower bound if one of its seeds is censored.
    """
    shown = peaks[(peaks["lam"] > 0) & ~peaks["outcome"].isin(BROKEN_OUTCOMES)]
    return means_and_seeds(_mark_times(shown).assign(panel="t_star"), _group_columns(peaks), geometric=True)


def _mark_times(peaks: pd.DataFrame) -> pd.DataFrame:
    """Return points with a t* as marks against λ: observed or censored."""
    mark = np.where(peaks["censored"].astype(bool), "censored", "observed")
    marks = peaks.assign(x=peaks["lam"], y=peaks["t_star"], mark=mark)
    return marks[marks["y"] > 0]


def accuracy_marks(peaks: pd.DataFrame) -> pd.DataFrame:
    """Return panel ``best``: means over seeds of maximum test accuracy, each seed, and the best of λ = 0 over all η."""
    mark = np.where(peaks["outcome"].isin(BROKEN_OUTCOMES), "broken", "observed")
    marks = peaks.assign(panel="best", x=peaks["lam"], y=peaks["best_test_acc"], mark=mark)
    means = means_and_seeds(marks[marks["lam"] > 0], _group_columns(peaks))
    return pd.concat([means, _best_at_zero(means_and_seeds(marks[marks["lam"] == 0], _group_columns(peaks)), [])])


def _within_marks(tables: Tables) -> pd.DataFrame:
    """Return panel ``within``: maximum accuracy within each budget at one η, and that of λ = 0."""
    chosen = rows_at_eta(tables.within, choose_eta(tables.within[tables.within["acc"].notna()], tables.eta))
    marks = chosen.assign(panel="within", x=chosen["lam"], y=chosen["acc"], mark="observed")
    cell = [*_group_columns(marks), "budget_at"]
    zero = _best_at_zero(means_and_seeds(marks[marks["lam"] == 0], cell), ["budget_at"])
    return pd.concat([means_and_seeds(marks[marks["lam"] > 0], cell), zero])


def _best_at_zero(means: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the best mean at λ = 0 as a reference, for each value of the given columns."""
    means = means[means["seed"].isna() & (means["mark"] != "broken")].sort_values("y", ascending=False, kind="stable")
    best = means.drop_duplicates(list(by)) if by else means.head(1)
    return best.assign(mark="reference", x=np.nan)


def _group_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns that tell groups of seeds apart."""
    return [name for name in ("sweep", "eta", "lam") if name in table]


def _require_peaks(tables: Tables) -> None:
    """Refuse tables without t*, accuracies or λ > 0, or with several settings in a sweep.

    Raises:
        RequirementError: One of these is missing.
    """
    require_columns(tables.peaks, ["t_star", "best_test_acc"], "peaks")
    if not (tables.peaks["lam"] > 0).any():
        raise RequirementError("points of λ > 0")
    for name in tables.names:
        require_one_setting(tables.of_sweep(name).peaks)


# -------------------------------------------------------------------------------------------- drawing


def draw_time_and_accuracy(data: pd.DataFrame, letters: str = "abcdef") -> Figure:
    """Draw figures 2 and 3: three panels a row, one row a sweep."""
    sweeps = list(dict.fromkeys(data["sweep"]))
    letters = letters * len(sweeps) if len(sweeps) > len(letters) // 3 else letters
    etas = eta_scale(numeric_column(data, "eta"))
    names = ("Epochs to maximum accuracy", "Maximum test accuracy", "Maximum within T")
    titles = [[f"{letters[3 * r + k]}  {name}" for k, name in enumerate(names)] for r in range(len(sweeps))]
    for row, name in zip(titles, sweeps, strict=True):
        row[2] += f", η = {tick_label(panel_rows(data, 'within', name)['eta'].iloc[0])}"
    with styled(8.0):
        figure, grid = new_print_figure(titles, [f"sweep {name}" for name in sweeps] if len(sweeps) > 1 else ())
        for name, (left, middle, right) in zip(sweeps, grid, strict=True):
            time, best, within = (panel_rows(data, p, name) for p in ("t_star", "best", "within"))
            draw_means(left, time, "eta", styles_from(etas))
            log_y(left, numeric_column(time, "y"), "t* (epochs)")
            draw_means(middle, best, "eta", styles_from(etas))
            draw_reference(middle, best)
            budgets = budget_scale(numeric_column(within, "budget_at"))
            draw_means(right, within, "budget_at", styles_from(budgets))
            draw_reference(right, within, lambda row, scale=budgets: scale.color(row["budget_at"]))  # type: ignore[misc]
            for ax, rows in ((left, time), (middle, best), (right, within)):
                log_x(ax, numeric_column(rows, "x"), "λ")
            for ax in (middle, right):
                ax.set_ylabel("test accuracy")
            draw_keys(left, "η", etas, _bounds_key(time))
            draw_keys(middle, "η", etas, _zero_key(best))
            draw_keys(right, "T", budgets, _zero_key(within))
    return figure


def draw_time_and_momentum(data: pd.DataFrame) -> Figure:
    """Draw figure S2: one panel."""
    etas = eta_scale(numeric_column(data, "eta"))
    with styled(8.0):
        figure, [[ax]] = new_print_figure([["Epochs to maximum test accuracy, with momentum"]])
        guide = data["mark"] == "prediction"
        _draw_guides(ax, data[guide])
        rows = panel_rows(data[~guide], "t_star")
        draw_means(ax, rows, "eta", styles_from(etas))
        log_x(ax, numeric_column(rows, "x"), "λ")
        log_y(ax, numeric_column(rows, "y"), "t* (epochs)")
        draw_keys(ax, "η", etas, ({"t* ∝ 1/λ": LAW_LINE_STYLE} if guide.any() else {}) | _bounds_key(rows))
    return figure


def draw_time_and_limits(data: pd.DataFrame) -> Figure:
    """Draw figure S7: two panels."""
    etas = eta_scale(numeric_column(data, "eta"))
    with styled(8.0):
        figure, [[left, right]] = new_print_figure([["a  Epochs to maximum test accuracy", "b  Maximum test accuracy"]])
        time, best = panel_rows(data, "t_star"), panel_rows(data, "best")
        draw_means(left, time, "eta", styles_from(etas))
        draw_reference(left, time, lambda row: etas.color(row["eta"]))
        log_y(left, numeric_column(time, "y"), "t* (epochs)")
        draw_means(right, best, "eta", styles_from(etas))
        draw_reference(right, best)
        right.set_ylabel("test accuracy")
        for ax, rows in ((left, time), (right, best)):
            log_x(ax, numeric_column(rows[rows["mark"] != "reference"], "x"), "λ")
        at_least = (time["series"] == "lower bound").any()
        draw_keys(left, "η", etas, _zero_key(time, "λ = 0, at least" if at_least else "λ = 0") | _bounds_key(time))
        draw_keys(right, "η", etas, _zero_key(best))
    return figure


def _draw_guides(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw the line t* = c/λ of each η."""
    for _, line in rows.groupby("eta"):
        ax.plot(line["x"], line["y"], **LAW_LINE_STYLE)


def _zero_key(rows: pd.DataFrame, label: str = "λ = 0") -> dict[str, LineStyle]:
    """Return the legend entry of λ = 0, if it is shown."""
    return {label: LAM_ZERO_STYLE} if (rows["mark"] == "reference").any() else {}


def _bounds_key(rows: pd.DataFrame) -> dict[str, LineStyle]:
    """Return the legend entry of lower bounds, if any is shown."""
    return {"lower bound": BOUND_STYLE} if (rows["mark"] == "censored").any() else {}
