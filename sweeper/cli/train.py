"""Commands that plan or train: ``plan``, ``run``, ``settle``, ``submit``, ``predict``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from results.store.paths import AnyPath, any_path
from search_spaces.errors import InputError, counted
from search_spaces.sections.section import MAX_EPOCHS
from sweeper.addresses import mask_secrets
from sweeper.cli.launch import make_sweep_runner, ray_backend, tracking_of
from sweeper.cli.options import (
    STATUS_BAD_INPUT,
    STATUS_DONE,
    STATUS_FAILED,
    Address,
    BackendName,
    GridFile,
    Json,
    Out,
    Quiet,
    Settings,
    SweepFolder,
    Tracking,
    grid_of,
    lasting_path,
    parse_duration,
    sweep_folder,
)
from sweeper.cli.output import show
from sweeper.console import error_line, labeled, quoted, stderr, stdout

if TYPE_CHECKING:
    from results.forecast.forecast import Forecast
    from results.settling.choice import WayOut
    from search_spaces.sections.grid import Grid
    from sweeper.predict.probe import SweepRunner


def _plan(
    grid: GridFile,
    out: Out = "runs",
    name: Annotated[str | None, typer.Option(help="Name of the sweep.  [default: the grid's]")] = None,
    address: Address = None,
    settings: Settings = None,
) -> None:
    """Show points, packs and cost of a grid, on this machine or on a cluster; nothing runs.

    Where the folder of sweeps holds the sweep already, show what is done and what is left to train.

    Example: [cyan]sweeper plan grids/digits.yaml --set budget.max=500[/]
    """
    with grid_of(grid, settings, name) as chosen:
        _say(chosen, "planning")
        from results.store.sweep_dir import SweepDir
        from sweeper.cli.views.plan import PlanView
        from sweeper.driver.estimate import estimate_run

        directory = SweepDir(sweep_folder(str(lasting_path(out) / chosen.name)))
        if address is None:
            return show(PlanView(estimate_run(chosen, directory)))
        with closing(ray_backend(chosen, address)) as cluster:
            return show(PlanView(estimate_run(chosen, directory, cluster), on_cluster=True))


def _run(
    grid: GridFile,
    out: Out = "runs",
    name: Annotated[str | None, typer.Option(help="Name of the sweep.  [default: the grid's]")] = None,
    backend: BackendName = "ray",
    address: Address = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Most packs that train at a time.  [default: all that there is room for]")
    ] = None,
    tracking_uri: Tracking = None,
    settings: Settings = None,
    quiet: Quiet = False,
) -> None:
    """Run a grid; run it again to continue. Trains exactly the points that are missing, then analyzes.

    Example: [cyan]sweeper run grids/digits.yaml --set axes.seed=[0,1,2] --name digits-seeds[/]
    """
    with grid_of(grid, settings, name) as chosen:
        _say(chosen, "starting", quiet=quiet)
        from results.store.sweep_dir import SweepDir
        from search_spaces.outcome import Outcome
        from sweeper.cli.views.result import ResultView

        sweeps = lasting_path(out)
        root = sweep_folder(str(sweeps / chosen.name))
        result = make_sweep_runner(sweeps, backend, address, tracking_uri, workers, quiet=quiet)(chosen)
    show(ResultView(result, SweepDir(root), tracked=tracking_uri is None and isinstance(root, Path)))
    sys.exit(STATUS_FAILED if result.missing or result.outcomes[Outcome.FAILED] else STATUS_DONE)


def _settle(
    sweep_dir: SweepFolder,
    within: Annotated[str, typer.Option(help="Time that may pass, as 90s, 10m or 2h.")] = "10m",
    claim: Annotated[list[str] | None, typer.Option(help="Claim to settle. Repeatable.  [default: all open]")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    backend: BackendName = "ray",
    address: Address = None,
    tracking_uri: Tracking = None,
    json_: Json = False,
) -> None:
    """Add the cheapest points that should decide the open claims of a sweep, in rounds; asks first.

    Example: [cyan]sweeper settle runs/digits --within 10m --claim scaling[/]
    """
    from results.claims.judge import CLAIMS_BY_NAME
    from results.store.state import read_state
    from results.store.sweep_dir import SweepDir
    from sweeper.cli.views.result import SettlementView, print_ways
    from sweeper.settle.rounds import settle

    if unknown := sorted(set(claim or ()) - CLAIMS_BY_NAME.keys()):
        raise InputError(f"--claim {unknown[0]}: no such claim; there are {', '.join(CLAIMS_BY_NAME)}.")
    directory, seconds = SweepDir(sweep_folder(sweep_dir)), parse_duration("--within", within)
    state = read_state(directory)
    state.required_plan()  # says that no sweep lies there
    grid = state.required_grid().model_copy(update={"name": directory.name})  # it may have been moved
    _say(grid, "starting")

    def confirm(ways: Sequence[WayOut], first: WayOut) -> bool:
        print_ways(ways, first, seconds, stderr())
        points = counted(first.extension.points, "point") if first.extension else ""
        return yes or typer.confirm(f"Begin with {first.claim} ({points or 'no point'})?", err=True)

    run = make_sweep_runner(directory.root.parent, backend, address, tracking_uri)
    settlement = settle(grid, claim or (), seconds, run, confirm)
    show(SettlementView(settlement, directory), as_json=json_)
    sys.exit(STATUS_FAILED if settlement.stopped and not settlement.declined else STATUS_DONE)


def _say(grid: Grid, what: str, *, quiet: bool = False) -> None:
    """Print a line before PyTorch is imported, which takes seconds."""
    stderr(quiet=quiet).print(f"[bold]{grid.name}[/]: {what}", highlight=False, soft_wrap=True)


def _submit(
    grid: GridFile,
    out: Annotated[
        str, typer.Option(help="Folder that all machines of the cluster share, or an address in an object store.")
    ],
    address: Annotated[str, typer.Option(help="The cluster's dashboard.")] = "http://127.0.0.1:8265",
    name: Annotated[str | None, typer.Option(help="Name of the sweep.  [default: the grid's]")] = None,
    python: Annotated[
        str, typer.Option(help="The cluster's interpreter that has sweeper: a path there, or a name on its PATH.")
    ] = "python",
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

    lasting_path(out)

    def on_accepted(job: str) -> None:
        note = f"{job} is accepted; waiting until it trains (Ctrl-C leaves it to itself)"
        stderr().print(note, soft_wrap=True, highlight=False)

    try:
        with grid_of(grid, settings, name) as chosen:
            job = submit_grid(chosen, out, address, tracking_uri, on_accepted, python=python)
    except JobFailedError as error:
        stderr().print(Text(str(error)), soft_wrap=True)
        sys.exit(STATUS_BAD_INPUT)
    console = stdout()
    sweep, dashboard = quoted(f"{out.rstrip('/')}/{chosen.name}"), quoted(mask_secrets(address))
    for what, command in (
        ("follow", f"sweeper watch {sweep}"),
        ("output", f"ray job logs --follow --address {dashboard} {quoted(job)}"),
        ("stop", f"ray job stop --address {dashboard} {quoted(job)}"),
    ):
        console.print(labeled(f"{what:8}", "bold", f" {command}"), soft_wrap=True)


def _predict(
    grid: GridFile,
    budget: Annotated[list[float], typer.Option(help="Budget T of the run to come, in epochs. Repeatable.")],
    runs: Annotated[
        float,
        typer.Option(
            min=1.0, max=5.0, help="Cost of the probe and the run to come, over that of one run; 1 means --dry."
        ),
    ] = 1.5,
    dry: Annotated[
        bool, typer.Option("--dry", help="Train no probe; guess from the decay time that is typical.")
    ] = False,
    verify_: Annotated[
        bool, typer.Option("--verify", help="Then train at λ_pred, a third of it, three times it, and λ = 0.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the sweeps that are made.  [default: the grid's]")] = None,
    out: Out = "runs",
    backend: BackendName = "ray",
    address: Address = None,
    tracking_uri: Tracking = None,
    settings: Settings = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Predict the best λ for a budget from a few short runs. The grid's own axis lam and budget do not matter.

    Example: [cyan]sweeper predict grids/digits.yaml --budget 1000 --set axes.eta=[1][/]
    """
    with grid_of(grid, settings, name) as chosen:
        if wrong := [b for b in budget if not 0 < b <= MAX_EPOCHS]:
            raise InputError(f"--budget {wrong[0]:g}: a budget is a number of epochs > 0 and <= {MAX_EPOCHS:,.0f}.")
        _say(chosen, "starting", quiet=quiet)
        from sweeper.cli.views.forecast import ForecastView
        from sweeper.predict.predict import guess

        if dry or runs == 1:
            return show(ForecastView(guess(chosen, budget)), as_json=json_)
        sweeps = lasting_path(out)
        run = make_sweep_runner(sweeps, backend, address, tracking_uri, quiet=quiet)
        forecast = _forecast(chosen, budget, runs, sweeps, run, verify=verify_)
        _track_forecast(forecast.sweep, tracking_of(tracking_uri, sweeps))
    return show(ForecastView(forecast), as_json=json_)


def _forecast(
    grid: Grid, budgets: list[float], runs: float, sweeps: AnyPath, run: SweepRunner, *, verify: bool
) -> Forecast:
    """Train the probe, and the neighbors of λ_pred if they are to be verified; exit if points could not be trained."""
    from sweeper.predict.check import verify_forecast
    from sweeper.predict.predict import predict
    from sweeper.predict.probe import PointsFailedError

    try:
        forecast = predict(grid, budgets, runs, sweeps, run)
        return verify_forecast(grid, forecast, sweeps, run) if verify else forecast
    except PointsFailedError as error:
        stderr().print(error_line(str(error)), soft_wrap=True)
        sys.exit(STATUS_FAILED)


def _track_forecast(sweep: str, uri: str | None) -> None:
    """Send the page of the forecast to MLflow, beside the report of the probe."""
    from results.store.sweep_dir import SweepDir
    from sweeper.tracking.live import LiveMirror

    with LiveMirror(SweepDir(any_path(sweep)), uri, stderr()) as mirror:
        mirror.finish(complete=True)


COMMANDS: dict[str, Callable[..., None]] = {
    "plan": _plan,
    "run": _run,
    "settle": _settle,
    "submit": _submit,
    "predict": _predict,
}
