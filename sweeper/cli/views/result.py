"""The answers of ``sweeper run``, ``sweeper analyze`` and ``sweeper settle``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from results.store.commits import PointEnd
from results.store.sweep_dir import SweepDir
from search_spaces.errors import command, counted
from search_spaces.outcome import Outcome
from sweeper.console import duration, labeled, quoted, short_path, untrusted

if TYPE_CHECKING:  # matplotlib and scipy, which they need, take over a second to import
    import pandas as pd

    from results.conclude import SweepResult
    from results.settling.choice import WayOut
    from sweeper.settle.rounds import Settlement

_MARKS = {"pass": "[green]✓ pass[/]", "fail": "[red]✗ fail[/]", "inconclusive": "[yellow]? inconclusive[/]"}
WIDE = 110  # columns of a terminal from which the thresholds of the verdicts fit beside them


@dataclass(frozen=True, slots=True)
class ResultView:
    """Verdicts, failures by cause, and the paths of report and table.

    Attributes:
        result: the result of the sweep.
        directory: the sweep.
        tracked: whether MLflow has it too.
    """

    result: SweepResult
    directory: SweepDir
    tracked: bool = False

    def to_json(self) -> Mapping[str, object]:
        """Outcomes and verdicts as a dict for ``json.dumps``."""
        return {
            "sweep": self.directory.name,
            "outcomes": self.result.outcomes,
            "missing": self.result.missing,
            "best": winner.to_json() if (winner := self.result.analysis.winner) else None,
            "superseded": self.result.superseded,
            "verdicts": [verdict.to_json() for verdict in self.result.analysis.verdicts],
            "ways_out": {claim: way.to_json() for claim, way in self.result.analysis.ways_out.items()},
        }

    def print(self, console: Console) -> None:
        """Print the best setting, verdicts, failures, counts and paths."""
        result, root = self.result, self.directory.root
        if winner := result.analysis.winner:
            console.print(f"[bold]best[/]     {escape(winner.headline())}", soft_wrap=True, highlight=False)
            console.print(f"         {escape(winner.next_step)}\n", soft_wrap=True, highlight=False)
        self._print_verdicts(console)
        if result.superseded:
            console.print(
                "\n[yellow]superseded:[/] the sweep has gone on meanwhile, and another process has analyzed it since. "
                "Its tables, figures and report stay as they are.",
                soft_wrap=True,
                highlight=False,
            )
        _print_failures(result, self.directory, console)
        counts = ", ".join(f"{n:,} {outcome}" for outcome, n in sorted(result.outcomes.items()))
        missing = f", {result.missing:,} missing" if result.missing else ""
        console.print(f"\n[bold]points[/]   {counts or 'none ended'}{missing}")
        for label, path in {"report": root / "report.html", "table ": root / "rows"}.items():
            console.print(f"[bold]{label}[/]   {escape(short_path(path))}", soft_wrap=True, highlight=False)
        if self.tracked:
            line = f"[bold]MLflow[/]   sweeper ui --out {escape(quoted(short_path(root.parent)))}"
            console.print(line, soft_wrap=True, highlight=False)

    def _print_verdicts(self, console: Console) -> None:
        verdicts = self.result.analysis.verdicts
        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        wide = console.width >= WIDE
        for name in ("claim", "verdict", "value", "interval", *(["threshold"] if wide else [])):
            table.add_column(name, no_wrap=True)
        judged = [v for v in verdicts if v.value is not None]
        for v in judged:
            interval = "" if v.interval is None else f"\\[{v.interval[0]:.3g}, {v.interval[1]:.3g}]"
            cells = [v.claim, _MARKS[v.verdict], f"{v.value:.3g}", interval]
            table.add_row(*cells, *([v.threshold] if wide else []))
        if judged:
            console.print(table)
        for v in judged:
            if v.verdict != "pass":
                console.print(f"[bold]{v.claim}[/]: {escape(v.why)}", soft_wrap=True, highlight=False)
        for v in verdicts:
            if v.value is None and v.verdict != "unasked":
                line = f"[bold]{v.claim}[/] {_MARKS[v.verdict]}: {escape(v.why)}"
                console.print(line, soft_wrap=True, highlight=False)
        if others := [v.claim for v in verdicts if v.verdict == "unasked"]:
            line = f"[bold]not asked by this grid[/] (the report says why): {', '.join(others)}"
            console.print(line, soft_wrap=True, highlight=False)
        self._print_ways_out(console)

    def _print_ways_out(self, console: Console) -> None:
        """Print each way out once, with the claims that it may settle, and the command that takes them."""
        claims: defaultdict[str, list[str]] = defaultdict(list)
        ways = self.result.analysis.ways_out
        for claim, way in ways.items():
            claims[f"{way} {way.option}".rstrip()].append(claim)
        for text, names in claims.items():
            line = f"[bold]to settle {', '.join(names)}[/]: {escape(text)}"
            console.print(line, soft_wrap=True, highlight=False)
        if any(way.extension for way in ways.values()):
            settle = command("sweeper", "settle", short_path(self.directory.root))
            console.print(f"[bold]to add such points in rounds[/]: {escape(settle)}", soft_wrap=True, highlight=False)


def _print_failures(result: SweepResult, directory: SweepDir, console: Console) -> None:
    """Print each cause of failure and divergence once, with the number of its points and a log to read."""
    by_cause: defaultdict[tuple[Outcome, str], list[PointEnd]] = defaultdict(list)
    for end in result.ends.values():
        if end.outcome in {Outcome.FAILED, Outcome.DIVERGED}:
            by_cause[end.outcome, end.why].append(end)
    for (outcome, why), ends in sorted(by_cause.items(), key=lambda item: -len(item[1])):
        color = "red" if outcome is Outcome.FAILED else "yellow"
        console.print(
            labeled(f"\n{counted(len(ends), 'point')} {outcome}:", color, f" {untrusted(why)}"), soft_wrap=True
        )
        if outcome is Outcome.DIVERGED:
            for hint in too_large_rates(result.analysis.findings.peaks):
                console.print(f"  {hint}", soft_wrap=True, highlight=False)
        log = directory.logs / f"{ends[0].point}.txt"
        if outcome is Outcome.FAILED and log.is_file():
            console.print(f"  traceback: {escape(short_path(log))}", soft_wrap=True, highlight=False)


def too_large_rates(peaks: pd.DataFrame) -> list[str]:
    """Return a sentence for each momentum whose points all diverged from some η on, whatever their λ.

    Args:
        peaks: one row a point, with ``eta``, ``mu`` and ``outcome``.
    """
    hints = []
    for mu in sorted({float(value) for value in peaks["mu"]}):
        own = peaks[peaks["mu"] == mu]
        diverged = own["outcome"] == "diverged"
        smallest = own.loc[diverged, "eta"].min()  # NaN if none diverged
        if diverged.any() and diverged[own["eta"] >= smallest].all():
            momentum = f" with μ {mu:g}" if mu else ""
            hints.append(f"η {smallest:g}{momentum} is too large for this model; try a smaller one.")
    return hints


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
        "Points are added in rounds, → first, and the claims are judged after each. No round begins that should end "
        f"after {duration(seconds)}. The points stay in the sweep: copy its folder first to keep it as it is.",
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
        """Print the verdicts, then what each round added and decided; one line if nothing was to be trained."""
        if self.settlement.declined:
            console.print(f"[bold]settle[/]   {self.settlement.stopped}", highlight=False)
            return
        ResultView(self.settlement.result, self.directory).print(console)
        for number, round_ in enumerate(self.settlement.rounds, 1):
            extension = round_.way.extension
            added = f"{counted(extension.points, 'point')}" if extension else ""
            decided = ", ".join(f"{claim} {verdict}" for claim, verdict in round_.decided.items())
            lost = f"; open again: {', '.join(round_.lost)}" if round_.lost else ""
            line = f"round {number}: {added}, {duration(round_.seconds)}: {decided or 'no further claim decided'}{lost}"
            console.print(line, soft_wrap=True, highlight=False)
        ended = self.settlement.stopped or "every claim that this grid asks about is decided"
        console.print(f"[bold]settle[/]   {escape(ended)}", soft_wrap=True, highlight=False)
