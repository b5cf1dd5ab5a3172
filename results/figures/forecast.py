"""The figure of a forecast: t* of the probe, the law down to λ_pred, and the accuracies reached."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from results.analysis.segments import floats
from results.figures import style
from results.figures.axes import draw_no_data, set_log_axis
from results.figures.columns import numeric_column
from results.figures.drawing import Drawing
from results.figures.layout import draw_color_key, new_figure
from results.figures.style import DASHED, GREY, ColorScale
from results.forecast.coefficient import learned, usable
from results.forecast.forecast import Forecast

_MARK_LABELS = {"observed": "t* seen", "censored": "a lower bound", "outside": "has not learned"}


def draw_forecast(peaks: pd.DataFrame, forecast: Forecast) -> Drawing:
    """Draw the probe's t*, the law through them down to λ_pred, and the accuracy of all that was trained.

    Args:
        peaks: Peaks of the probe by ``find_peaks``, t_star in epochs.
        forecast: The forecast made from them.
    """
    data = _forecast_data(peaks, forecast)
    titles = ("a  Epochs to maximum test accuracy", "b  Maximum test accuracy")
    scale = style.budget_scale([p.budget for p in forecast.budgets])
    with style.styled():
        figure, (left, right) = new_figure(titles, width=4.3)
        _draw_times(left, data[data["panel"] == "t_star"], forecast, scale)
        _draw_accuracies(right, data[data["panel"] == "accuracy"], scale)
        for ax in (left, right) if len(forecast.budgets) > 1 else ():
            draw_color_key(ax, "T", scale)
    caption = (
        "Circles: the probe; hollow with an arrow: t* is only a lower bound; small squares: has not learned. Diamonds "
        "in a: λ_pred at the time its maximum is expected, bars: its interval; line and band: t* ∝ 1/λ through κ and "
        "its interval. T in epochs. "
    )
    caption += "Diamonds in b: trained for T at λ_pred and its neighbors." if forecast.checks else ""
    title = "From the probe to λ_pred"
    return Drawing(name="forecast", title=title, caption=caption.strip(), panels=titles, figure=figure, data=data)


def _forecast_data(peaks: pd.DataFrame, forecast: Forecast) -> pd.DataFrame:
    """Return the table of the figure: panel, mark, λ with its interval, y, and the budget of predictions and checks."""
    shown = peaks[peaks["lam"].isin(forecast.lams) & np.isfinite(floats(peaks, "t_star"))]
    used = shown.index.isin(usable(shown, forecast.chance).index)
    mark = np.where(learned(shown, forecast.chance), "censored", "outside")
    mark = np.where(used, "observed", mark)
    probe = pd.DataFrame({"mark": mark, "lam": shown["lam"].to_numpy()})
    predicted = pd.DataFrame(
        [
            {"mark": "predicted", "lam": p.lam, "low": p.low, "high": p.high, "y": p.t_star, "budget": p.budget}
            for p in forecast.budgets
        ]
    )
    checked = pd.DataFrame(
        [
            {"mark": "checked", "lam": lam, "y": reached, "budget": check.budget}
            for check in forecast.checks
            for lam, reached in zip(check.lams, check.accuracies, strict=True)
        ]
    )
    parts = [
        probe.assign(panel="t_star", y=floats(shown, "t_star")),
        predicted.assign(panel="t_star"),
        probe.assign(panel="accuracy", y=floats(shown, "best_test_acc")),
        checked.assign(panel="accuracy"),
    ]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return table.reindex(columns=["panel", "mark", "lam", "low", "high", "y", "budget"])


def _draw_times(ax: Axes, rows: pd.DataFrame, forecast: Forecast, scale: ColorScale) -> None:
    """Draw t* against λ: the probe, the law with its band, and λ_pred with its interval.

    Args:
        ax: The panel.
        rows: Rows of the panel.
        forecast: The forecast, for the law.
        scale: Colors of the budgets.
    """
    predicted = rows[rows["mark"] == "predicted"]
    lams = np.concatenate(
        [numeric_column(rows, "lam"), numeric_column(predicted, "low"), numeric_column(predicted, "high")]
    )
    set_log_axis(ax.xaxis, lams)
    set_log_axis(ax.yaxis, numeric_column(rows, "y"))
    first = forecast.budgets[0]
    if forecast.probe:
        ends = np.array(ax.get_xlim())
        line, low, high = (first.lam * t / ends for t in (first.t_star, first.t_star_low, first.t_star_high))
        ax.fill_between(ends, low, high, color=GREY, linewidth=0, zorder=1)
        ax.plot(ends, line, color=style.MUTED, linestyle=DASHED)
    for _, row in predicted.iterrows():
        bars = [[row["lam"] - row["low"]], [row["high"] - row["lam"]]]
        ax.errorbar(
            [row["lam"]], [row["y"]], xerr=bars, color=scale.color(row["budget"]), fmt="D", markersize=4.6, capsize=2.5
        )
    _draw_probe(ax, rows)
    ax.set(xlabel="λ", ylabel="t* (epochs)")


def _draw_accuracies(ax: Axes, rows: pd.DataFrame, scale: ColorScale) -> None:
    """Draw maximum test accuracy against λ: the probe, and what was trained to check the forecast."""
    if rows.empty:
        draw_no_data(ax, "no point was measured")
        return
    set_log_axis(ax.xaxis, numeric_column(rows, "lam"))
    for budget, part in rows[rows["mark"] == "checked"].groupby("budget", sort=True):
        color = scale.color(float(budget))  # type: ignore[arg-type]  # pandas types a group key as any hashable
        ax.plot(part["lam"], part["y"], color=color, marker="D", markersize=4.6)
    _draw_probe(ax, rows)
    ax.set(xlabel="λ", ylabel="test accuracy")


def _draw_probe(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw the points of the probe with a legend of their marks."""
    handles = []
    for mark, label in _MARK_LABELS.items():
        part = rows[rows["mark"] == mark]
        if len(part):
            ax.plot(part["lam"], part["y"], linestyle="none", color=style.INK, zorder=4, **style.MARK_STYLES[mark])
            handles.append(Line2D([], [], label=label, linestyle="none", color=style.INK, **style.MARK_STYLES[mark]))
    if handles:
        ax.legend(handles=handles, loc="best")
