"""The command line."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from results.store.paths import any_path
from search_spaces.errors import InputError
from search_spaces.sections.section import MAX_EPOCHS
from sweeper.cli.options import (
    STATUS_BAD_INPUT,
    STATUS_DONE,
    STATUS_FAILED,
    STATUS_INTERRUPTED,
    Address,
    BackendName,
    GridFile,
    Json,
    Out,
    Settings,
    SweepFolder,
    Tracking,
    load,
    pair,
    sweep_folder,
)
from sweeper.cli.output import show
from sweeper.cli.wiring import ray_backend, runner, stopped_in_order, tracking_of
from sweeper.console import escaped, stderr

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Sweeps of learning rate, L2 coefficient and budget: run a grid, measure the law t* = c/(ηλ), judge it.",
)


def main() -> None:
    """Entry point: errors of the user become one paragraph and status 2."""
    try:
        app()
    except InputError as error:
        stderr().print(f"[red bold]error:[/] {escaped(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(STATUS_BAD_INPUT)
    except OSError as error:
        if error.filename is None:
            raise
        stderr().print(f"[red bold]error:[/] {escaped(f'{error.filename}: {error.strerror}')}.", soft_wrap=True)
        sys.exit(STATUS_BAD_INPUT)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sweeper {version('sweeper')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the program itself."""


@app.command()
def plan(grid: GridFile, address: Address = None, settings: Settings = None) -> None:
    """Show points, packs and cost of a grid, on this machine or on a cluster; nothing runs.

    Example: [cyan]sweeper plan grids/digits.yaml --set budget.max=500[/]
    """
    from sweeper.cli.plan_view import show_plan

    chosen = load(grid, settings)
    if address is None:
        return show_plan(chosen, Console())
    with closing(ray_backend(chosen, address)) as cluster:
        return show_plan(chosen, Console(), cluster)


@app.command()
def run(
    grid: GridFile,
    out: Out = "runs",
    name: Annotated[str | None, typer.Option(help="Name of the sweep.  [default: the grid's]")] = None,
    backend: BackendName = "ray",
    address: Address = None,
    tracking_uri: Tracking = None,
    settings: Settings = None,
) -> None:
    """Run a grid; run it again to continue. Trains exactly the points that are missing, then analyzes.

    Example: [cyan]sweeper run grids/digits.yaml --set axes.seed=[0,1,2] --name digits-seeds[/]
    """
    from sweeper.cli.views import show_account

    chosen, sweeps = load(grid, settings, name), any_path(out)
    root = sweep_folder(str(sweeps / chosen.name))
    run_ = runner(sweeps, backend, address, tracking_uri)
    with stopped_in_order(root):
        account = run_(chosen)
    show_account(account, root, Console(), tracked=tracking_uri is None and isinstance(root, Path))
    sys.exit(STATUS_FAILED if account.missing or account.outcomes["failed"] else STATUS_DONE)  # type: ignore[index]


@app.command()
def submit(
    grid: GridFile,
    out: Annotated[
        str, typer.Option(help="Folder that all machines of the cluster share, or an address in an object store.")
    ],
    address: Annotated[str, typer.Option(help="The cluster's dashboard.")] = "http://127.0.0.1:8265",
    name: Annotated[str | None, typer.Option(help="Name of the sweep.  [default: the grid's]")] = None,
    tracking_uri: Annotated[
        str | None, typer.Option(help="MLflow as the cluster sees it: a URI, or 'none'.  [default: the cluster's own]")
    ] = None,
    settings: Settings = None,
) -> None:
    """Run a grid as a job of a Ray cluster: its driver lives there, this terminal may close.

    Grid and Python code of your own travel; data and sweeper itself must be there. A token is read as Ray's own
    commands read it (RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH, ~/.ray/auth_token).

    Example: [cyan]sweeper submit grids/digits.yaml --out s3://sweeps/runs --address http://127.0.0.1:8265[/]
    """
    from sweeper.backends.ray.submit import JobFailedError, submit_grid

    chosen = load(grid, settings, name)

    def accepted(job: str) -> None:
        note = f"{job} is accepted; waiting until it trains (Ctrl-C leaves it to itself)"
        stderr().print(note, soft_wrap=True, highlight=False)

    try:
        job = submit_grid(chosen, out, address, tracking_uri, accepted)
    except JobFailedError as error:
        stderr().print(escaped(str(error)), soft_wrap=True, highlight=False)
        sys.exit(STATUS_BAD_INPUT)
    console = Console()
    for what, command in (
        ("follow", f"sweeper watch {out.rstrip('/')}/{chosen.name}"),
        ("output", f"ray job logs --follow --address {address} {job}"),
        ("stop", f"ray job stop --address {address} {job}"),
    ):
        console.print(f"[bold]{what:8}[/] {escaped(command)}", highlight=False, soft_wrap=True)


