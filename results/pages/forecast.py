"""The page of ``sweeper predict``: λ for every budget, the evidence for it, and what would make it wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial

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
    """Return two sentences: the trials, and what the probe cost."""
    if not forecast.cost:
        return "No λ was tried: this is a guess from the decay time that is typical of this optimizer."
    trials = ", ".join(f"{format_accuracy(t.value)} at λ = {format_number(t.lam)}" for t in forecast.trials)
    length = format_number(forecast.trials[0].length) if trials else ""
    found = f"Trials of {length} epochs ended with accuracy {trials}." if trials else "No trial has learned."
    longest = max(p.budget for p in forecast.budgets)
    seeds = f" for each of {forecast.seeds} seeds" if forecast.seeds > 1 else ""
    return (
        f"{found} The probe took {forecast.cost:.0%} of the steps of one run at T = {format_number(longest)}{seeds}."
    ).strip()


def _budget_table(forecast: Forecast) -> str:
    """Return the table of λ for each budget."""
    columns = [
        Column(label="T (epochs)", cell=lambda r: format_number(r["budget"])),
        Column(label="λ_pred", cell=lambda r: format_number(r["lam"])),
        Column(label="95 %", cell=lambda r: _format_range(r, "low", "high")),
        Column(label="as torch’s weight_decay", cell=lambda r: format_number(r["weight_decay"])),
        Column(label="accuracy to lose", cell=lambda r: format_accuracy(r["loss"])),
        Column(label="timescale 1/(ηλ) (epochs)", cell=lambda r: format_number(r["timescale"])),
        Column(label="λ expected before any trial", cell=lambda r: format_number(r["typical"])),
    ]
    return render_table("λ for each budget", columns, [asdict(p) for p in forecast.budgets])


def _check_table(checks: Sequence[Check]) -> str:
    """Return the table of accuracies at λ_pred, its neighbors and λ = 0; empty without checks."""
    if not checks:
        return ""
    names = ("λ = 0", "λ_pred / 3", "λ_pred", "3 λ_pred")
    columns = [
        Column(label="T (epochs)", cell=lambda r: format_number(r["budget"])),
        Column(
            label="Held",
            cell=lambda r: badge("pass", "held") if r["held"] else badge("fail", "not held"),
            kind="verdict",
        ),
        *(Column(label=f"best at {name}", cell=partial(_format_field, f"best {name}")) for name in names),
        Column(label="ahead by", cell=lambda r: format_accuracy(r["gap"])),
        *(Column(label=f"after T: {name}", cell=partial(_format_field, f"last {name}")) for name in names),
    ]
    fields = [f"{kind} {name}" for kind in ("best", "last") for name in names]
    rows = [
        {"budget": c.budget, "held": c.held, "gap": c.gap} | dict(zip(fields, (*c.accuracies, *c.finals), strict=True))
        for c in checks
    ]
    return render_table("Trained at λ_pred, its neighbors and λ = 0", columns, rows)


def _format_field(name: str, row: Mapping[str, object]) -> str:
    """Return an accuracy of a row."""
    return format_accuracy(row[name])


def _format_range(row: Mapping[str, object], low: str, high: str) -> str:
    """Return two fields of a row as a range."""
    return f"{format_number(row[low], 2)} to {format_number(row[high], 2)}"
