"""The printed answers of ``sweeper status`` and ``sweeper watch``."""

import json
import time

from rich.console import Console
from rich.filesize import decimal
from rich.live import Live
from rich.markup import escape

from results.store.paths import AnyPath
from results.store.sweep_dir import SweepDir
from sweeper.console import counted, duration, short_path, untrusted
from sweeper.health.status import Status, disk_usage, status_of


def show_status(root: AnyPath, console: Console, *, as_json: bool = False) -> None:
    """How far a sweep is, and what it takes on the disk."""
    status, sizes = status_of(root), disk_usage(SweepDir(root))
    if as_json:
        console.print_json(json.dumps(status.to_json() | {"bytes": sizes}))
        return
    console.print(f"[bold]{escape(status.sweep)}[/], first run {status.created}", highlight=False)
    for outcome, count in sorted(status.outcomes.items()):
        console.print(f"  {count:>7,} {outcome}")
    rows = sum(status.under_way.values())
    console.print(
        f"  {status.missing:>7,} missing"
        + (f", {counted(len(status.under_way), 'pack')} under way with {rows:,} rows" if status.under_way else "")
        + (f", about {duration(status.eta_seconds)} of training" if status.eta_seconds is not None else "")
    )
    disk = ", ".join(f"{name} {decimal(size)}" for name, size in sizes.items())
    console.print(f"[bold]disk[/]     {disk}", highlight=False)
    console.print(f"[bold]running[/]  {escape(status.running or 'no')}", highlight=False, soft_wrap=True)
    _show_trouble(status, root, console)


def watch(root: AnyPath, console: Console, seconds: float) -> None:
    """Follow a sweep that runs elsewhere until all is done, the report too: one line, renewed on a terminal.

    Elsewhere it is printed again whenever it has changed.

    Args:
        root: folder of the sweep.
        console: to print on.
        seconds: between two looks.
    """
    status, before = status_of(root), ""
    with Live(line(status), console=console, auto_refresh=False, transient=True) as live:
        while status.missing or status.running:
            if console.is_terminal:
                live.update(line(status), refresh=True)
            elif (now := line(status)) != before:
                console.print(now, soft_wrap=True, highlight=False)
                before = now
            time.sleep(seconds)
            status = status_of(root)
    console.print(line(status), soft_wrap=True, highlight=False)
    _show_trouble(status, root, console)
    if (report := SweepDir(root).report).is_file():
        console.print(f"[bold]report[/]   {escape(short_path(report))}", soft_wrap=True, highlight=False)


def line(status: Status) -> str:
    """How far a sweep is, in one line of Rich's markup."""
    done = status.points - status.missing
    parts_ = [f"[bold]{escape(status.sweep)}[/] {done:,}/{status.points:,} points"]
    parts_ += [f"{count:,} {outcome}" for outcome, count in sorted(status.outcomes.items()) if outcome != "completed"]
    if not status.missing and status.running:
        parts_ += ["the analysis is under way"]
    if status.missing:
        under_way = "under way" if status.running else "begun"
        parts_ += [f"{counted(len(status.under_way), 'pack')} {under_way}"] if status.under_way else []
        parts_ += [f"about {duration(status.eta_seconds)} of training left"] if status.eta_seconds is not None else []
        parts_ += [
            f"run by {escape(status.running)}"
            if status.running
            else "[yellow]nobody runs it, the same command goes on[/]"
        ]
    parts_ += [f"[red]{counted(len(status.given_up), 'pack')} given up[/]"] if status.given_up else []
    return " · ".join(parts_)


def _show_trouble(status: Status, root: AnyPath, console: Console) -> None:
    for pack, why in status.given_up.items():
        console.print(f"[red]given up:[/] pack {escape(pack)}: {untrusted(why)}", highlight=False, soft_wrap=True)
    for part, why in status.damaged.items():
        console.print(f"[red]damaged:[/] {escape(part)}: {untrusted(why)}", highlight=False, soft_wrap=True)
    if status.damaged:
        console.print(f"'sweeper verify {escape(short_path(root))}' says more", highlight=False, soft_wrap=True)
