"""Figures S1 and S5: what depends on η: the time to training accuracy 1, and the accuracy then and at the maximum."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from results.analysis.segments import ROUNDING
from results.figures.axes import plain
from results.figures.layout import print_figure
from results.figures.paper.means import low_middle_high, mean_curves, replicated, stack
from results.figures.paper.panels import (
    HOLLOW,
    LAM_ZERO,
    Look,
    draw_curves,
    draw_means,
    keys,
    log_x,
    log_y,
    look_of,
    numbers,
    panel,
    same_y,
)
from results.figures.paper.sources import LackingError, Tables, at_eta, one_eta, require, require_one
from results.figures.style import INK, lam_scale, styled
from results.figures.sweep_data import BROKEN

KEYS = ["eta", "lam"]
MINIMUM: dict[str, Any] = {"color": INK, "linestyle": "none", "marker": "v", "markersize": 4.0}


def time_to_fit(tables: Tables) -> pd.DataFrame:
    """Figure S1: epochs to training accuracy 1 against η, by λ.

    Returns:
        Panel ``t_train1``; ``x`` is η. A mean is censored where some seeds never reached it; points where none did are
        left out.
    """
    require(tables.peaks, ["t_train1"], "peaks (training accuracy 1 is never reached)")
    require_one(tables.peaks)
    peaks = tables.peaks.drop_duplicates("point")
    never = peaks["t_train1"].isna().groupby([peaks[k] for k in KEYS]).transform("any")
    mark = np.where(never, "censored", "observed")
    marks = peaks.assign(panel="t_train1", x=peaks["eta"], y=peaks["t_train1"], mark=mark)
    return stack([replicated(marks[marks["y"] > 0], KEYS, geometric=True)])


def catapult(tables: Tables) -> pd.DataFrame:
    """Figure S5: test accuracy at training accuracy 1 and at its maximum against η; training loss against epochs.

    Returns:
        Panels ``fitted`` and ``best`` (``x`` is η), ``loss`` at one η for λ = 0 and the smallest, middle and largest
        λ, and ``minimum`` of each of these curves.
    """
    require(tables.rows, ["train_acc", "train_loss"], "rows")
    require_one(tables.peaks)
    peaks = tables.peaks[~tables.peaks["outcome"].isin(BROKEN)].drop_duplicates("point")
    if peaks["eta"].nunique() < 2:
        raise LackingError("at least two η")
    marks = peaks.assign(x=peaks["eta"], mark="observed")
    fitted = replicated(marks.assign(panel="fitted", y=marks["point"].map(_accuracy_when_fitted(tables.rows))), KEYS)
    if fitted.empty:
        raise LackingError("a point that reaches training accuracy 1")
    best = replicated(marks.assign(panel="best", y=marks["best_test_acc"]), KEYS)
    return stack([fitted, best, *_losses(tables, peaks)])


def _accuracy_when_fitted(rows: pd.DataFrame) -> pd.Series:
    """Test accuracy at the first measurement with training accuracy 1, by point."""
    reached = rows[rows["train_acc"].to_numpy(dtype=float) >= 1 - ROUNDING].sort_values("step", kind="stable")
    first: pd.Series = reached.drop_duplicates("point").set_index("point")["test_acc"]
    return first


def _losses(tables: Tables, peaks: pd.DataFrame) -> list[pd.DataFrame]:
    eta = one_eta(peaks, tables.eta)
    rows = at_eta(tables.rows[tables.rows["point"].isin(peaks["point"])], eta).drop_duplicates(["point", "step"])
    shown = [0.0, *low_middle_high(rows["lam"])]
    curves = mean_curves(rows[rows["lam"].isin(shown)], KEYS, "train_loss")
    curves = curves[(curves["x"] > 0) & (curves["y"] > 0)].reset_index(drop=True)
    lowest = curves.loc[curves.groupby("lam")["y"].idxmin()]
    inside = lowest["step"] < lowest["lam"].map(curves.groupby("lam")["step"].max())
    parts = (curves.assign(panel="loss", mark="observed"), lowest[inside].assign(panel="minimum", mark="minimum"))
    return [*parts]


# -------------------------------------------------------------------------------------------- drawing


def draw_time_to_fit(data: pd.DataFrame) -> Figure:
    """Figure S1: one panel."""
    rows = panel(data, "t_train1")
    lams = lam_scale(numbers(rows, "lam"))
    with styled(8.0):
        figure, [[ax]] = print_figure([["Epochs to training accuracy 1"]])
        draw_means(ax, rows, "lam", look_of(lams))
        log_x(ax, numbers(rows, "x"), "η")
        log_y(ax, numbers(rows, "y"), "epochs")
        bound = {"not reached by all seeds": HOLLOW} if (rows["mark"] == "censored").any() else {}
        keys(ax, "λ", lams, _zero_key(rows) | bound)
    return figure


def draw_catapult(data: pd.DataFrame) -> Figure:
    """Figure S5: three panels; a and b share their range."""
    lams = lam_scale(numbers(data, "lam"))
    loss = panel(data, "loss")
    eta = f", η = {plain(loss['eta'].iloc[0])}" if len(loss) else ""
    titles = ["a  When training accuracy is 1", "b  Maximum test accuracy", f"c  Training loss{eta}"]
    with styled(8.0):
        figure, [[left, middle, right]] = print_figure([titles])
        for ax, name in ((left, "fitted"), (middle, "best")):
            rows = panel(data, name)
            draw_means(ax, rows, "lam", look_of(lams))
            log_x(ax, numbers(data[data["panel"].isin(["fitted", "best"])], "x"), "η")
            ax.set_ylabel("test accuracy")
            keys(ax, "λ", lams, _zero_key(rows))
        same_y([left, middle])
        draw_curves(right, loss, "lam", look_of(lams))
        lowest = panel(data, "minimum")
        for _, row in lowest.iterrows():
            right.plot(row["x"], row["y"], **MINIMUM | {"color": look_of(lams)(row["lam"])["color"]})
        log_x(right, numbers(loss, "x"), "epochs")
        log_y(right, numbers(loss, "y"), "training loss")
        keys(right, "λ", lams, _zero_key(loss) | ({"minimum": MINIMUM} if len(lowest) else {}))
    return figure


def _zero_key(rows: pd.DataFrame) -> dict[str, Look]:
    return {"λ = 0": LAM_ZERO} if (rows["lam"] == 0).any() else {}
