"""The figure of a forecast: the trials, the error that they let expect over λ, and the runs that checked it."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from results.figures import style
from results.figures.axes import set_log_axis
from results.figures.columns import numeric_column
from results.figures.drawing import Drawing
from results.figures.layout import draw_color_key, new_figure
from results.figures.style import GREY, ColorScale
from results.forecast.forecast import Forecast, Predicted

SHOWN_FACTOR = 8.0  # from the outermost λ that was tried or predicted to the ends of the curve
ROOM = 1.3  # factor of errors beyond the smallest and the largest shown
LEAST_RANGE = 4.0  # smallest ratio of the errors at both ends of the axis


def draw_forecast(forecast: Forecast) -> Drawing:
    """Draw the errors of all trials against λ, and the curve that λ_pred is the minimum of.

    Args:
        forecast: The forecast.
    """
    data = _forecast_data(forecast)
    titles = ("a  Trials, and the error to expect",) + (("b  Trained for the whole budget",) if forecast.checks else ())
    scale = style.budget_scale([p.budget for p in forecast.budgets])
    with style.styled():
        figure, axes = new_figure(titles, width=4.3)
        _draw_trials(axes[0], data, scale)
        if forecast.checks:
            _draw_checks(axes[1], data[data["mark"] == "checked"], scale)
        for ax in axes if len(forecast.budgets) > 1 else ():
            draw_color_key(ax, "T", scale)
    caption = (
        "Circles: share of test samples that are wrong at the end of a trial, a run of a part of the budget. Line and "
        "band: the error to expect of a run of the whole budget, up to a factor, with one standard deviation. Its "
        "minimum lies left of that of the trials, as a longer run has a smaller best λ. Diamonds: λ_pred with its 95 % "
        "interval."
    )
    if forecast.checks:
        caption += " In b: best accuracy of whole runs at λ_pred and its neighbors; λ = 0 is the dashed line."
    title = "From the trials to λ_pred"
    return Drawing(name="forecast", title=title, caption=caption, panels=titles, figure=figure, data=data)


def _forecast_data(forecast: Forecast) -> pd.DataFrame:
    """Return the table of the figure: mark, λ, accuracy with its band or interval of λ, and the budget."""
    trials = pd.DataFrame([{"mark": "trial", "lam": t.lam, "y": math.exp(t.log_error)} for t in forecast.trials])
    checked = pd.DataFrame(
        [
            {"mark": "checked", "lam": lam, "y": reached, "budget": check.budget}
            for check in forecast.checks
            for lam, reached in zip(check.lams, check.accuracies, strict=True)
        ]
    )
    parts = [trials, *(_expected(predicted, forecast) for predicted in forecast.budgets), checked]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return table.reindex(columns=["mark", "lam", "low", "high", "y", "budget"])


def _expected(predicted: Predicted, forecast: Forecast) -> pd.DataFrame:
    """Return the curve of one budget, and its minimum.

    The error of the best λ is not known: the smallest of the trials stands for it, or 1 without a trial.
    """
    posterior = predicted.posterior(forecast.trials)
    level = min((trial.log_error for trial in forecast.trials), default=0.0) - posterior.mean.min()
    ends = [predicted.low, predicted.high, *(trial.lam for trial in forecast.trials)]
    shown = (posterior.lams >= min(ends) / SHOWN_FACTOR) & (posterior.lams <= max(ends) * SHOWN_FACTOR)
    errors = {"y": posterior.mean, "low": posterior.mean - posterior.std, "high": posterior.mean + posterior.std}
    curve = pd.DataFrame({name: np.exp(values[shown] + level) for name, values in errors.items()})
    best = math.exp(posterior.mean.min() + level)
    lowest = {"mark": "predicted", "lam": predicted.lam, "low": predicted.low, "high": predicted.high, "y": best}
    curve = pd.concat([curve.assign(mark="expected", lam=posterior.lams[shown]), pd.DataFrame([lowest])])
    return curve.assign(budget=predicted.budget)


def _draw_trials(ax: Axes, data: pd.DataFrame, scale: ColorScale) -> None:
    """Draw the trials, the curve of each budget with its band, and its minimum with the interval of λ."""
    rows = data[data["mark"] != "checked"]
    set_log_axis(ax.xaxis, numeric_column(rows, "lam"))
    for budget, curve in rows[rows["mark"] == "expected"].groupby("budget", sort=True):
        color = scale.color(float(budget))  # type: ignore[arg-type]  # pandas types a group key as any hashable
        ax.fill_between(curve["lam"], curve["low"], curve["high"], color=GREY, linewidth=0, zorder=1)
        ax.plot(curve["lam"], curve["y"], color=color, zorder=2)
    for _, row in rows[rows["mark"] == "predicted"].iterrows():
        bars = [[row["lam"] - row["low"]], [row["high"] - row["lam"]]]
        ax.errorbar(
            [row["lam"]], [row["y"]], xerr=bars, color=scale.color(row["budget"]), fmt="D", markersize=4.6, capsize=2.5
        )
    trials = rows[rows["mark"] == "trial"]
    ax.plot(trials["lam"], trials["y"], linestyle="none", color=style.INK, zorder=4, **style.MARK_STYLES["observed"])
    lowest = float(rows["y"].min()) / ROOM
    highest = max(float(trials["y"].max()) * ROOM if len(trials) else 0.0, lowest * LEAST_RANGE)
    set_log_axis(ax.yaxis, np.array([lowest, highest]))
    ax.set(xlabel="λ", ylabel="test error", ylim=(lowest, highest))


def _draw_checks(ax: Axes, rows: pd.DataFrame, scale: ColorScale) -> None:
    """Draw the best accuracy of whole runs at λ_pred and its neighbors, and at λ = 0."""
    positive = rows[rows["lam"] > 0]
    set_log_axis(ax.xaxis, numeric_column(positive, "lam"))
    for budget, part in rows.groupby("budget", sort=True):
        color = scale.color(float(budget))  # type: ignore[arg-type]  # pandas types a group key as any hashable
        own = part[part["lam"] > 0]
        ax.plot(own["lam"], own["y"], color=color, marker="D", markersize=4.6)
        for zero in part.loc[part["lam"] == 0, "y"]:
            ax.axhline(zero, color=color, linestyle=style.DASHED, linewidth=0.9)
    ax.set(xlabel="λ", ylabel="best test accuracy")
