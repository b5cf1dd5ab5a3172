"""The plan of a run: which packs are trained, in which order, on how many workers."""

from collections.abc import Mapping, Sequence

from results.store.attempts import claim_all, packs_begun
from results.store.files import make_folder, write_text
from results.store.plan_file import write_plan
from results.store.state import SweepState
from search_spaces.cost import Profile
from search_spaces.plan import Pack, Plan, make_plan
from search_spaces.points import Point
from search_spaces.reading.dump import to_yaml
from search_spaces.recipe import Variant
from search_spaces.sections.grid import Grid
from sweeper.backends.capacity import Capacity
from sweeper.driver.pack_sizes import limit_packs, size_packs
from sweeper.driver.spec import RunSpec
from sweeper.worker.memory_limits import read_point_limits

NOTHING_TO_TRAIN = Plan(packs=(), chunks=(), workers=0, work=0.0, makespan=0.0, bound=0.0)


def continued_plan(spec: RunSpec, state: SweepState, capacity: Capacity) -> Plan:
    """Plan what is missing: packs that have begun stay as they are, and so do all where nothing has changed.

    Args:
        spec: the run.
        state: what the sweep holds, once it is repaired.
        capacity: what there is to train on.
    """
    missing = state.missing(spec.points)
    limits = read_point_limits(state.directory, spec.profiles)
    profiles = limit_packs(size_packs(spec.profiles, capacity.pack_bytes), limits)
    kept = _kept_packs(spec, state, {point.id for point in missing}, capacity.workers)
    return plan_for(spec.grid, missing, profiles, capacity.workers, kept)


def _kept_packs(spec: RunSpec, state: SweepState, missing: set[str], workers: int) -> list[Pack]:
    """Packs of the plan before that this run goes on with."""
    earlier, begun = state.plan, packs_begun(state.directory)
    if earlier is None:
        return []
    same = (earlier.workers, earlier.resources) == (workers, spec.grid.resources)
    kept = []
    for pack in earlier.packs:
        left = sum(point.id in missing for point in pack.points)
        elsewhere = any(state.ends[p.id].pack != pack.id for p in pack.points if p.id in state.ends)
        if left and not elsewhere and (pack.id in begun or (same and left == len(pack.points))):
            kept.append(pack)
    return kept


def plan_for(
    grid: Grid,
    points: Sequence[Point],
    profiles: Mapping[Variant, Profile],
    workers: int,
    continued: Sequence[Pack] = (),
) -> Plan:
    """Plan a run on a number of workers.

    Args:
        grid: the grid.
        points: the points to train.
        profiles: sizes and cost of each variant, with the packs that fit into memory.
        workers: packs that run at the same time.
        continued: packs that stay as they are.
    """
    size = grid.resources.pack
    return make_plan(
        points,
        profiles,
        grid.measure,
        workers=workers,
        device="gpu" if grid.device == "cuda" else "cpu",
        pack=None if size == "auto" else size,
        continued=continued,
    )


def store_plan(spec: RunSpec, state: SweepState, plan: Plan) -> None:
    """Write ``grid.yaml`` and ``plan.json``.

    Packs that are planned no more are claimed, so that a worker of an earlier run which begins one of them only now
    sees that it is overtaken.

    Args:
        spec: the run.
        state: what the sweep holds.
        plan: the packs of this run.
    """
    directory, earlier = state.directory, state.plan
    write_text(directory.grid, to_yaml(spec.grid))
    begun = packs_begun(directory)
    profile = next(iter(spec.profiles.values()))  # all variants train on the same samples
    samples = (profile.train, profile.test)
    written = write_plan(directory, spec.grid, spec.points, plan, earlier=earlier, begun=begun, samples=samples)
    make_folder(directory.rows)
    claim_all(directory, {p.id for p in (earlier.packs if earlier else ())} - {p.id for p in written.packs})
