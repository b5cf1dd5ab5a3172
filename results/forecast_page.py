"""The page of ``sweeper predict``: λ for every budget first, what it rests on, what would make it wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from string import Template

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from results import style
from results.analysis.segments import floats
from results.figure_data import numbers
from results.forecast import Check, Forecast, Predicted, learned, usable
from results.markup import Field, accuracy, badge, estimate, number, panels, remark, table, text
from results.style import DASHED, GREY, Drawing, Rendered, Scale

__all__ = ["draw_forecast", "render_forecast"]

_MARKS = {"observed": "t* seen", "censored": "a lower bound", "outside": "has not learned"}


def draw_forecast(peaks: pd.DataFrame, forecast: Forecast) -> Drawing:
    """The probe's t* and the law through them down to λ_pred, and the accuracy of all that was trained.

    Args:
        peaks: of ``find_peaks`` of the probe, t_star in epochs.
        forecast: from it.
    """
    data = _data(peaks, forecast)
    titles = ("a  Epochs to maximum test accuracy", "b  Maximum test accuracy")
    scale = style.budget_scale([p.budget for p in forecast.budgets])
    with style.styled():
        figure, (left, right) = style.new_figure(titles, width=4.3)
        _draw_times(left, data[data["panel"] == "t_star"], forecast, scale)
        _draw_accuracies(right, data[data["panel"] == "accuracy"], scale)
        for ax in (left, right) if len(forecast.budgets) > 1 else ():
            style.color_key(ax, "T", scale)
    caption = (
        "Circles: the probe; hollow with an arrow: t* is only a lower bound; small squares: has not learned. Diamonds "
        "in a: λ_pred at the time its maximum is expected, bars: its interval; line and band: t* ∝ 1/λ through κ and "
        "its interval. T in epochs. "
    )
    caption += "Diamonds in b: trained for T at λ_pred and its neighbours." if forecast.checks else ""
    title = "From the probe to λ_pred"
    return Drawing(name="forecast", title=title, caption=caption.strip(), panels=titles, figure=figure, data=data)


def _data(peaks: pd.DataFrame, forecast: Forecast) -> pd.DataFrame:
    """What is shown: panel, mark, λ with its interval, y, and the budget of what is not the probe."""
    own = peaks[peaks["lam"].isin(forecast.lams) & np.isfinite(floats(peaks, "t_star"))]
    used = own.index.isin(usable(own, forecast.chance).index)
    mark = np.where(learned(own, forecast.chance), "censored", "outside")
    mark = np.where(used, "observed", mark)
    probe = pd.DataFrame({"mark": mark, "lam": own["lam"].to_numpy()})
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
        probe.assign(panel="t_star", y=floats(own, "t_star")),
        predicted.assign(panel="t_star"),
        probe.assign(panel="accuracy", y=floats(own, "best_test_acc")),
        checked.assign(panel="accuracy"),
    ]
    shown = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return shown.reindex(columns=["panel", "mark", "lam", "low", "high", "y", "budget"])


def _draw_times(ax: Axes, rows: pd.DataFrame, forecast: Forecast, scale: Scale) -> None:
    predicted = rows[rows["mark"] == "predicted"]
    lams = np.concatenate([numbers(rows, "lam"), numbers(predicted, "low"), numbers(predicted, "high")])
    style.log_axis(ax.xaxis, lams)
    style.log_axis(ax.yaxis, numbers(rows, "y"))
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


def _draw_accuracies(ax: Axes, rows: pd.DataFrame, scale: Scale) -> None:
    if rows.empty:
        style.no_data(ax, "no point was measured")
        return
    style.log_axis(ax.xaxis, numbers(rows, "lam"))
    for budget, part in rows[rows["mark"] == "checked"].groupby("budget", sort=True):
        color = scale.color(float(budget))  # type: ignore[arg-type]  # pandas types a group key as any hashable
        ax.plot(part["lam"], part["y"], color=color, marker="D", markersize=4.6)
    _draw_probe(ax, rows)
    ax.set(xlabel="λ", ylabel="test accuracy")


def _draw_probe(ax: Axes, rows: pd.DataFrame) -> None:
    handles = []
    for mark, label in _MARKS.items():
        part = rows[rows["mark"] == mark]
        if len(part):
            ax.plot(part["lam"], part["y"], linestyle="none", color=style.INK, zorder=4, **style.MARKS[mark])
            handles.append(Line2D([], [], label=label, linestyle="none", color=style.INK, **style.MARKS[mark]))
    if handles:
        ax.legend(handles=handles, loc="best")


def render_forecast(name: str, forecast: Forecast, drawing: Rendered) -> str:
    """The whole page as text, with styles and drawing inside and nothing to load.

    Args:
        name: of the sweep of the probe.
        forecast: what was found.
        drawing: of ``draw_forecast``.
    """
    folder = resources.files("results")
    page = Template(folder.joinpath("forecast.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=text(name),
        css=folder.joinpath("report.css").read_text(encoding="utf-8").strip(),
        headline=_headline(forecast.budgets),
        counts=_counts(forecast),
        setup=text(forecast.setup),
        budgets=_budgets(forecast),
        checks=_checks(forecast.checks),
        figure=f'<figure>\n<div class="card">\n{panels(drawing)}\n</div>\n'
        f"<figcaption>{text(drawing.caption)}</figcaption>\n</figure>",
        warnings="\n".join(f"<li>{remark(warning)}.</li>" for warning in forecast.warnings)
        or "<li>Nothing that was looked for.</li>",
    )


def _headline(budgets: Sequence[Predicted]) -> str:
    first = budgets[0]
    said = f"λ = {estimate(first.lam, (first.low, first.high))} for T = {number(first.budget)} epochs"
    more = len(budgets) - 1
    return said + (f", and for {more} more budget{'s' * (more > 1)}." if more else ".")


def _counts(forecast: Forecast) -> str:
    if forecast.probe is None:
        found = "No κ was measured: this is a guess from other sweeps."
    else:
        lams = ", ".join(number(lam) for lam in forecast.probe.lams)
        probe = estimate(forecast.probe.kappa, (forecast.probe.low, forecast.probe.high))
        kappa = estimate(forecast.kappa, (forecast.low, forecast.high))
        found = f"κ = {probe} from t* at λ = {lams}; {kappa} together with {forecast.sweeps} measured sweeps like it."
    longest = max(p.budget for p in forecast.budgets)
    seeds = f" for each of {forecast.seeds} seeds" if forecast.seeds > 1 else ""
    return (
        f"{found} The probe took {forecast.cost:.0%} of the steps of one run at T = {number(longest)}{seeds}; "
        f"a search over a grid would have cost {forecast.saved:.1f} runs more."
    )


def _budgets(forecast: Forecast) -> str:
    fields = [
        Field(label="T (epochs)", cell=lambda r: number(r["budget"])),
        Field(label="λ_pred", cell=lambda r: number(r["lam"])),
        Field(label="95 %" if forecast.probe else "range", cell=lambda r: _range(r, "low", "high")),
        Field(label="t* expected (epochs)", cell=lambda r: number(r["t_star"])),
        Field(label="between", cell=lambda r: _range(r, "t_star_low", "t_star_high")),
        Field(label="timescale 1/(ηλ) (epochs)", cell=lambda r: number(r["timescale"])),
        Field(label="steps that count", cell=lambda r: f"{100 * _real(r['horizon']):.3g} %"),
    ]
    return table("λ for each budget", fields, [asdict(p) for p in forecast.budgets])


def _checks(checks: Sequence[Check]) -> str:
    if not checks:
        return '<p class="note">Not trained yet: <code>sweeper predict … --verify</code> does it.</p>'
    fields = [
        Field(label="T (epochs)", cell=lambda r: number(r["budget"])),
        Field(
            label="Held",
            cell=lambda r: badge("pass", "held") if r["held"] else badge("fail", "not held"),
            kind="verdict",
        ),
        Field(label="at λ_pred / 3", cell=lambda r: accuracy(r["low"])),
        Field(label="at λ_pred", cell=lambda r: accuracy(r["mid"])),
        Field(label="at 3 λ_pred", cell=lambda r: accuracy(r["high"])),
        Field(label="a neighbour is ahead by", cell=lambda r: accuracy(r["gap"])),
        Field(label="after T: λ_pred / 3", cell=lambda r: accuracy(r["last_low"])),
        Field(label="λ_pred", cell=lambda r: accuracy(r["last_mid"])),
        Field(label="3 λ_pred", cell=lambda r: accuracy(r["last_high"])),
    ]
    names = ("low", "mid", "high", "last_low", "last_mid", "last_high")
    rows = [
        {"budget": c.budget, "held": c.held, "gap": c.gap} | dict(zip(names, (*c.accuracies, *c.finals), strict=True))
        for c in checks
    ]
    return table("Trained at λ_pred and its neighbours", fields, rows)


def _range(row: Mapping[str, object], low: str, high: str) -> str:
    return f"{number(row[low], 2)} to {number(row[high], 2)}"


def _real(value: object) -> float:
    return float(value)  # type: ignore[arg-type]  # of a field that holds one
