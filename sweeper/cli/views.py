"""The printed answers of the commands."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from results.claims.comparison import INCONCLUSIVE, Contest
from results.compare import Comparison
from results.conclude import SweepResult
from results.figures.paper.catalog import FIGURES
from results.store.commits import PointEnd
from results.store.paths import AnyPath
from results.store.sweep_dir import SweepDir
from search_spaces.outcome import Outcome
from sweeper.console import short_path, untrusted
from sweeper.health.inspection import Fault, Inspection


def show_figures(console: Console) -> None:
    """Print every figure: its name, what it shows, what it needs."""
    table = Table(
        "figure", "what it shows", "what the sweeps must have", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for name, figure in FIGURES.items():
        table.add_row(name, figure.caption, figure.needs)
    console.print(table, highlight=False)


def show_comparison(comparison: Comparison, console: Console, *, as_json: bool) -> None:
    """Print who wins in what, why, and where the figure lies."""
    if as_json:
        console.print_json(json.dumps(comparison.to_json(), allow_nan=False))
        return
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("", *comparison.names, "difference or ratio", "better"):
        table.add_column(escape(name))
    for c in comparison.contests:
        winner = f"[yellow]? {c.winner}[/]" if c.winner == INCONCLUSIVE else f"[green]✓ {escape(c.winner)}[/]"
        table.add_row(c.claim, _number(c.a), _number(c.b), _number(c.value) + escape(_interval(c)), winner)
    console.print(table)
    for c in comparison.contests:
        console.print(f"[bold]{c.claim}[/]: {escape(c.why)}", soft_wrap=True, highlight=False)
    console.print(f"\n[bold]figure[/]   {escape(str(comparison.folder / 'comparison.svg'))}", soft_wrap=True)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _interval(contest: Contest) -> str:
    return "" if contest.interval is None else f" [{contest.interval[0]:.3g}, {contest.interval[1]:.3g}]"


_SHOWN = 20


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


_MARKS = {"pass": "[green]✓ pass[/]", "fail": "[red]✗ fail[/]", "inconclusive": "[yellow]? inconclusive[/]"}
WIDE = 110  # columns from which the thresholds of the verdicts fit beside them


def show_account(
    account: SweepResult, root: AnyPath, console: Console, *, as_json: bool = False, tracked: bool = False
) -> None:
    """Verdicts, failures by cause, and where everything lies; ``tracked`` if MLflow has it too."""
    if as_json:
        verdicts = [v.to_json() for v in account.analysis.verdicts]
        content = {"sweep": root.name, "outcomes": account.outcomes, "missing": account.missing, "verdicts": verdicts}
        console.print_json(json.dumps(content, allow_nan=False))
        return
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    wide = console.width >= WIDE
    for name in ("claim", "verdict", "value", "interval", *(["threshold"] if wide else [])):
        table.add_column(name, no_wrap=True)
    told = [v for v in account.analysis.verdicts if v.value is not None]
    for v in told:
        interval = "" if v.interval is None else f"\\[{v.interval[0]:.3g}, {v.interval[1]:.3g}]"
        cells = [v.claim, _MARKS[v.verdict], f"{v.value:.3g}", interval]
        table.add_row(*cells, *([v.threshold] if wide else []))
    if told:
        console.print(table)
    for v in told:
        if v.verdict != "pass":
            console.print(f"[bold]{v.claim}[/]: {escape(v.why)}", soft_wrap=True, highlight=False)
    if untold := [v.claim for v in account.analysis.verdicts if v.value is None]:
        line = f"[bold]not to be judged by these points[/] (the report says why): {', '.join(untold)}"
        console.print(line, soft_wrap=True, highlight=False)
    _show_failures(account, SweepDir(root), console)
    counts = ", ".join(f"{n:,} {outcome}" for outcome, n in sorted(account.outcomes.items()))
    console.print(
        f"\n[bold]points[/]   {counts or 'none ended'}" + (f", {account.missing:,} missing" if account.missing else "")
    )
    for label, path in {"report": root / "report.html", "table ": root / "rows"}.items():
        console.print(f"[bold]{label}[/]   {escape(short_path(path))}", soft_wrap=True, highlight=False)
    if tracked:
        console.print(
            f"[bold]MLflow[/]   sweeper ui --out {escape(short_path(root.parent))}", soft_wrap=True, highlight=False
        )


def _show_failures(account: SweepResult, directory: SweepDir, console: Console) -> None:
    """Failures and divergences, grouped by cause; each cause once, with a log to read."""
    by_cause: defaultdict[tuple[Outcome, str], list[PointEnd]] = defaultdict(list)
    for end in account.ends.values():
        if end.outcome in {Outcome.FAILED, Outcome.DIVERGED}:
            by_cause[end.outcome, end.why].append(end)
    for (outcome, why), ends in sorted(by_cause.items(), key=lambda item: -len(item[1])):
        color = "red" if outcome is Outcome.FAILED else "yellow"
        count = f"{len(ends)} point{'s' if len(ends) > 1 else ''}"
        console.print(f"\n[{color}]{count} {outcome}:[/] {escape(why)}", soft_wrap=True)
        log = directory.logs / f"{ends[0].point}.txt"
        if outcome is Outcome.FAILED and log.is_file():
            console.print(f"  traceback: {escape(short_path(log))}", soft_wrap=True, highlight=False)
