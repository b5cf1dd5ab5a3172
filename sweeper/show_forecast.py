"""How ``sweeper predict`` is printed."""

import io
import json
from collections.abc import Mapping

import pandas as pd
from rich.console import Console
from rich.table import Table

from results.claims_prediction import PRED_GAP
from sweeper.predict import Forecast

GRID_RUNS = 8  # λ of the grid that people search otherwise, over two decades


def show_forecast(
    forecast: Forecast, console: Console, checks: Mapping[float, pd.Series] | None = None, *, as_json: bool = False
) -> None:
    """λ for every budget, what it rests on, what it cost, and what would make it wrong.

    Args:
        forecast: what was found.
        console: to print on.
        checks: budget to the accuracy of λ_pred and its neighbours, by λ, where they were trained.
        as_json: for programs.
    """
    checks = checks or {}
    if as_json:
        held = {f"{budget:g}": accuracies.to_dict() for budget, accuracies in checks.items()}
        console.print_json(json.dumps(forecast.to_json() | {"verified": held}))
        return
    if forecast.budgets:
        console.print(_table(forecast))
    if forecast.probe:
        probe = forecast.probe
        lams = " and ".join(f"{lam:g}" for lam in probe.lams)
        console.print(
            f"[bold]κ[/]        {probe.kappa:.2f} \\[{probe.low:.2f}, {probe.high:.2f}], from t* at λ = {lams}",
            highlight=False,
        )
        saved = GRID_RUNS - forecast.cost
        console.print(
            f"[bold]cost[/]     {forecast.cost:.0%} of one run at T = {max(p.budget for p in forecast.budgets):g}; "
            f"a grid of {GRID_RUNS} λ would have cost {saved:.1f} runs more",
            highlight=False,
        )
    for budget, accuracies in checks.items():
        console.print(_verdict(budget, accuracies), highlight=False, soft_wrap=True)
    for warning in forecast.warnings:
        console.print(f"[yellow]careful:[/] {warning}", highlight=False, soft_wrap=True)
    if forecast.sweep:
        console.print(f"[bold]probe[/]    {forecast.sweep}/report.html", highlight=False, soft_wrap=True)


def forecast_text(forecast: Forecast) -> str:
    """The same as plain text."""
    console = Console(file=io.StringIO(), width=100, force_terminal=False, force_jupyter=False, record=True)
    show_forecast(forecast, console)
    return console.export_text().rstrip()


def _table(forecast: Forecast) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("budget T", "λ_pred", "95 %" if forecast.probe else "range", "rule"):
        table.add_column(name, justify="left" if name == "rule" else "right", no_wrap=True)
    for p in forecast.budgets:
        rule = "c/T" if p.horizon == 1 else f"c/({p.horizon:.3g} T), η falls along the run"
        table.add_row(f"{p.budget:g} epochs", f"{p.lam:.3g}", f"{p.low:.2g} to {p.high:.2g}", rule)
    return table


def _verdict(budget: float, accuracies: pd.Series) -> str:
    """Whether the prediction held against its neighbours."""
    low, mid, high = accuracies.sort_index()
    gap = max(low, high) - mid
    said = f"T = {budget:g}: accuracy {mid:.4f} at λ_pred, {low:.4f} at a third and {high:.4f} at three times"
    return f"[green]held[/]      {said}" if gap <= PRED_GAP else f"[red]not held[/]  {said}: {gap:.4f} better"
