"""The answers of ``sweeper status`` and ``sweeper watch``."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.filesize import decimal
from rich.live import Live
from rich.markup import escape

from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from search_spaces.errors import command, counted
from sweeper.cli.output import has_reader
from sweeper.console import counted_of, duration, labeled, short_path, untrusted
from sweeper.health.status import Status, status_of


@dataclass(frozen=True, slots=True)
class StatusView:
    """The status of a sweep, and what it takes on the disk.

    Attributes:
        directory: the sweep.
        status: its status.
        sizes: bytes of the parts, the checkpoints and the whole folder.
        best: its best setting so far, in words; None if there is none.
    """

    directory: SweepDir
    status: Status
    sizes: Mapping[str, int]
    best: str | None = None

    def to_json(self) -> Mapping[str, object]:
        """The status with the sizes and the best setting, as a dict for ``json.dumps``."""
        return self.status.to_json() | {"bytes": self.sizes, "best": self.best}

    def print(self, console: Console) -> None:
        """Print counts, sizes, the process that runs the sweep, and what is wrong."""
        status = self.status
        console.print(f"[bold]{escape(status.sweep)}[/], first run {escape(status.created)}", highlight=False)
        if self.best:
            console.print(f"[bold]best[/]     {escape(self.best)}", highlight=False, soft_wrap=True)
        for outcome, count in sorted(status.outcomes.items()):
            console.print(f"  {count:>7,} {outcome}")
        rows = sum(status.under_way.values())
        console.print(
            f"  {status.missing:>7,} missing"
            + (f", {counted(len(status.under_way), 'pack')} under way with {rows:,} rows" if status.under_way else "")
            + (f", about {duration(status.eta_seconds)} of training" if status.eta_seconds is not None else "")
        )
        disk = ", ".join(f"{name} {decimal(size)}" for name, size in self.sizes.items())
        console.print(f"[bold]disk[/]     {disk}", highlight=False)
        console.print(f"[bold]running[/]  {escape(status.running or 'no')}", highlight=False, soft_wrap=True)
        _print_trouble(status, self.directory, console)


def watch(directory: SweepDir, console: Console, seconds: float) -> None:
    """Follow a sweep that runs elsewhere until all points have ended and the report is written.

    A terminal shows one line that is renewed; elsewhere the line is printed again whenever it has changed.

    Args:
        directory: the sweep.
        console: to print on.
        seconds: time between two looks.
    """
    state, before = read_state(directory), ""
    status = status_of(state)
    with Live(line(status), console=console, auto_refresh=False, transient=True) as live:
        while has_reader() and (status.missing or status.running):
            if console.is_terminal:
                live.update(line(status), refresh=True)
            elif (now := line(status)) != before:
                console.print(now, soft_wrap=True, highlight=False)
                before = now
            time.sleep(seconds)
            state = read_state(directory, state)
            status = status_of(state)
    console.print(line(status), soft_wrap=True, highlight=False)
    _print_trouble(status, directory, console)
    if directory.report.is_file():
        console.print(f"[bold]report[/]   {escape(short_path(directory.report))}", soft_wrap=True, highlight=False)


def line(status: Status) -> str:
    """The status of a sweep in one line of Rich's markup."""
    done = status.points - status.missing
    words = [f"[bold]{escape(status.sweep)}[/] {counted_of(done, status.points, 'point')}"]
    words += [f"{count:,} {outcome}" for outcome, count in sorted(status.outcomes.items()) if outcome != "completed"]
    if not status.missing and status.running:
        words += ["the analysis is under way"]
    if status.missing:
        under_way = "under way" if status.running else "begun"
        words += [f"{counted(len(status.under_way), 'pack')} {under_way}"] if status.under_way else []
        words += [f"about {duration(status.eta_seconds)} of training left"] if status.eta_seconds is not None else []
        words += [
            f"run by {escape(status.running)}"
            if status.running
            else "[yellow]nobody runs it, the same command goes on[/]"
        ]
    words += [f"[red]{counted(len(status.given_up), 'pack')} given up[/]"] if status.given_up else []
    return " · ".join(words)


def _print_trouble(status: Status, directory: SweepDir, console: Console) -> None:
    for pack, why in status.given_up.items():
        console.print(labeled("given up:", "red", f" pack {untrusted(f'{pack}: {why}')}"), soft_wrap=True)
    for part, why in status.damaged.items():
        console.print(labeled("damaged:", "red", f" {untrusted(f'{part}: {why}')}"), soft_wrap=True)
    if status.damaged:
        console.print(
            f"{escape(command('sweeper', 'verify', short_path(directory.root)))} says more",
            highlight=False,
            soft_wrap=True,
        )
