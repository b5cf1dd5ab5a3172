"""The spine: a grid from YAML to verdicts, one call an arrow."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from importlib import import_module
from threading import Timer

from rich.console import Console

from results.analysis.regime import setup_of
from results.conclude import ANALYSIS, Account, conclude
from results.store.attempts import claim_all, packs_begun
from results.store.files import make_folder, write_text
from results.store.ledger import given_up, read_ends
from results.store.parts import parts_by_pack
from results.store.place import Place
from results.store.plan_file import PlanFile, earlier_plan, read_grid, write_plan
from results.store.sweep_dir import SweepDir
from search_spaces.changes import conflicts
from search_spaces.dump import to_yaml
from search_spaces.errors import InputError
from search_spaces.grid import Grid
from search_spaces.plan import Pack, Plan, Profile, make_plan, variants
from search_spaces.points import Point, ids_in, make_points
from search_spaces.recipe import Variant, recipe_of
from sweeper.backends import Backend
from sweeper.backends.capacity import Capacity
from sweeper.lock.lock import locked
from sweeper.progress import Display
from sweeper.recovery import drop_doubles, put_in_order, tidy
from sweeper.stopping import stop_on_signals
from sweeper.tracking.live import LiveMirror
from sweeper.worker.memory_limits import limited, sized
from trainables.profile import profile

ONE_PROCESS = (
    "resources.processes_per_pack: the backend inprocess has one process, which takes all micro-batches of a step one "
    "after the other; the numbers are the same up to rounding."
)
IMPORT_SECONDS = 10.0  # after which the workers of this machine have started, and no longer want its cores for that
RESERVED = ("mlartifacts", "mlflow.db")  # beside the sweeps


def run_sweep(
    grid: Grid, out: Place, open_backend: Callable[[], Backend], tracking_uri: str | None, console: Console
) -> Account:
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
            prepare(directory, grid, points, Plan(packs=(), turns=(), workers=0, work=0.0, makespan=0.0, bound=0.0))
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
        put_in_order(directory, grid, points, console)
        missing = missing_points(directory, points)
        if not missing:
            return False
        backend, answer = early or stack.enter_context(_opened(open_backend, grid))
        if grid.resources.processes_per_pack > 1 and backend.name == "inprocess":
            console.print(ONE_PROCESS, soft_wrap=True, highlight=False)
        plan = continued_plan(directory, grid, missing, profiles, answer())
        prepare(directory, grid, points, plan)
        _import_later(ANALYSIS)
        under_way = len(parts_by_pack(directory).keys() & {pack.id for pack in plan.packs})
        law = setup_of(grid).constant_share({}) == 1
        done = len(points) - len(missing)
        with (
            stop_on_signals(directory, console),  # first: who sees the display may interrupt at once
            Display(console, grid.name, plan, len(missing), done, under_way=under_way, law=law) as display,
        ):
            backend.run(directory, plan, grid, display.notify)
    tidy(directory)
    drop_doubles(directory)
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
        yield backend, backend.ask(grid.resources)


def _import_later(module: str) -> None:
    """Import what is needed in the end, while workers train."""
    timer = Timer(IMPORT_SECONDS, import_module, (module,))
    timer.daemon = True
    timer.start()


def refuse_conflicts(directory: SweepDir, grid: Grid, points: Sequence[Point]) -> None:
    """Refuse a grid that would alter points which the sweep holds already, and names that are taken."""
    if grid.name in RESERVED:
        raise InputError(f"name: {grid.name} is where MLflow keeps its own files; give the sweep another name.")
    earlier = earlier_plan(directory)
    if not directory.grid.is_file():
        _refuse_other_points(directory, grid, earlier)
        return
    if lines := conflicts(read_grid(directory), grid, points, earlier.points.values() if earlier else ()):
        raise InputError(
            f"{directory.root}: this sweep was made with another grid, and this one would alter its points:\n  "
            + "\n  ".join(lines)
            + f"\nGive it a name of its own (--name {grid.name}-2) or change the grid back; axes may grow and the "
            "analysis may change at any time."
        )


def _refuse_other_points(directory: SweepDir, grid: Grid, earlier: PlanFile | None) -> None:
    """Where grid.yaml is lost, the ids of the points planned say whether this grid is theirs."""
    points = list(earlier.points.values()) if earlier else []
    try:
        known = [p.id for p in points] == list(ids_in(grid, points))
    except InputError:
        known = False
    if not known:
        raise InputError(
            f"{directory.root}: the grid.yaml of this sweep is lost, and this grid is not the one that its points are "
            f"of. Run that one, or give this one a name of its own (--name {grid.name}-2)."
        )


def profiles_of(grid: Grid, points: Sequence[Point], *, only_plan: bool = False) -> dict[Variant, Profile]:
    """Cost of each variant of the grid's trainable; if ``only_plan``, of data sets that may not be there yet."""
    processes = grid.resources.processes_per_pack
    return {v: profile(recipe_of(grid, v), processes, only_plan=only_plan) for v in variants(points)}


def missing_points(directory: SweepDir, points: Sequence[Point]) -> list[Point]:
    """Points to train: those that have not ended, after ``put_in_order`` has taken out those that failed."""
    ended = read_ends(directory).keys()
    return [p for p in points if p.id not in ended]


def continued_plan(
    directory: SweepDir, grid: Grid, missing: Sequence[Point], profiles: Mapping[Variant, Profile], capacity: Capacity
) -> Plan:
    """The plan for what is missing: packs that have begun stay as they are, and all do where nothing has changed."""
    earlier, workers = earlier_plan(directory), capacity.workers
    profiles = limited(directory, sized(profiles, capacity.pack_bytes))
    if earlier is None:
        return plan_for(grid, missing, profiles, workers)
    ids, begun, ends = {p.id for p in missing}, packs_begun(directory), read_ends(directory)
    same = (earlier.workers, earlier.resources) == (workers, grid.resources)
    kept = []
    for pack in earlier.packs:
        left = sum(p.id in ids for p in pack.points)
        if any(p.id in ends and ends[p.id].pack != pack.id for p in pack.points):
            continue
        if left and (pack.id in begun or (same and left == len(pack.points))):
            kept.append(pack)
    return plan_for(grid, missing, profiles, workers, kept)


def plan_for(
    grid: Grid,
    points: Sequence[Point],
    profiles: Mapping[Variant, Profile],
    workers: int,
    continued: Sequence[Pack] = (),
) -> Plan:
    """The plan of a run on so many workers."""
    size = grid.resources.pack
    return make_plan(
        points,
        profiles,
        grid.measure,
        workers=workers,
        device="gpu" if grid.resources.gpus_per_pack > 0 else "cpu",
        pack=None if size == "auto" else size,
        continued=continued,
    )


def prepare(directory: SweepDir, grid: Grid, points: Sequence[Point], plan: Plan) -> None:
    """Write grid and plan."""
    earlier = earlier_plan(directory)
    write_text(directory.grid, to_yaml(grid))
    written = write_plan(directory, points, plan, grid.device, grid.resources)
    make_folder(directory.rows)
    gone = {p.id for p in (earlier.packs if earlier else ())} - {p.id for p in written.packs}
    claim_all(directory, gone)  # a worker of an earlier run that begins one only now sees that it is overtaken
