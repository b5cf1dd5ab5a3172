"""The answer of ``sweeper settle``, and the plan that it shows first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from results.settling.choice import WayOut
from results.store.sweep_dir import SweepDir
from search_spaces.errors import counted
from sweeper.cli.result_view import ResultView
from sweeper.console import duration
from sweeper.settle.rounds import Settlement


def print_ways(ways: Sequence[WayOut], first: WayOut, seconds: float, console: Console) -> None:
    """Print what would settle each open claim, and which points come first.

    Args:
        ways: one way out a claim.
        first: the one that comes first.
        seconds: time that may pass.
        console: prints them.
    """
    for way in ways:
        mark = "[bold]→[/]" if way is first else " "
        console.print(f"{mark} [bold]{way.claim}[/]: {escape(str(way))}", soft_wrap=True, highlight=False)
    console.print(
        f"Points are added in rounds, → first. The claims are judged after each, for {duration(seconds)} at most.",
        soft_wrap=True,
        highlight=False,
    )


@dataclass(frozen=True, slots=True)
class SettlementView:
    """The rounds, and the verdicts after the last.

    Attributes:
        settlement: the result.
        directory: the sweep.
    """

    settlement: Settlement
    directory: SweepDir

    def to_json(self) -> Mapping[str, object]:
        """Rounds and verdicts as a dict for ``json.dumps``."""
        rounds = [round_.to_json() for round_ in self.settlement.rounds]
        result = ResultView(self.settlement.result, self.directory).to_json()
        return {**result, "rounds": rounds, "stopped": self.settlement.stopped}

    def print(self, console: Console) -> None:
        """Print the verdicts, then what each round added and decided."""
        ResultView(self.settlement.result, self.directory).print(console)
        for number, round_ in enumerate(self.settlement.rounds, 1):
            extension = round_.way.extension
            added = f"{counted(len(extension.points), 'point')}" if extension else ""
            decided = ", ".join(f"{claim} {verdict}" for claim, verdict in round_.decided.items())
            line = f"round {number}: {added}, {duration(round_.seconds)}: {decided or 'no claim decided yet'}"
            console.print(line, soft_wrap=True, highlight=False)
        ended = self.settlement.stopped or "every claim that this grid asks about is decided"
        console.print(f"[bold]settle[/]   {escape(ended)}", soft_wrap=True, highlight=False)
