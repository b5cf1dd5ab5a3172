"""The figures of a sweep, from tables to drawings. Nothing here reads a file or fits a number.

``results.figures.sweep_data`` chooses what a figure shows; the functions here draw that table and nothing else.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from results.figures import style
from results.figures.axes import draw_no_data, set_log_axis, tick_label
from results.figures.columns import is_positive, numeric_column
from results.figures.drawing import Drawing
from results.figures.layout import draw_color_key, new_figure
from results.figures.row_ids import curve_id, line_id, marks_id
from results.figures.style import DASHED, GREY, ColorScale
from results.figures.sweep_data import LawLine, collapse_data, prediction_data, sweep_data
from search_spaces.sections.metric import TEST_ACCURACY, Metric

MAX_LIGHTENING = 0.65  # share of white in the curve of the smallest λ
MAX_VECTOR_MARKS = 2_000  # in one panel; more are drawn as pixels, since each takes a hundred bytes of SVG


def draw_all(
    peaks: pd.DataFrame,
    within: pd.DataFrame,
    prediction: pd.DataFrame,
    curves: pd.DataFrame,
    law: LawLine | None = None,
    metric: Metric = TEST_ACCURACY,
) -> list[Drawing]:
    """Draw every figure of a sweep in the order of the report, with one color per η throughout.

    Args:
        peaks: One row a point. A column in_law, if present, says which points the law was fitted to.
        within: Best of the metric of each point within each budget.
        prediction: Tuned and predicted λ per η and budget.
        curves: Thinned metric of every point.
        law: The fit; None if there is none.
        metric: The quantity by which points are judged.
    """
    etas = [numeric_column(table, "eta") for table in (peaks, within, prediction, curves)]
    scale = style.eta_scale(np.concatenate(etas))
    return [
        draw_sweep(peaks, within, scale, metric),
        draw_collapse(peaks, curves, scale, law, metric),
        draw_lambda_pred(prediction, scale, metric),
    ]


def draw_sweep(peaks: pd.DataFrame, within: pd.DataFrame, scale: ColorScale, metric: Metric = TEST_ACCURACY) -> Drawing:
    """Draw time to the best of the metric, the best, and the best within budgets, against λ (paper, figure 2a to c).

    Args:
        peaks: One row a point, t_star in epochs.
        within: Best of the metric within each budget, in epochs.
        scale: Colors of η.
        metric: The quantity by which points are judged.
    """
    data, extreme = sweep_data(peaks, within, metric), metric.extreme
    time, best, reached = (data[data["panel"] == p] for p in ("t_star", metric.best, "within_budget"))
    eta = f", η = {tick_label(reached['eta'].iloc[0])}" if len(reached) else ""
    best_title = f"b  {extreme.capitalize()} {metric.title}"
    within_title = f"c  {extreme.capitalize()} within a budget{eta}"
    titles = (f"a  Epochs to {extreme} {metric.title}", best_title, within_title)
    budgets = style.budget_scale(numeric_column(reached, "budget_at"))
    with style.styled():
        figure, (left, middle, right) = new_figure(titles, width=3.9)
        _draw_lines(left, time, "eta", scale, f"no point with λ > 0\nreached a {extreme}")
        _draw_lines(middle, best, "eta", scale, f"no point with λ > 0\nhas a {metric.title}")
        _draw_lines(right, reached, "budget_at", budgets, f"no {_short(metric)} within a budget")
        for ax in (middle, right):
            ax.set_ylabel(metric.title if ax.lines else "")
        if left.lines:
            set_log_axis(left.yaxis, numeric_column(time, "y"))
            left.set_ylabel("t* (epochs)")
        _draw_zero_reference(middle, best.assign(group=best["eta"]), scale.color)
        _draw_zero_reference(right, reached.assign(group=reached["budget_at"]), budgets.color)
        draw_color_key(left, "η", scale)
        draw_color_key(middle, "η", scale)
        draw_color_key(right, "T", budgets)
    hollow, broken = int((time["mark"] == "censored").sum()), int((best["mark"] == "broken").sum())
    caption = (
        "Layout of figure 2a to c of the paper. Lines join medians over seeds and further axes. Diamonds at the left "
        "margin, with dashed lines: the same at λ = 0. "
        f"Hollow with an arrow: t* is only a lower bound ({hollow} of {len(time)}). "
        f"Crosses: diverged or failed ({broken}). T in epochs."
    )
    title = f"Time and {_short(metric)} against λ"
    return Drawing(name="sweep", title=title, caption=caption, panels=titles, figure=figure, data=data)


def _draw_lines(ax: Axes, rows: pd.DataFrame, group: str, scale: ColorScale, reason: str) -> None:
    """Draw one line per group against λ > 0: medians joined, every mark shown.

    Args:
        ax: The panel.
        rows: Rows of the panel.
        group: Column of the groups.
        scale: Colors of the groups.
        reason: Why the panel is empty, if it is.
    """
    rows = rows[is_positive(rows["lam"]) & is_positive(rows[group])]
    if rows.empty:
        draw_no_data(ax, reason)
        return
    dense = len(rows) > MAX_VECTOR_MARKS
    for value, part in rows.groupby(group, sort=True):
        color = scale.color(_as_float(value))
        middle = part[part["mark"] == "observed"].groupby("lam", sort=True)["y"].median()
        ax.plot(middle.index.to_numpy(), middle.to_numpy(), color=color, rasterized=dense, gid=line_id(part))
        _draw_marks(ax, part.assign(x=part["lam"]), color, rasterized=dense)
    set_log_axis(ax.xaxis, numeric_column(rows, "lam"))
    ax.set_xlabel("λ")


def _draw_marks(ax: Axes, rows: pd.DataFrame, color: str, **properties: Any) -> None:
    """Draw full circles for observed values, hollow ones with an arrow for lower bounds, crosses for broken points."""
    for mark, mark_style in style.MARK_STYLES.items():
        part = rows[rows["mark"] == mark]
        if len(part):
            shown = {"color": color, "gid": marks_id(part)} | mark_style | properties
            ax.plot(part["x"], part["y"], linestyle="none", **shown)


def _draw_zero_reference(ax: Axes, rows: pd.DataFrame, color: Callable[[float], str]) -> None:
    """Draw the median of λ = 0 at the left margin, one per group, as the lines at λ > 0 join medians."""
    zero = rows[(rows["lam"] == 0) & (rows["mark"] == "observed")]
    if ax.lines:
        for value, part in zero.groupby("group"):
            hue, across, middle = color(_as_float(value)), ax.get_yaxis_transform(), part["y"].median()
            ax.axhline(middle, color=hue, linewidth=0.7, linestyle=DASHED, gid=line_id(part))
            diamond: dict[str, Any] = {"color": hue, "marker": "D", "markersize": 5, "gid": line_id(part, "diamond")}
            ax.plot([0], [middle], transform=across, clip_on=False, zorder=3, **diamond)


def draw_collapse(
    peaks: pd.DataFrame,
    curves: pd.DataFrame,
    scale: ColorScale,
    law: LawLine | None,
    metric: Metric = TEST_ACCURACY,
) -> Drawing:
    """Draw all runs on the axis of decay time, and t* against ηλ/(1-μ) with the fitted law.

    Args:
        peaks: One row a point, t_star_step in optimizer steps.
        curves: Thinned metric of every point.
        scale: Colors of η.
        law: The fit; None if there is none, and then the marks stand alone.
        metric: The quantity by which points are judged.
    """
    data = collapse_data(peaks, curves, metric)
    runs, peak, points = (data[data["panel"] == p] for p in ("curve", "peak", "law"))
    name = metric.title
    titles = (f"a  {name.capitalize()} against decay time", f"b  Steps to {metric.extreme} {name}")
    with style.styled():
        figure, (left, right) = new_figure(titles, width=4.3)
        _draw_curves(left, runs, peak, scale, law)
        left.set_ylabel(name if left.lines else "")
        draw_law(right, points, scale, law)
        draw_color_key(left, "η", scale)
        draw_color_key(right, "η", scale)
    hollow, outside = (int((points["mark"] == mark).sum()) for mark in ("censored", "outside"))
    absent = int(is_positive(peaks.reindex(columns=["lam", "kappa"])["kappa"]).sum()) - runs["point"].nunique()
    band = (
        "Grey in a: κ and its interval. In b: the fit, with the interval of its slope about the center of the data; "
        "dashed: slope exactly −1 through κ."
    )
    caption = (
        f"If t* ∝ 1/(ηλ), all {metric.mode}ima (circles) fall on one decay time s = Σ ηλ/(1−μ). Paler: smaller λ; "
        f"λ = 0 has s = 0 and is left out. {band if law else 'No law was fitted.'} "
        f"Hollow with an arrow: t* is only a lower bound ({hollow} of {len(points)})."
    )
    side = "low" if metric.mode == "max" else "high"
    squares = f" Small squares: not in the fit, the {_short(metric)} is too {side} to call it learning ({outside})."
    caption += squares * (outside > 0)
    caption += f" a has every {metric.extreme}, but the curves of only {runs['point'].nunique()} points." * (absent > 0)
    title = "Collapse on decay time"
    return Drawing(name="collapse", title=title, caption=caption, panels=titles, figure=figure, data=data)


def _draw_curves(ax: Axes, runs: pd.DataFrame, peak: pd.DataFrame, scale: ColorScale, law: LawLine | None) -> None:
    """Draw the metric against decay time; a smaller λ is paler.

    Args:
        ax: The panel.
        runs: Rows of the curves.
        peak: Rows of the maxima.
        scale: Colors of η.
        law: The fit, for κ and its interval; None if there is none.
    """
    if runs.empty:
        draw_no_data(ax, "no measurement at s > 0")
        return
    shade = np.log(numeric_column(runs, "lam"))
    low, span = shade.min(), max(float(np.ptp(shade)), 1e-12)
    if law is not None and np.isfinite(law.kappa):
        if np.isfinite([law.kappa_low, law.kappa_high]).all():
            ax.axvspan(law.kappa_low, law.kappa_high, color=GREY, linewidth=0, zorder=0.5, gid="kappa.interval")
        ax.axvline(law.kappa, color=style.MUTED, linewidth=0.9, gid="kappa")
    for _, run in runs.groupby(["lam", "eta", "point", "seed"], sort=True, dropna=False):
        share = 1.0 - (np.log(run["lam"].iloc[0]) - low) / span
        color = style.lighten(scale.color(run["eta"].iloc[0]), MAX_LIGHTENING * share)
        single = "." if len(run) == 1 else ""
        ax.plot(run["x"], run["y"], color=color, linewidth=1.1, marker=single, gid=curve_id(run))
    for eta, part in peak.groupby("eta", sort=True):
        _draw_marks(ax, part, scale.color(_as_float(eta)), zorder=3, rasterized=len(peak) > MAX_VECTOR_MARKS)
    set_log_axis(ax.xaxis, numeric_column(runs, "x"))
    ax.set_xlabel("decay time s")


def draw_law(ax: Axes, points: pd.DataFrame, scale: ColorScale, law: LawLine | None) -> None:
    """Draw t* in steps against ηλ/(1-μ), with the fit if there is one.

    Args:
        ax: The panel.
        points: Rows of the panel ``law`` of ``collapse_data``.
        scale: Colors of η.
        law: The fit; None if there is none.
    """
    if points.empty:
        draw_no_data(ax, "no point with λ > 0\nreached its best")
        return
    set_log_axis(ax.xaxis, numeric_column(points, "x"))
    set_log_axis(ax.yaxis, numeric_column(points, "y"))
    if law is not None:
        _draw_fit(ax, law, points[points["mark"] != "outside"])
    for eta, part in points.groupby("eta", sort=True):
        _draw_marks(ax, part, scale.color(_as_float(eta)), zorder=3, rasterized=len(points) > MAX_VECTOR_MARKS)
    ax.set(xlabel="ηλ/(1−μ)", ylabel="t* (steps)")


def _draw_fit(ax: Axes, law: LawLine, fitted: pd.DataFrame) -> None:
    """Draw the fitted line and its band, and the line of slope −1 through κ.

    The band turns the line about the center of the fitted points by the interval of its slope.
    """
    center = float(np.log10(numeric_column(fitted, "x")).mean()) if len(fitted) else 0.0
    ends = np.log10(ax.get_xlim())
    line, low, high = (
        10.0 ** (law.intercept + law.slope * center + slope * (ends - center))
        for slope in (law.slope, law.slope_low, law.slope_high)
    )
    fit = f"fit: slope {law.slope:.2f}{_interval(law.slope_low, law.slope_high)}".replace("-", "−")
    exact = f"slope −1: κ = {law.kappa:.2f}{_interval(law.kappa_low, law.kappa_high)}"
    if np.isfinite([law.slope_low, law.slope_high]).all():
        ax.fill_between(10.0**ends, low, high, color=GREY, linewidth=0, zorder=1)
    ax.plot(10.0**ends, line, color=style.INK, label=fit)
    if np.isfinite(law.kappa):
        ax.plot(
            10.0**ends, law.kappa / law.decay_per_rate / 10.0**ends, color=style.MUTED, linestyle=DASHED, label=exact
        )
    ax.legend(loc="upper right")


def _interval(low: float, high: float) -> str:
    """Return an interval as text; empty if it is not finite."""
    return f" [{low:.2f}, {high:.2f}]" if np.isfinite([low, high]).all() else ""


def draw_lambda_pred(prediction: pd.DataFrame, scale: ColorScale, metric: Metric = TEST_ACCURACY) -> Drawing:
    """Draw predicted λ = c/T beside the tuned λ, and the metric of both (paper, figure 4b).

    Args:
        prediction: One row per η and budget (epochs).
        scale: Colors of η.
        metric: The quantity by which points are judged.
    """
    data = prediction_data(prediction)
    titles = ("a  Predicted and tuned λ", f"b  {metric.title.capitalize()} within the budget")
    with style.styled():
        figure, (left, right) = new_figure(titles, width=4.3)
        if data.empty:
            for ax in (left, right):
                draw_no_data(ax, "no budget with a predicted or tuned λ")
        else:
            _draw_prediction(left, right, data, scale)
            right.set_ylabel(metric.title)
        draw_color_key(left, "η", scale)
        draw_color_key(right, "η", scale)
    absent = len(np.unique(numeric_column(prediction, "eta"))) - data["eta"].nunique()
    caption = (
        "Figure 4b of the paper. Predicted: c/T, with c from short runs, t* at most T/10. Tuned: the best λ of the "
        f"sweep within the budget; bars hold every λ within 0.1 % of its {_short(metric)}."
    )
    caption += f" Not drawn: {absent} of the learning rates." if absent else ""
    title = "λ predicted from a short run"
    return Drawing(name="lambda_pred", title=title, caption=caption, panels=titles, figure=figure, data=data)


def _draw_prediction(left: Axes, right: Axes, data: pd.DataFrame, scale: ColorScale) -> None:
    """Draw λ and accuracies of prediction and tuning against the budget.

    Args:
        left: Panel of λ.
        right: Panel of accuracies.
        data: Table of the figure.
        scale: Colors of η.
    """
    etas = sorted(data["eta"].unique())
    diamond: dict[str, Any] = {"marker": "D", "markersize": 3.8, "markerfacecolor": "white"}
    for k, eta in enumerate(etas):
        rows, color = data[data["eta"] == eta], scale.color(eta)
        # moved aside by a few percent, since bars of several η at one budget would overlap
        at = rows["budget_at"] * 1.05 ** (k - (len(etas) - 1) / 2)
        bars = [rows["lam_tuned"] - rows["lam_tuned_low"], rows["lam_tuned_high"] - rows["lam_tuned"]]
        reach = np.nan_to_num(np.clip(np.array(bars, dtype=float), 0.0, None))
        tuned = left.errorbar(at, rows["lam_tuned"], reach, color=color, fmt="o", capsize=2.5, elinewidth=1.0)
        predicted = left.plot(rows["budget_at"], rows["lam_pred"], color=color, **diamond)
        right.plot(at, rows["acc_tuned"], color=color, marker="o", linestyle="none", gid=line_id(rows, "tuned"))
        right.plot(rows["budget_at"], rows["acc_pred"], color=color, gid=line_id(rows, "predicted"), **diamond)
        zero: dict[str, Any] = {"linestyle": DASHED, "linewidth": 1.0, "gid": line_id(rows, "zero")}
        right.plot(rows["budget_at"], rows["acc_zero"], color=color, **zero)
        for number, artist in enumerate((*tuned.get_children(), *predicted)):
            artist.set_gid(line_id(rows, f"left{number}"))
    names = ("lam_tuned_low", "lam_tuned_high", "lam_tuned", "lam_pred")
    shown = np.concatenate([numeric_column(data, name) for name in names])
    set_log_axis(left.yaxis, shown[np.isfinite(shown) & (shown > 0)])
    grey: dict[str, Any] = {"color": style.MUTED}
    handles = [
        Line2D([], [], label="predicted c/T", **diamond, **grey),
        Line2D([], [], label="tuned", marker="o", linestyle="none", **grey),
        Line2D([], [], label="λ = 0", linestyle=DASHED, linewidth=1.0, **grey),
    ]
    left.legend(handles=handles[:2], loc="best")
    right.legend(handles=handles, loc="lower right")
    left.set_ylabel("λ")
    for ax in (left, right):
        set_log_axis(ax.xaxis, numeric_column(data, "budget_at"))
        ax.set_xlabel("budget T (epochs)")


def _short(metric: Metric) -> str:
    """Return the metric in a word or two."""
    return "accuracy" if metric.is_accuracy else metric.title


def _as_float(key: object) -> float:
    """Return a group key as a number; pandas types it as any hashable."""
    return float(key)  # type: ignore[arg-type]
