"""The spine: a grid from YAML to verdicts, one call an arrow."""

from collections.abc import Callable
from contextlib import suppress

from rich.console import Console

from results.conclude import SweepResult, conclude, store_points
from results.store.generation import ResultWriter
from results.store.paths import AnyPath
from results.store.state import SweepState, read_state
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from search_spaces.points import make_points
from search_spaces.sections.grid import Grid
from sweeper.backends import Backend
from sweeper.driver.analysis_import import preload_analysis
from sweeper.driver.conflicts import refuse_conflicts
from sweeper.driver.display import display_of
from sweeper.driver.lazy_backend import LazyBackend
from sweeper.driver.planning import NOTHING_TO_TRAIN, continued_plan, store_plan
from sweeper.driver.spec import RunSpec
from sweeper.driver.stopping import stop_on_signals
from sweeper.health.recovery import clean_up, prepare_for_run
from sweeper.lock.lock import locked
from sweeper.signals import LeaveAtOnce
from sweeper.tracking.live import LiveMirror
from trainables.profile import profiles_of


def run_sweep(
    grid: Grid,
    out: AnyPath,
    open_backend: Callable[[], Backend],
    tracking_uri: str | None,
    console: Console,
    *,
    report: bool = True,
) -> SweepResult:
    """Run a grid, or what is missing of it.

    Args:
        grid: the grid to run.
        out: folder of sweeps; this one is ``out/NAME``.
        open_backend: called when there is something to train.
        tracking_uri: address of MLflow; None for no tracking.
        console: for progress.
        report: whether to draw figures and report at the end.

    Raises:
        InputError: the grid contradicts the sweep or asks for what is not there, in which case nothing is written; or
            a file of the sweep, or the backend, keeps the run from going on.
        KeyboardInterrupt: the run was interrupted; the same call continues it.
    """
    directory = SweepDir(out / grid.name)
    points = make_points(grid)
    before = read_state(directory)
    refuse_conflicts(grid, points, before)
    spec = RunSpec(grid=grid, points=points, profiles=profiles_of(grid, points))
    with locked(directory, console) as held, LiveMirror(held, tracking_uri, console) as mirror:
        before = read_state(held, before)
        refuse_conflicts(grid, points, before)  # again: another run may have changed the sweep until it was locked
        try:
            trained = _train_missing(spec, before, open_backend, console)
        except KeyboardInterrupt as interrupt:
            if not isinstance(interrupt, LeaveAtOnce):
                _store_ended_points(before)
            raise
        result = conclude(trained, report=report)
        mirror.finish(complete=result.complete)
    return result


def _train_missing(
    spec: RunSpec, before: SweepState, open_backend: Callable[[], Backend], console: Console
) -> SweepState:
    """Repair the sweep and train what it lacks; the state afterwards."""
    with LazyBackend(open_backend, spec.grid, console) as backend:
        if before.missing(spec.points) and not before.problems_of_ledger:
            backend.open()  # it is sure to be needed, and may take seconds to answer
        repaired = prepare_for_run(before, spec.grid, spec.points, console)
        if not repaired.missing(spec.points):
            ended = "its point has" if len(spec.points) == 1 else f"all {len(spec.points):,} points have"
            console.print(f"[bold]{spec.grid.name}[/]: nothing to train, {ended} ended")
            store_plan(spec, repaired, NOTHING_TO_TRAIN)
            return clean_up(repaired)
        plan = continued_plan(spec, repaired, backend.capacity())
        store_plan(spec, repaired, plan)
        preload_analysis()
        opened, display = backend.open(), display_of(spec, repaired, plan, console)
        # Signals first: whoever sees the display may interrupt at once.
        with stop_on_signals(before.directory, console, lambda: display.waiting(opened.grace_seconds)), display:
            opened.run(before.directory, plan, spec.grid, display.notify)
    return clean_up(repaired)


def _store_ended_points(before: SweepState) -> None:
    """Write the table of the points that have ended, since an interrupted run analyzes nothing."""
    with suppress(InputError, OSError):
        state = read_state(before.directory, before)
        store_points(state, ResultWriter(state.directory, state.generation))
