"""The page of ``sweeper predict``: λ for every budget first, what it rests on, what would make it wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from string import Template

from results.figures.drawing import Rendered
from results.forecast.forecast import Check, Forecast, Predicted
from results.pages.markup import Field, accuracy, badge, estimate, number, panels, remark, table, text


def render_forecast(name: str, forecast: Forecast, drawing: Rendered) -> str:
    """The whole page as text, with styles and drawing inside and nothing to load.

    Args:
        name: of the sweep of the probe.
        forecast: what was found.
        drawing: of ``draw_forecast``.
    """
    folder = resources.files("results.pages")
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
