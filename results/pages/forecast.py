"""The page of ``sweeper predict``: λ for every budget, the evidence for it, and what would make it wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from results.figures.drawing import Rendered
from results.forecast.forecast import Check, Forecast, Predicted
from results.pages.markup import badge, format_accuracy, format_estimate, format_number, format_remark, render_own
from results.pages.panels import render_panels
from results.pages.tables import Column, render_table


def render_forecast(name: str, forecast: Forecast, drawing: Rendered) -> str:
    """Return the page of a forecast as one HTML text that loads nothing: style and drawing are inside.

    Args:
        name: Name of the probe's sweep.
        forecast: The forecast.
        drawing: The figure of ``draw_forecast``, rendered.
    """
    return render_own(
        "forecast.html",
        title=name,
        headline=_headline(forecast.budgets),
        counts=_summary(forecast),
        setup=forecast.setup,
        budgets=_budget_table(forecast),
        checks=_check_table(forecast.checks),
        drawing=drawing,
        panels=render_panels(drawing),
        warnings=[f"{format_remark(warning)}." for warning in forecast.warnings],
    )


def _headline(budgets: Sequence[Predicted]) -> str:
    """Return one sentence: λ for the first budget, and the number of further budgets."""
    first = budgets[0]
    sentence = f"λ = {format_estimate(first.lam, (first.low, first.high))} for T = {format_number(first.budget)} epochs"
    more = len(budgets) - 1
    return sentence + (f", and for {more} more budget{'s' * (more > 1)}." if more else ".")


def _summary(forecast: Forecast) -> str:
    """Return two sentences: how κ was measured, and what the probe cost."""
    if forecast.probe is None:
        found = "No κ was measured: this is a guess from other sweeps."
    else:
        lams = ", ".join(format_number(lam) for lam in forecast.probe.lams)
        probe = format_estimate(forecast.probe.kappa, (forecast.probe.low, forecast.probe.high))
        kappa = format_estimate(forecast.kappa, (forecast.low, forecast.high))
        found = f"κ = {probe} from t* at λ = {lams}; {kappa} together with {forecast.sweeps} measured sweeps like it."
    longest = max(p.budget for p in forecast.budgets)
    seeds = f" for each of {forecast.seeds} seeds" if forecast.seeds > 1 else ""
    return (
        f"{found} The probe took {forecast.cost:.0%} of the steps of one run at T = {format_number(longest)}{seeds}; "
        f"a search over a grid would have cost {forecast.saved:.1f} runs more."
    )


def _budget_table(forecast: Forecast) -> str:
    """Return the table of λ for each budget."""
    columns = [
        Column(label="T (epochs)", cell=lambda r: format_number(r["budget"])),
        Column(label="λ_pred", cell=lambda r: format_number(r["lam"])),
        Column(label="95 %" if forecast.probe else "range", cell=lambda r: _format_range(r, "low", "high")),
        Column(label="t* expected (epochs)", cell=lambda r: format_number(r["t_star"])),
        Column(label="between", cell=lambda r: _format_range(r, "t_star_low", "t_star_high")),
        Column(label="timescale 1/(ηλ) (epochs)", cell=lambda r: format_number(r["timescale"])),
        Column(label="steps that count", cell=lambda r: f"{100 * _as_float(r['horizon']):.3g} %"),
    ]
    return render_table("λ for each budget", columns, [asdict(p) for p in forecast.budgets])


def _check_table(checks: Sequence[Check]) -> str:
    """Return the table of accuracies at λ_pred and its neighbors, empty if they were not trained."""
    if not checks:
        return ""
    columns = [
        Column(label="T (epochs)", cell=lambda r: format_number(r["budget"])),
        Column(
            label="Held",
            cell=lambda r: badge("pass", "held") if r["held"] else badge("fail", "not held"),
            kind="verdict",
        ),
        Column(label="at λ_pred / 3", cell=lambda r: format_accuracy(r["low"])),
        Column(label="at λ_pred", cell=lambda r: format_accuracy(r["mid"])),
        Column(label="at 3 λ_pred", cell=lambda r: format_accuracy(r["high"])),
        Column(label="a neighbor is ahead by", cell=lambda r: format_accuracy(r["gap"])),
        Column(label="after T: λ_pred / 3", cell=lambda r: format_accuracy(r["last_low"])),
        Column(label="λ_pred", cell=lambda r: format_accuracy(r["last_mid"])),
        Column(label="3 λ_pred", cell=lambda r: format_accuracy(r["last_high"])),
    ]
    names = ("low", "mid", "high", "last_low", "last_mid", "last_high")
    rows = [
        {"budget": c.budget, "held": c.held, "gap": c.gap} | dict(zip(names, (*c.accuracies, *c.finals), strict=True))
        for c in checks
    ]
    return render_table("Trained at λ_pred and its neighbors", columns, rows)


def _format_range(row: Mapping[str, object], low: str, high: str) -> str:
    """Return two fields of a row as a range."""
    return f"{format_number(row[low], 2)} to {format_number(row[high], 2)}"


def _as_float(value: object) -> float:
    """Return a field that holds a number as a float."""
    return float(value)  # type: ignore[arg-type]  # rows type their values as objects
