"""What ``sweeper verify`` found, and how it is printed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from sweeper.console import untrusted

_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something wrong with a sweep directory.

    Attributes:
        file: relative to the folder of the sweep.
        why: what is wrong with it.
        again: what the next run or analysis does again for it; empty if nothing.
        repairable: whether ``--repair`` drops it.
    """

    file: str
    why: str
    again: str = ""
    repairable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A kind of files, how many there are, and what they hold."""

    what: str
    files: int
    bytes: int
    holds: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found in a sweep directory.

    Attributes:
        damage: files that are not what they were.
        waste: files of no use, which the next run removes, each with why.
        outdated: files that an analysis would write anew.
        bytes: of all files.
        runner: who runs the sweep at present, in words.
    """

    sweep: str
    checked: tuple[Checked, ...]
    damage: tuple[Fault, ...]
    waste: tuple[Fault, ...]
    outdated: tuple[Fault, ...]
    bytes: int
    runner: str | None = None


def show_inspection(found: Inspection, repaired: Sequence[Fault], console: Console, *, as_json: bool = False) -> None:
    """What was checked, how many there are, what is wrong, and what was repaired."""
    if as_json:
        console.print_json(json.dumps(asdict(found) | {"repaired": [asdict(fault) for fault in repaired]}))
        return
    word = f"[red]{len(found.damage):,} damaged[/]" if found.damage else "[green]sound[/]"
    console.print(f"[bold]{escape(found.sweep)}[/]: {word}, {decimal(found.bytes)}", highlight=False)
    if found.runner:
        console.print(f"run at present by {escape(found.runner)}", highlight=False, soft_wrap=True)
    table = Table("checked", "files", "size", "", box=None, header_style="bold", padding=(0, 2, 0, 0))
    for kind in found.checked:
        table.add_row(kind.what, f"{kind.files:,}", decimal(kind.bytes), kind.holds)
    console.print(table, highlight=False)
    groups = {"repaired": repaired, "damaged": found.damage, "outdated": found.outdated, "of no use": found.waste}
    for title, faults in groups.items():
        _show_faults(title, faults, console)
    if found.waste:
        console.print("  The next 'sweeper run' removes what is of no use.", soft_wrap=True)
    if any(fault.repairable for fault in found.damage):
        console.print("  'sweeper verify --repair' drops what is damaged; then run the sweep again.", soft_wrap=True)


def _show_faults(title: str, faults: Sequence[Fault], console: Console) -> None:
    if faults:
        console.print(f"\n[bold]{title}[/]")
    for fault in faults[:_SHOWN]:
        again = f" → {fault.again}" if fault.again else ""
        line = untrusted(f"  {fault.file}: {fault.why}{again}")
        console.print(line, soft_wrap=True, highlight=False)
    if len(faults) > _SHOWN:
        console.print(f"  … and {len(faults) - _SHOWN:,} more; --json shows all")
