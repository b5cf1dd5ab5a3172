"""The plan of a run: what is missing, in which packs."""

from collections.abc import Mapping, Sequence

from results.store.attempts import claim_all, packs_begun
from results.store.files import make_folder, write_text
from results.store.ledger import read_ends
from results.store.plan_file import earlier_plan, write_plan
from results.store.sweep_dir import SweepDir
from search_spaces.cost import Profile
from search_spaces.plan import Pack, Plan, make_plan
from search_spaces.points import Point
from search_spaces.reading.dump import to_yaml
from search_spaces.recipe import Variant
from search_spaces.sections.grid import Grid
from sweeper.backends.capacity import Capacity
from sweeper.worker.memory_limits import limited, sized


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
