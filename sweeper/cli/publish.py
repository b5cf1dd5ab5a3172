"""Commands that show sweeps elsewhere: ``figure``, ``gallery``, ``track``, ``ui``, ``schema``."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from search_spaces.errors import InputError
from sweeper.cli.options import Out, SweepFolder, Tracking, lasting_path, pair, sweep_folder
from sweeper.cli.output import show
from sweeper.cli.wiring import tracking_of
from sweeper.console import escaped, stderr


def _figure(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Figure of the paper, e.g. 2 or S7.", show_default=False)
    ] = None,
    sweep_dirs: Annotated[
        list[str] | None, typer.Argument(metavar="SWEEP_DIR...", help="Folders of sweeps.", show_default=False)
    ] = None,
    out: Annotated[
        str | None, typer.Option(help="Folder to write to.  [default: SWEEP_DIR/analysis/figures/paper]")
    ] = None,
    eta: Annotated[float | None, typer.Option(help="η of the panels that show only one.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Keep the points of one value of an axis. Repeatable.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show the figures and what each needs.")] = False,
) -> None:
    """Draw a figure of the paper from sweeps, as SVG, PNG and the CSV of what it shows; prints the paths.

    Example: [cyan]sweeper figure 2 runs/digits[/]   (5ab is theory alone and takes no sweep)
    """
    from results.figures.paper.draw import paper_figure
    from sweeper.cli.figures_view import FiguresView

    if list_:
        return show(FiguresView())
    if name is None:
        raise InputError("sweeper figure: give a NAME and a SWEEP_DIR; 'sweeper figure --list' shows the names.")
    pairs = dict(pair(text) for text in only or ())
    roots = [sweep_folder(path) for path in sweep_dirs or ()]
    caption, paths = paper_figure(name, roots, None if out is None else lasting_path(out), pairs, eta)
    stderr().print(escaped(caption), highlight=False, soft_wrap=True)
    for path in paths:
        typer.echo(path)
    return None


def _gallery(
    sweeps: Annotated[
        list[str] | None,
        typer.Argument(metavar="SWEEP_DIR...", help="Folders of sweeps, or folders of such.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of gallery.md, gallery.html and gallery/.")] = Path("docs"),
    grids: Annotated[Path, typer.Option(help="Folder of the project's grids.")] = Path("grids"),
) -> None:
    """Draw the figures that sweeps of the project's grids are about; the others stay as they were. Prints the pages.

    A sweep is known by its name and its points: those of grids/paper/*.yaml or of grids/small/*.yaml.

    Example: [cyan]sweeper gallery runs --out docs[/]
    """
    from results.gallery.make import make_gallery

    roots = [lasting_path(path) for path in sweeps or ()]
    for page in make_gallery(roots, out.absolute(), grids, stderr()):
        typer.echo(page)


def _track(sweep_dir: SweepFolder, tracking_uri: Tracking = None) -> None:
    """Replay a sweep from its Parquet files into MLflow; doing it twice gives the same runs.

    Example: [cyan]sweeper track runs/digits --tracking-uri http://127.0.0.1:5000[/]
    """
    from results.store.plan_file import read_plan
    from results.store.sweep_dir import SweepDir
    from sweeper.tracking.mirror import TrackingError, mirror

    directory = SweepDir(sweep_folder(sweep_dir))
    read_plan(directory)
    uri = tracking_of(tracking_uri, directory.root.parent)
    if uri is None:
        raise InputError("--tracking-uri: there is nothing to replay into; give a URI, as http://127.0.0.1:5000.")
    try:
        report = mirror(directory, uri)
    except TrackingError as error:
        raise InputError(str(error)) from None
    console = Console()
    console.print(f"{report.points} points in experiment {report.experiment} of {report.uri}", highlight=False)
    if report.page:
        console.print(f"[bold]page[/]     {escaped(report.page)}", soft_wrap=True, highlight=False)


def _ui(
    out: Out = "runs", port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)] = 5000
) -> None:
    """Serve MLflow's page for the sweeps of a folder, on this machine only.

    Example: [cyan]sweeper ui --port 5001[/]
    """
    from sweeper.tracking.address import serve_ui

    sweeps = lasting_path(out)
    if not isinstance(sweeps, Path) or not (sweeps / "mlflow.db").is_file():
        raise InputError(f"--out {out}: no mlflow.db here; give the folder of a sweep that was run with tracking.")
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise InputError(f"--port {port}: something else answers there; give another port.")
    argv, environment = serve_ui(sweeps, port)
    page = f"MLflow on http://127.0.0.1:{port}, where sweeps are under 'Model training'"
    stderr().print(f"{page} (Ctrl-C ends it)", soft_wrap=True, highlight=False)
    os.execve(argv[0], argv, environment)


def _schema() -> None:
    """Print the JSON Schema of the grid, for editors.

    Example: [cyan]sweeper schema > grid.schema.json[/]
    """
    from search_spaces.reference.json_schema import grid_schema

    typer.echo(json.dumps(grid_schema(), indent=2))


COMMANDS: dict[str, Callable[..., None]] = {
    "figure": _figure,
    "gallery": _gallery,
    "track": _track,
    "ui": _ui,
    "schema": _schema,
}
