"""The spine: a grid from YAML to verdicts, one call an arrow."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from importlib import import_module
from threading import Timer

from rich.console import Console

from results.analysis.regime import regime_of
from results.conclude import ANALYSIS, SweepResult, conclude
from results.store.ledger import given_up
from results.store.parts import valid_parts_by_pack
from results.store.paths import AnyPath
from results.store.sweep_dir import SweepDir
from search_spaces.cost import Profile
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.points import Point, make_points
from search_spaces.recipe import Variant
from search_spaces.sections.grid import Grid
from sweeper.backends import Backend
from sweeper.backends.capacity import Capacity
from sweeper.driver.conflicts import refuse_conflicts
from sweeper.driver.display import Display
from sweeper.driver.planning import continued_plan, missing_points, prepare
from sweeper.driver.stopping import stop_on_signals
from sweeper.health.recovery import drop_stale_packs, prepare_for_run, remove_leftovers
from sweeper.lock.lock import locked
from sweeper.tracking.live import LiveMirror
from trainables.profile import profiles_of

ONE_PROCESS = (
    "resources.processes_per_pack: the backend inprocess has one process, which takes all micro-batches of a step one "
    "after the other; the numbers are the same up to rounding."
)
IMPORT_SECONDS = 10.0  # after which the workers of this machine have started, and no longer want its cores for that


def run_sweep(
    grid: Grid, out: AnyPath, open_backend: Callable[[], Backend], tracking_uri: str | None, console: Console
) -> SweepResult:
    """Run a grid, or what is missing of it.

    Args:
        grid: what to run.
        out: folder of sweeps; this one is ``out/NAME``.
        open_backend: called when there is something to train.
        tracking_uri: of MLflow; None for no tracking.
        console: for progress.

    Raises:
        InputError: before anything is written, if the grid contradicts the sweep or asks for what is not there.
        KeyboardInterrupt: interrupted; the same call continues.
    """
    directory = SweepDir(out / grid.name)
    points = make_points(grid)
    refuse_conflicts(directory, grid, points)
    profiles = profiles_of(grid, points)
    with locked(directory, console), LiveMirror(directory, tracking_uri, console) as mirror:
        if not _train_missing(directory, grid, points, profiles, open_backend, console):
            console.print(f"[bold]{grid.name}[/]: nothing to train, all {len(points):,} points have ended")
            prepare(directory, grid, points, Plan(packs=(), chunks=(), workers=0, work=0.0, makespan=0.0, bound=0.0))
        account = conclude(directory)
        mirror.finish(complete=account.missing == 0 and not given_up(directory))
    return account


def _train_missing(
    directory: SweepDir,
    grid: Grid,
    points: Sequence[Point],
    profiles: Mapping[Variant, Profile],
    open_backend: Callable[[], Backend],
    console: Console,
) -> bool:
    """Put the sweep in order and train what is missing; False if nothing is.

    Other machines may take seconds to say what they have: where it is sure that they are needed, they are asked first.
    """
    with ExitStack() as stack:
        early = stack.enter_context(_opened(open_backend, grid)) if _surely_missing(directory, points) else None
        prepare_for_run(directory, grid, points, console)
        missing = missing_points(directory, points)
        if not missing:
            return False
        backend, answer = early or stack.enter_context(_opened(open_backend, grid))
        if grid.resources.processes_per_pack > 1 and backend.name == "inprocess":
            console.print(ONE_PROCESS, soft_wrap=True, highlight=False)
        plan = continued_plan(directory, grid, missing, profiles, answer())
        prepare(directory, grid, points, plan)
        _import_later(ANALYSIS)
        under_way = len(valid_parts_by_pack(directory).keys() & {pack.id for pack in plan.packs})
        law = regime_of(grid).constant_share({}) == 1
        done = len(points) - len(missing)
        with (
            stop_on_signals(directory, console),  # first: who sees the display may interrupt at once
            Display(console, grid.name, plan, len(missing), done, under_way=under_way, law=law) as display,
        ):
            backend.run(directory, plan, grid, display.notify)
    remove_leftovers(directory)
    drop_stale_packs(directory)
    return True


def _surely_missing(directory: SweepDir, points: Sequence[Point]) -> bool:
    """Whether there is something to train, as far as the ledger says before the sweep is put in order."""
    try:
        return bool(missing_points(directory, points))
    except InputError:  # of a damaged part, say: whatever it is, it is said when the sweep is put in order
        return False


@contextmanager
def _opened(open_backend: Callable[[], Backend], grid: Grid) -> Iterator[tuple[Backend, Callable[[], Capacity]]]:
    """A backend, and the answer to what it has for packs of ``grid``."""
    with closing(open_backend()) as backend:
        yield backend, backend.request_capacity(grid.resources)


def _import_later(module: str) -> None:
    """Import what is needed in the end, while workers train."""
    timer = Timer(IMPORT_SECONDS, import_module, (module,))
    timer.daemon = True
    timer.start()
