"""How ``sweeper predict`` is printed."""

import io
import json

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from results.forecast.forecast import GRID_RUNS, Check, Forecast


def show_forecast(forecast: Forecast, console: Console, *, as_json: bool = False) -> None:
    """λ for every budget, what it rests on, what it cost, and what would make it wrong.

    Args:
        forecast: what was found.
        console: to print on.
        as_json: for programs.
    """
    if as_json:
        console.print_json(json.dumps(forecast.to_json()))
        return
    console.print(_table(forecast))
    for label, said in _facts(forecast):
        console.print(f"[bold]{label:8}[/] {said}", highlight=False, soft_wrap=True)
    for check in forecast.checks:
        console.print(_verdict(check), highlight=False, soft_wrap=True)
    for warning in forecast.warnings:
        console.print(f"[yellow]careful:[/] {escape(warning)}", highlight=False, soft_wrap=True)
    if forecast.sweep:
        console.print(f"[bold]report[/]   {escape(forecast.sweep)}/prediction.html", highlight=False, soft_wrap=True)


def forecast_text(forecast: Forecast) -> str:
    """The same as plain text."""
    console = Console(file=io.StringIO(), width=100, force_terminal=False, force_jupyter=False, record=True)
    show_forecast(forecast, console)
    return console.export_text().rstrip()


def _table(forecast: Forecast) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), caption=_rule(forecast), caption_justify="left")
    for name in ("T (epochs)", "λ_pred", "95 %" if forecast.probe else "range", "t* expected", "1/(ηλ)"):
        table.add_column(name, justify="right", no_wrap=True)
    for p in forecast.budgets:
        table.add_row(
            f"{p.budget:,g}",
            f"{p.lam:.3g}",
            f"{p.low:.2g} … {p.high:.2g}",
            f"{_epochs(p.t_star_low)} … {_epochs(p.t_star_high)}",
            _epochs(p.timescale),
        )
    return table


def _epochs(value: float) -> str:
    """Two digits, without an exponent.

    >>> _epochs(2834.2), _epochs(0.0312)
    ('2,800', '0.031')
    """
    return f"{float(f'{value:.2g}'):,.10g}"


def _rule(forecast: Forecast) -> str:
    """How λ_pred follows from c, where it is not c/T."""
    horizons = {p.horizon for p in forecast.budgets}
    times = "" if forecast.factor == 1 else f"{forecast.factor:g} "
    if horizons == {1.0}:
        return f"λ_pred = {times}c/T" if times else ""
    share = ", ".join(f"{h:.3g}" for h in sorted(horizons))
    return f"λ_pred = {times}c/({share} T): η changes along the run, and so much of it counts"


def _facts(forecast: Forecast) -> list[tuple[str, str]]:
    facts = []
    if probe := forecast.probe:
        lams = ", ".join(f"{lam:g}" for lam in probe.lams)
        facts.append(("κ", f"{probe.kappa:.2f} \\[{probe.low:.2f}, {probe.high:.2f}] in the probe, at λ = {lams}"))
        with_sweeps = f"{forecast.kappa:.2f} \\[{forecast.low:.2f}, {forecast.high:.2f}]"
        facts.append(
            ("", f"{with_sweeps} with what {forecast.sweeps} measured sweeps like it show; λ_pred counts with it")
        )
    if forecast.cost:
        longest = max(p.budget for p in forecast.budgets)
        seeds = f" for each of {forecast.seeds} seeds" if forecast.seeds > 1 else ""
        facts.append(
            (
                "cost",
                f"{forecast.cost:.1%} of one run at T = {longest:g}{seeds}: {1 + forecast.cost:.2f} runs with the run "
                f"itself, where a grid of {GRID_RUNS} λ takes {GRID_RUNS}",
            )
        )
    return facts


def _verdict(check: Check) -> str:
    """Whether a prediction held against its neighbours."""
    low, mid, high = check.accuracies
    said = f"T = {check.budget:g}: accuracy {mid:.4f} at λ_pred, {low:.4f} at a third and {high:.4f} at three times"
    low, mid, high = check.finals
    said += f" (after T: {mid:.4f}, {low:.4f}, {high:.4f})"
    return f"[green]held[/]     {said}" if check.held else f"[red]not held[/] {said}: {check.gap:.4f} better"
