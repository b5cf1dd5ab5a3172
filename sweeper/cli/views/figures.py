"""The answer of ``sweeper figure --list``."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from results.figures.paper.catalog import FIGURES


class FiguresView:
    """Every figure of the paper: its name, what it shows, what it needs."""

    def to_json(self) -> Mapping[str, object]:
        """Name of each figure with its caption and its needs, as a dict for ``json.dumps``."""
        return {name: {"caption": figure.caption, "needs": figure.needs} for name, figure in FIGURES.items()}

    def print(self, console: Console) -> None:
        """Print a table of the figures."""
        needs = "what the sweeps must have"
        table = Table("figure", "what it shows", needs, box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for name, figure in FIGURES.items():
            table.add_row(name, figure.caption, figure.needs)
        console.print(table, highlight=False)