@app.command()
def predict(
    grid: GridFile,
    budget: Annotated[list[float], typer.Option(help="Budget T of the run to come, in epochs. Repeatable.")],
    share: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="About what the probe may cost, of one run at the longest budget; 0: --dry."
        ),
    ] = 0.1,
    factor: Annotated[
        float, typer.Option(min=0.1, max=10, help="λ_pred = FACTOR · c/T; the paper tries 2 at small λ (Figure S4).")
    ] = 1.0,
    dry: Annotated[
        bool, typer.Option("--dry", help="No probe: a first guess, from what other sweeps have shown.")
    ] = False,
    verify_: Annotated[
        bool, typer.Option("--verify", help="Then train at λ_pred and at a third and three times.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="In place of the grid's, for the sweeps that are made.")] = None,
    out: Out = "runs",
    backend: BackendName = "ray",
    address: Address = None,
    tracking_uri: Tracking = None,
    settings: Settings = None,
    json_: Json = False,
) -> None:
    """Predict the best λ for a budget from a short probe at large λ. The grid's own axis lam and budget do not matter.

    Example: [cyan]sweeper predict grids/digits.yaml --budget 1000 --set axes.eta=[1][/]
    """
    from results.store.sweep_dir import SweepDir
    from sweeper.cli.forecast_view import ForecastView
    from sweeper.predict.check import verify_forecast
    from sweeper.predict.predict import guess
    from sweeper.predict.predict import predict as predict_
    from sweeper.predict.probe import PointsFailedError
    from sweeper.tracking.live import LiveMirror

    chosen, sweeps = load(grid, settings, name), any_path(out)
    if wrong := [b for b in budget if not 0 < b <= MAX_EPOCHS]:
        raise InputError(f"--budget {wrong[0]:g}: a budget is a number of epochs > 0 and <= {MAX_EPOCHS:,.0f}.")
    if dry or share == 0:
        show(ForecastView(guess(chosen, budget, factor)), as_json=json_)
        return
    run_ = runner(sweeps, backend, address, tracking_uri)
    with stopped_in_order(sweeps):
        try:
            forecast = predict_(chosen, budget, share, sweeps, run_, factor=factor)
            if verify_:
                forecast = verify_forecast(chosen, forecast, sweeps, run_)
        except PointsFailedError as error:
            stderr().print(f"[red bold]error:[/] {escaped(str(error))}", soft_wrap=True, highlight=False)
            sys.exit(STATUS_FAILED)
        with LiveMirror(SweepDir(any_path(forecast.sweep)), tracking_of(tracking_uri, sweeps), stderr()) as mirror:
            mirror.finish(complete=True)  # the page of the forecast beside the probe's report
    show(ForecastView(forecast), as_json=json_)


@app.command()
def status(sweep_dir: SweepFolder, json_: Json = False) -> None:
    """Show how far a sweep is: done, failed, missing; what it takes on the disk, and who runs it.

    Example: [cyan]sweeper status runs/digits[/]
    """
    from sweeper.cli.status_view import show_status

    show_status(sweep_folder(sweep_dir), Console(), as_json=json_)


@app.command()
def watch(
    sweep_dir: SweepFolder,
    every: Annotated[float, typer.Option(min=0.1, max=3600.0, help="Seconds between two looks.")] = 2.0,
) -> None:
    """Follow a sweep that runs elsewhere, from any machine that sees its folder, until all its points have ended.

    Example: [cyan]sweeper watch runs/digits[/]
    """
    from sweeper.cli.status_view import watch as watch_

    try:
        watch_(sweep_folder(sweep_dir), Console(), every)
    except KeyboardInterrupt:
        sys.exit(STATUS_INTERRUPTED)


@app.command()
def verify(
    sweep_dir: SweepFolder,
    repair: Annotated[bool, typer.Option("--repair", help="Drop what is damaged; run again to train it anew.")] = False,
    json_: Json = False,
) -> None:
    """Check every file of a sweep: digests, names, rows and ends, plan and tables. Status 0 if sound, 1 if not.

    Example: [cyan]sweeper verify runs/digits --repair[/]
    """
    from results.store.sweep_dir import SweepDir
    from sweeper.cli.views import show_inspection
    from sweeper.health.verify import verify as verify_sweep

    found, repaired = verify_sweep(SweepDir(sweep_folder(sweep_dir)), repair=repair)
    show_inspection(found, repaired, Console(), as_json=json_)
    sys.exit(STATUS_FAILED if found.damage else STATUS_DONE)


@app.command()
def analyze(sweep_dir: SweepFolder, json_: Json = False) -> None:
    """Analyze what a sweep holds: tables, verdicts, figures, report; prints the verdicts.

    Example: [cyan]sweeper analyze runs/digits --json[/]
    """
    from results.conclude import conclude
    from results.store.sweep_dir import SweepDir
    from sweeper.cli.views import show_account

    root = sweep_folder(sweep_dir)
    show_account(conclude(SweepDir(root)), root, Console(), as_json=json_)


@app.command()
def figure(
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
    from sweeper.cli.views import show_figures

    if list_:
        return show_figures(Console())
    if name is None:
        raise InputError("sweeper figure: give a NAME and a SWEEP_DIR; 'sweeper figure --list' shows the names.")
    pairs = dict(pair(text) for text in only or ())
    roots = [sweep_folder(path) for path in sweep_dirs or ()]
    caption, paths = paper_figure(name, roots, None if out is None else any_path(out), pairs, eta)
    stderr().print(escaped(caption), highlight=False, soft_wrap=True)
    for path in paths:
        typer.echo(path)
    return None


@app.command()
def gallery(
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

    roots = [any_path(path) for path in sweeps or ()]
    for page in make_gallery(roots, out.absolute(), grids, stderr()):
        typer.echo(page)


@app.command()
def compare(
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
    from sweeper.cli.views import show_comparison

    if accuracy is not None and not 0 < accuracy <= 1:
        raise InputError(f"--accuracy {accuracy}: a test accuracy is a number > 0 and <= 1.")
    roots = sweep_folder(first), sweep_folder(second)
    comparison = compare_sweeps(*roots, accuracy, None if out is None else any_path(out))
    show_comparison(comparison, Console(), as_json=json_)


@app.command()
def track(sweep_dir: SweepFolder, tracking_uri: Tracking = None) -> None:
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


@app.command()
def ui(
    out: Out = "runs", port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)] = 5000
) -> None:
    """Serve MLflow's page for the sweeps of a folder, on this machine only.

    Example: [cyan]sweeper ui --port 5001[/]
    """
    from sweeper.tracking.address import serve_ui

    sweeps = any_path(out)
    if not isinstance(sweeps, Path) or not (sweeps / "mlflow.db").is_file():
        raise InputError(f"--out {out}: no mlflow.db here; give the folder of a sweep that was run with tracking.")
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise InputError(f"--port {port}: something else answers there; give another port.")
    argv, environment = serve_ui(sweeps, port)
    page = f"MLflow on http://127.0.0.1:{port}, where sweeps are under 'Model training'"
    stderr().print(f"{page} (Ctrl-C ends it)", soft_wrap=True, highlight=False)
    os.execve(argv[0], argv, environment)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the grid, for editors.

    Example: [cyan]sweeper schema > grid.schema.json[/]
    """
    from search_spaces.reference.json_schema import grid_schema

    typer.echo(json.dumps(grid_schema(), indent=2))
