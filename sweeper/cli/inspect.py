"""Commands that read a sweep: ``status``, ``watch``, ``verify``, ``analyze``, ``compare``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console

from search_spaces.errors import InputError
from sweeper.cli.options import (
    STATUS_DONE,
    STATUS_FAILED,
    STATUS_INTERRUPTED,
    Json,
    SweepFolder,
    lasting_path,
    sweep_folder,
)
from sweeper.cli.output import show


def _status(sweep_dir: SweepFolder, json_: Json = False) -> None:
    """Show how far a sweep is: done, failed, missing; what it takes on the disk, and who runs it.

    Example: [cyan]sweeper status runs/digits[/]
    """
    from results.store.state import read_state
    from results.store.sweep_dir import SweepDir
    from sweeper.cli.status_view import StatusView
    from sweeper.health.status import disk_usage, status_of

    directory = SweepDir(sweep_folder(sweep_dir))
    show(StatusView(directory, status_of(read_state(directory)), disk_usage(directory)), as_json=json_)


def _watch(
    sweep_dir: SweepFolder,
    every: Annotated[float, typer.Option(min=0.1, max=3600.0, help="Seconds between two updates.")] = 2.0,
) -> None:
    """Follow a sweep that runs elsewhere, from any machine that sees its folder, until all its points have ended.

    Example: [cyan]sweeper watch runs/digits[/]
    """
    from results.store.sweep_dir import SweepDir
    from sweeper.cli.status_view import watch

    try:
        watch(SweepDir(sweep_folder(sweep_dir)), Console(), every)
    except KeyboardInterrupt:
        sys.exit(STATUS_INTERRUPTED)


def _verify(
    sweep_dir: SweepFolder,
    repair: Annotated[bool, typer.Option("--repair", help="Drop what is damaged; run again to train it anew.")] = False,
    json_: Json = False,
) -> None:
    """Check every file of a sweep: digests, names, rows and ends, plan and tables. Status 0 if sound, 1 if not.

    Example: [cyan]sweeper verify runs/digits --repair[/]
    """
    from results.store.sweep_dir import SweepDir
    from sweeper.cli.inspection_view import InspectionView
    from sweeper.health.verify import verify as verify_sweep

    found, repaired = verify_sweep(SweepDir(sweep_folder(sweep_dir)), repair=repair)
    show(InspectionView(found, repaired), as_json=json_)
    sys.exit(STATUS_FAILED if found.damage else STATUS_DONE)


def _analyze(sweep_dir: SweepFolder, json_: Json = False) -> None:
    """Analyze what a sweep holds: tables, verdicts, figures, report; prints the verdicts.

    Example: [cyan]sweeper analyze runs/digits --json[/]
    """
    from results.conclude import conclude
    from results.store.state import read_state
    from results.store.sweep_dir import SweepDir
    from sweeper.cli.result_view import ResultView

    directory = SweepDir(sweep_folder(sweep_dir))
    show(ResultView(conclude(read_state(directory)), directory), as_json=json_)


def _compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Folder of a sweep.", show_default=False)],
    second: Annotated[str, typer.Argument(metavar="B", help="Folder of the other.", show_default=False)],
    accuracy: Annotated[
        float | None,
        typer.Option(help="Test accuracy to be reached, 0 to 1.  [default: the smaller maximum less the tolerance]"),
    ] = None,
    out: Annotated[str | None, typer.Option(help="Folder to write to.  [default: comparison-A-B]")] = None,
    json_: Json = False,
) -> None:
    """Compare two sweeps: best accuracy, time to an accuracy, one figure of both; prints who is better.

    Example: [cyan]sweeper compare runs/constant runs/autol2[/]
    """
    from results.compare import compare_sweeps
    from sweeper.cli.comparison_view import ComparisonView

    if accuracy is not None and not 0 < accuracy <= 1:
        raise InputError(f"--accuracy {accuracy}: a test accuracy is a number > 0 and <= 1.")
    roots = sweep_folder(first), sweep_folder(second)
    comparison = compare_sweeps(*roots, accuracy, None if out is None else lasting_path(out))
    show(ComparisonView(comparison), as_json=json_)


COMMANDS: dict[str, Callable[..., None]] = {
    "status": _status,
    "watch": _watch,
    "verify": _verify,
    "analyze": _analyze,
    "compare": _compare,
}
