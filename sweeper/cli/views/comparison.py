"""The answer of ``sweeper compare``."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from results.claims.comparison import INCONCLUSIVE, Contest
from results.compare import Comparison


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """Which sweep is better in what, and why."""

    comparison: Comparison

    def to_json(self) -> Mapping[str, object]:
        """The comparison as a dict for ``json.dumps``."""
        return self.comparison.to_json()

    def print(self, console: Console) -> None:
        """Print a table of claims, the reasons, and the path of the figure."""
        comparison = self.comparison
        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for name in ("", *comparison.names, "difference or ratio", "better"):
            table.add_column(escape(name))
        for c in comparison.contests:
            winner = f"[yellow]? {c.winner}[/]" if c.winner == INCONCLUSIVE else f"[green]✓ {escape(c.winner)}[/]"
            table.add_row(c.claim, _number(c.a), _number(c.b), _number(c.value) + escape(_interval(c)), winner)
        console.print(table)
        for c in comparison.contests:
            console.print(f"[bold]{c.claim}[/]: {escape(c.why)}", soft_wrap=True, highlight=False)
        if comparison.differences:
            note = f"not the same is trained, from the first to the second: {'; '.join(comparison.differences)}"
            console.print(f"[yellow]careful:[/] {escape(note)}", soft_wrap=True, highlight=False)
        console.print(f"\n[bold]figure[/]   {escape(str(comparison.folder / 'comparison.svg'))}", soft_wrap=True)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _interval(contest: Contest) -> str:
    return "" if contest.interval is None else f" [{contest.interval[0]:.3g}, {contest.interval[1]:.3g}]"
