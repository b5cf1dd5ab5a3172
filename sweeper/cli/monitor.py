"""Commands that look after sweeps: ``list``, ``status``, ``watch``, ``verify``; and MLflow: ``track``, ``ui``."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from search_spaces.errors import InputError, counted
from sweeper.cli.launch import tracking_of
from sweeper.cli.options import (
    STATUS_DONE,
    STATUS_FAILED,
    STATUS_INTERRUPTED,
    Json,
    Out,
    SweepFolder,
    Tracking,
    lasting_path,
    sweep_folder,
    sweeps_below,
)
from sweeper.cli.output import show
from sweeper.console import labeled, stderr, stdout


def _status(sweep_dir: SweepFolder, json_: Json = False) -> None:
    """Show how far a sweep is: done, failed, missing; what it takes on the disk, and who runs it.

    Of a folder of sweeps, list them, as 'sweeper list' does.

    Example: [cyan]sweeper status runs/digits[/]
    """
    from results.store.state import read_state
    from results.store.sweep_dir import SweepDir
    from sweeper.cli.views.status import StatusView
    from sweeper.cli.views.sweeps import SweepsView
    from sweeper.health.best import best_setting
    from sweeper.health.status import disk_usage, status_of

    roots = sweeps_below(sweep_dir)
    if roots != [sweep_folder(sweep_dir)]:
        return show(SweepsView.of(map(SweepDir, roots)), as_json=json_)
    directory = SweepDir(roots[0])
    state = read_state(directory)
    view = StatusView(directory, status_of(state), disk_usage(directory), best_setting(state))
    return show(view, as_json=json_)


def _list(
    sweeps: Annotated[
        str, typer.Argument(metavar="[FOLDER]", help="Folder of sweeps.  [default: runs]", show_default=False)
    ] = "runs",
    json_: Json = False,
) -> None:
    """List the sweeps of a folder: points done, best accuracy, state.

    Example: [cyan]sweeper list runs[/]
    """
    from results.store.sweep_dir import SweepDir
    from sweeper.cli.views.sweeps import SweepsView

    show(SweepsView.of(map(SweepDir, sweeps_below(sweeps))), as_json=json_)


def _watch(
    sweep_dir: SweepFolder,
    every: Annotated[float, typer.Option(min=0.1, max=3600.0, help="Seconds between two updates.")] = 2.0,
) -> None:
    """Follow a sweep that runs elsewhere, from any machine that sees its folder, until all its points have ended.

    Example: [cyan]sweeper watch runs/digits[/]
    """
    from results.store.sweep_dir import SweepDir
    from sweeper.cli.views.status import watch

    try:
        watch(SweepDir(sweep_folder(sweep_dir)), stdout(), every)
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
    from sweeper.cli.views.inspection import InspectionView
    from sweeper.health.verify import verify as verify_sweep

    found, repaired = verify_sweep(SweepDir(sweep_folder(sweep_dir)), repair=repair)
    show(InspectionView(found, repaired), as_json=json_)
    sys.exit(STATUS_FAILED if found.damage else STATUS_DONE)


def _track(sweep_dir: SweepFolder, tracking_uri: Tracking = None) -> None:
    """Replay a sweep from its Parquet files into MLflow; doing it twice gives the same runs.

    Example: [cyan]sweeper track runs/digits --tracking-uri http://127.0.0.1:5000[/]
    """
    from results.store.plan_file import read_plan
    from results.store.sweep_dir import SweepDir
    from sweeper.tracking.mirror import Mirror, TrackingError

    directory = SweepDir(sweep_folder(sweep_dir))
    read_plan(directory)
    uri = tracking_of(tracking_uri, directory.root.parent)
    if uri is None:
        raise InputError("--tracking-uri: there is nothing to replay into; give a URI, as http://127.0.0.1:5000.")
    try:
        report = Mirror(directory, uri).finish_in_time(lambda line: stderr().print(Text(line), soft_wrap=True))
    except TrackingError as error:
        raise InputError(str(error)) from None
    console = stdout()
    line = f"{counted(report.points, 'point')} in experiment {report.experiment} of {report.uri}"
    console.print(Text(line), soft_wrap=True)
    if report.page:
        console.print(labeled("page", "bold", f"     {report.page}"), soft_wrap=True)


def _ui(
    out: Out = "runs", port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)] = 5000
) -> None:
    """Serve MLflow's page for the sweeps of a folder, on this machine only.

    Example: [cyan]sweeper ui --port 5001[/]
    """
    from results.store.sweep_dir import SweepDir
    from sweeper.tracking.mirror import prepare
    from sweeper.tracking.server import serve_ui

    sweeps = lasting_path(out)
    if isinstance(sweeps, Path) and not (sweeps / "mlflow.db").is_file() and SweepDir(sweeps).plan.is_file():
        sweeps = sweeps.absolute().parent  # a sweep was given, not the folder of sweeps that it lies in
    if not isinstance(sweeps, Path) or not (sweeps / "mlflow.db").is_file():
        raise InputError(f"--out {out}: no mlflow.db here; give the folder of a sweep that was run with tracking.")
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise InputError(f"--port {port}: something else answers there; give another port.")
    prepare(sweeps)
    argv, environment = serve_ui(sweeps, port)
    page = f"MLflow on http://127.0.0.1:{port}, where sweeps are under 'Model training'"
    stderr().print(f"{page} (Ctrl-C ends it)", soft_wrap=True, highlight=False)
    os.execve(argv[0], argv, environment)


COMMANDS: dict[str, Callable[..., None]] = {
    "list": _list,
    "status": _status,
    "watch": _watch,
    "verify": _verify,
    "track": _track,
    "ui": _ui,
}
