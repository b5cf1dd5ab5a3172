"""The answer of ``sweeper grids``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sweeper.shipped_grids import ShippedGrid


@dataclass(frozen=True, slots=True)
class GridsView:
    """The grids that ship with sweeper.

    Attributes:
        grids: in the order in which they are shown.
    """

    grids: Sequence[ShippedGrid]

    def to_json(self) -> Mapping[str, object]:
        """Name to question, cost and file, as a dict for ``json.dumps``."""
        return {g.name: {"question": g.question, "cost": g.cost, "file": str(g.path)} for g in self.grids}

    def print(self, console: Console) -> None:
        """Print a table of the grids, and what one does with them."""
        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column("grid", no_wrap=True)
        table.add_column("what it is for", ratio=3)
        table.add_column("cost", ratio=2)
        for grid in self.grids:
            table.add_row(grid.name, escape(grid.question), escape(grid.cost))
        console.print(table)
        console.print(
            "\n[bold]sweeper run digits[/] runs one; [bold]sweeper new my.yaml --from digits[/] writes one of your own."
        )
