"""The answer of ``sweeper verify``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from sweeper.console import untrusted
from sweeper.health.inspection import Fault, Inspection

_FAULTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class InspectionView:
    """The files that were checked, what is wrong, and what was repaired.

    Attributes:
        found: the inspection, after any repair.
        repaired: the faults that a repair has removed.
    """

    found: Inspection
    repaired: Sequence[Fault]

    def to_json(self) -> Mapping[str, object]:
        """The inspection and the repaired faults as a dict for ``json.dumps``."""
        return asdict(self.found) | {"repaired": [asdict(fault) for fault in self.repaired]}

    def print(self, console: Console) -> None:
        """Print a table of the kinds of files, then the faults by kind."""
        found = self.found
        word = f"[red]{len(found.damage):,} damaged[/]" if found.damage else "[green]sound[/]"
        console.print(f"[bold]{escape(found.sweep)}[/]: {word}, {decimal(found.bytes)}", highlight=False)
        if found.runner:
            console.print(f"run at present by {escape(found.runner)}", highlight=False, soft_wrap=True)
        table = Table("checked", "files", "size", "", box=None, header_style="bold", padding=(0, 2, 0, 0))
        for kind in found.checked:
            table.add_row(kind.what, f"{kind.files:,}", decimal(kind.bytes), kind.holds)
        console.print(table, highlight=False)
        groups = {"repaired": self.repaired, "damaged": found.damage, "outdated": found.outdated}
        for title, faults in {**groups, "of no use": found.waste}.items():
            _print_faults(title, faults, console)
        if found.waste:
            console.print("  The next 'sweeper run' removes what is of no use.", soft_wrap=True)
        if any(fault.repairable for fault in found.damage):
            console.print(
                "  'sweeper verify --repair' drops what is damaged; then run the sweep again.", soft_wrap=True
            )


def _print_faults(title: str, faults: Sequence[Fault], console: Console) -> None:
    if faults:
        console.print(f"\n[bold]{title}[/]")
    for fault in faults[:_FAULTS_SHOWN]:
        again = f" → {fault.again}" if fault.again else ""
        console.print(Text(f"  {untrusted(f'{fault.file}: {fault.why}{again}')}"), soft_wrap=True)
    if len(faults) > _FAULTS_SHOWN:
        console.print(f"  … and {len(faults) - _FAULTS_SHOWN:,} more; --json shows all")
