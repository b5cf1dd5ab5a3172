"""The answer of ``sweeper list``, and of ``sweeper status`` for a folder of sweeps."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from results.store.state import SweepState, read_state
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError, counted
from search_spaces.outcome import TRAINED
from sweeper.console import duration, labeled, short_path, untrusted
from sweeper.health.status import Status, status_of


@dataclass(frozen=True, slots=True)
class SweepLine:
    """A sweep in a line of the table.

    Attributes:
        status: its status.
        best: best test accuracy of its trained points, 0 to 1; None if there is none.
    """

    status: Status
    best: float | None

    @classmethod
    def of(cls, state: SweepState) -> "SweepLine":
        """Make the line of a sweep. Errors as of ``status_of``."""
        ends = (end for end in state.ends.values() if end.outcome in TRAINED and end.best_test_acc is not None)
        return cls(status_of(state), max((end.best_test_acc or 0.0 for end in ends), default=None))


@dataclass(frozen=True, slots=True)
class SweepsView:
    """The sweeps of a folder.

    Attributes:
        sweeps: folder of the sweep to its line, or to why it cannot be read.
    """

    sweeps: Mapping[str, SweepLine | str]

    @classmethod
    def of(cls, directories: Iterable[SweepDir]) -> "SweepsView":
        """Read each sweep."""
        sweeps: dict[str, SweepLine | str] = {}
        for directory in directories:
            try:
                sweeps[short_path(directory.root)] = SweepLine.of(read_state(directory))
            except InputError as error:
                sweeps[short_path(directory.root)] = str(error)
        return cls(sweeps)

    def to_json(self) -> Mapping[str, object]:
        """Folder to status and best accuracy, or to an error, as a dict for ``json.dumps``."""
        return {
            folder: {"error": found} if isinstance(found, str) else found.status.to_json() | {"best": found.best}
            for folder, found in self.sweeps.items()
        }

    def print(self, console: Console) -> None:
        """Print a table of the sweeps, then those that cannot be read."""
        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column("sweep", overflow="fold")
        for name in ("points", "best point"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("first run", no_wrap=True)
        table.add_column("state", ratio=1)
        readable = {folder: found for folder, found in self.sweeps.items() if isinstance(found, SweepLine)}
        for folder, found in readable.items():
            status = found.status
            done, best = status.points - status.missing, "" if found.best is None else f"{found.best:.4f}"
            # 2026-12-02T06:59:38+00:00: without the seconds and the zone
            created = escape(status.created[:16].replace("T", " "))
            table.add_row(escape(folder), f"{done:,}/{status.points:,}", best, created, _words(status))
        if readable:
            console.print(table, highlight=False)
        for why in self.sweeps.values():
            if isinstance(why, str):
                console.print(labeled("error:", "red", f" {untrusted(why)}"), soft_wrap=True)


def _words(status: Status) -> str:
    """The state of a sweep, in Rich's markup."""
    words = [f"{count:,} {outcome}" for outcome, count in sorted(status.outcomes.items()) if outcome != "completed"]
    left = f", about {duration(status.eta_seconds)} left" if status.eta_seconds is not None else ""
    if status.running:
        words.append(f"[cyan]running[/]{left}" if status.missing else "[cyan]analyzing[/]")
    elif status.missing:
        words.append(f"[yellow]interrupted[/]{left}")
    if status.given_up:
        words.append(f"[red]{counted(len(status.given_up), 'pack')} given up[/]")
    if status.damaged:
        words.append(f"[red]{counted(len(status.damaged), 'file')} damaged[/]")
    return ", ".join(words) or "complete"
