"""The answer of ``sweeper predict``."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from results.forecast.forecast import Forecast


@dataclass(frozen=True, slots=True)
class ForecastView:
    """λ for every budget, the evidence, the cost, and the cautions."""

    forecast: Forecast

    def to_json(self) -> Mapping[str, object]:
        """The forecast as a dict for ``json.dumps``."""
        return self.forecast.to_json()

    def print(self, console: Console) -> None:
        """Print a table of budgets, then the evidence line by line."""
        forecast = self.forecast
        headings, *budgets = forecast.rows()
        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for heading in headings:
            table.add_column(heading, justify="right", no_wrap=True)
        for cells in budgets:
            table.add_row(*cells)
        console.print(table)
        for label, fact in forecast.facts():
            console.print(f"[bold]{label:8}[/] {escape(fact)}", highlight=False, soft_wrap=True)
        for check in forecast.checks:
            label = "[green]held[/]    " if check.held else "[red]not held[/]"
            console.print(f"{label} {check}", highlight=False, soft_wrap=True)
        for warning in forecast.warnings:
            console.print(f"[yellow]careful:[/] {escape(warning)}", highlight=False, soft_wrap=True)
        if forecast.sweep:
            console.print(
                f"[bold]report[/]   {escape(forecast.sweep)}/prediction.html", highlight=False, soft_wrap=True
            )
