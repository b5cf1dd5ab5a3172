"""Figures S1 and S5: effects of η on the time to training accuracy 1, and on the accuracy then and at the maximum."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from results.analysis.segments import ROUNDING
from results.figures.axes import tick_label
from results.figures.columns import BROKEN_OUTCOMES, numeric_column
from results.figures.layout import new_print_figure
from results.figures.paper.means import low_middle_high, mean_curves, means_and_seeds, stack_panels
from results.figures.paper.panels import (
    BOUND_STYLE,
    LAM_ZERO_STYLE,
    LineStyle,
    draw_curves,
    draw_keys,
    draw_means,
    log_x,
    log_y,
    panel_rows,
    share_y_limits,
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
from results.figures.style import INK, lam_scale, styled

GROUP_COLUMNS = ["eta", "lam"]
MINIMUM_STYLE: dict[str, Any] = {"color": INK, "linestyle": "none", "marker": "v", "markersize": 4.0}


def time_to_fit(tables: Tables) -> pd.DataFrame:
    """Return the table of figure S1: epochs to training accuracy 1 against η, by λ.

    Returns:
        Panel ``t_train1``; ``x`` is η. A mean is censored if some seeds never reached training accuracy 1; it is left
        out if none did.
    """
    require_columns(tables.peaks, ["t_train1"], "peaks (training accuracy 1 is never reached)")
    require_one_setting(tables.peaks)
    peaks = tables.peaks.drop_duplicates("point")
    never = peaks["t_train1"].isna().groupby([peaks[k] for k in GROUP_COLUMNS]).transform("any")
    mark = np.where(never, "censored", "observed")
    marks = peaks.assign(panel="t_train1", x=peaks["eta"], y=peaks["t_train1"], mark=mark)
    return stack_panels([means_and_seeds(marks[marks["y"] > 0], GROUP_COLUMNS, geometric=True)])


def catapult(tables: Tables) -> pd.DataFrame:
    """Return the table of figure S5: test accuracies against η, and training loss against epochs.

    Returns:
        Panels ``fitted`` (test accuracy at training accuracy 1) and ``best`` (at its maximum), whose ``x`` is η. Panel
        ``loss`` at one η, for λ = 0 and the smallest, middle and largest λ, and ``minimum`` of each of these curves.

    Raises:
        RequirementError: There are fewer than two η, or no point reaches training accuracy 1.
    """
    require_columns(tables.rows, ["train_acc", "train_loss"], "rows")
    require_one_setting(tables.peaks)
    peaks = tables.peaks[~tables.peaks["outcome"].isin(BROKEN_OUTCOMES)].drop_duplicates("point")
    if peaks["eta"].nunique() < 2:
        raise RequirementError("at least two η")
    marks = peaks.assign(x=peaks["eta"], mark="observed")
    fitted = means_and_seeds(
        marks.assign(panel="fitted", y=marks["point"].map(_accuracy_when_fitted(tables.rows))), GROUP_COLUMNS
    )
    if fitted.empty:
        raise RequirementError("a point that reaches training accuracy 1")
    best = means_and_seeds(marks.assign(panel="best", y=marks["best_test_acc"]), GROUP_COLUMNS)
    return stack_panels([fitted, best, *_losses(tables, peaks)])


def _accuracy_when_fitted(rows: pd.DataFrame) -> pd.Series:
    """Return test accuracy at the first measurement with training accuracy 1, by point."""
    reached = rows[rows["train_acc"].to_numpy(dtype=float) >= 1 - ROUNDING].sort_values("step", kind="stable")
    first: pd.Series = reached.drop_duplicates("point").set_index("point")["test_acc"]
    return first


def _losses(tables: Tables, peaks: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the rows of panels ``loss`` and ``minimum``; a minimum at the end of a curve is left out."""
    eta = choose_eta(peaks, tables.eta)
    rows = rows_at_eta(tables.rows[tables.rows["point"].isin(peaks["point"])], eta).drop_duplicates(["point", "step"])
    shown = [0.0, *low_middle_high(rows["lam"])]
    curves = mean_curves(rows[rows["lam"].isin(shown)], GROUP_COLUMNS, "train_loss")
    curves = curves[(curves["x"] > 0) & (curves["y"] > 0)].reset_index(drop=True)
    lowest = curves.loc[curves.groupby("lam")["y"].idxmin()]
    inside = lowest["step"] < lowest["lam"].map(curves.groupby("lam")["step"].max())
    parts = (curves.assign(panel="loss", mark="observed"), lowest[inside].assign(panel="minimum", mark="minimum"))
    return [*parts]


# -------------------------------------------------------------------------------------------- drawing


def draw_time_to_fit(data: pd.DataFrame) -> Figure:
    """Draw figure S1: one panel."""
    rows = panel_rows(data, "t_train1")
    lams = lam_scale(numeric_column(rows, "lam"))
    with styled(8.0):
        figure, [[ax]] = new_print_figure([["Epochs to training accuracy 1"]])
        draw_means(ax, rows, "lam", styles_from(lams))
        log_x(ax, numeric_column(rows, "x"), "η")
        log_y(ax, numeric_column(rows, "y"), "epochs")
        bound = {"not reached by all seeds": BOUND_STYLE} if (rows["mark"] == "censored").any() else {}
        draw_keys(ax, "λ", lams, _zero_key(rows) | bound)
    return figure


def draw_catapult(data: pd.DataFrame) -> Figure:
    """Draw figure S5: three panels; a and b share their range."""
    lams = lam_scale(numeric_column(data, "lam"))
    loss = panel_rows(data, "loss")
    eta = f", η = {tick_label(loss['eta'].iloc[0])}" if len(loss) else ""
    titles = ["a  When training accuracy is 1", "b  Maximum test accuracy", f"c  Training loss{eta}"]
    with styled(8.0):
        figure, [[left, middle, right]] = new_print_figure([titles])
        for ax, name in ((left, "fitted"), (middle, "best")):
            rows = panel_rows(data, name)
            draw_means(ax, rows, "lam", styles_from(lams))
            log_x(ax, numeric_column(data[data["panel"].isin(["fitted", "best"])], "x"), "η")
            ax.set_ylabel("test accuracy")
            draw_keys(ax, "λ", lams, _zero_key(rows))
        share_y_limits([left, middle])
        draw_curves(right, loss, "lam", styles_from(lams))
        lowest = panel_rows(data, "minimum")
        for _, row in lowest.iterrows():
            right.plot(row["x"], row["y"], **MINIMUM_STYLE | {"color": styles_from(lams)(row["lam"])["color"]})
        log_x(right, numeric_column(loss, "x"), "epochs")
        log_y(right, numeric_column(loss, "y"), "training loss")
        draw_keys(right, "λ", lams, _zero_key(loss) | ({"minimum": MINIMUM_STYLE} if len(lowest) else {}))
    return figure


def _zero_key(rows: pd.DataFrame) -> dict[str, LineStyle]:
    """Return the legend entry of λ = 0, if it is shown."""
    return {"λ = 0": LAM_ZERO_STYLE} if (rows["lam"] == 0).any() else {}
