"""The estimate of a run: its plan, its cost and its time, without running it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.store.state import SweepState, read_state
from results.store.sweep_dir import SweepDir
from search_spaces.cost import Profile
from search_spaces.errors import InputError
from search_spaces.plan import Pack, Plan
from search_spaces.points import Point, make_points
from search_spaces.recipe import Variant
from search_spaces.sections.grid import Grid
from sweeper.backends.capacity import Capacity, local_capacity
from sweeper.backends.pace import Pace, expected_seconds, measure_pace
from sweeper.driver.conflicts import refuse_conflicts
from sweeper.driver.pack_sizes import size_packs
from sweeper.driver.planning import plan_for
from trainables.data.torchvision_sets import DataNotFoundError
from trainables.profile import profiles_of

if TYPE_CHECKING:
    from sweeper.backends.ray.backend import RayBackend


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a sweep that exists holds of the grid.

    Attributes:
        done: points that have ended.
        left: points that are left to train.
        seconds: expected time of their training; None without a pace.
        conflict: why the sweep cannot go on with this grid; empty if it can.
    """

    done: int
    left: int
    seconds: float | None
    conflict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A plan with what it costs.

    Attributes:
        grid: the grid.
        plan: its points, packs and chunks.
        profiles: sizes and cost of each variant of the trainable.
        capacity: what there is to train on.
        costliest: the pack of most FLOP, which was tried out.
        pace: seconds of a step and a measurement of that pack; None if it was not tried out.
        seconds: expected time of the training; None without a pace.
        missing_data: why the sizes of the data are those published; empty if the data are there.
        untried: why the pack could not be tried out on a cluster; empty if it was.
        progress: what the sweep holds already; None where there is none.
    """

    grid: Grid
    plan: Plan
    profiles: Mapping[Variant, Profile]
    capacity: Capacity
    costliest: Pack
    pace: Pace | None
    seconds: float | None
    missing_data: str
    untried: str
    progress: Progress | None


def estimate_run(grid: Grid, directory: SweepDir | None = None, cluster: "RayBackend | None" = None) -> Estimate:
    """Plan a grid for this machine or for a cluster, and train its costliest pack for a second there.

    Args:
        grid: the grid.
        directory: the folder of the sweep, which need not exist; None if it is of no matter.
        cluster: where it would run; this machine if None.

    Raises:
        InputError: the grid cannot be planned.
    """
    points, missing_data = make_points(grid), ""
    try:
        profiles = profiles_of(grid, points)
    except DataNotFoundError as error:
        profiles, missing_data = profiles_of(grid, points, only_plan=True), str(error)
    capacity = cluster.request_capacity(grid.resources)() if cluster else local_capacity(grid.resources)
    profiles_by_size = size_packs(profiles, capacity.pack_bytes)
    plan = plan_for(grid, points, profiles_by_size, capacity.workers)
    costliest = max(plan.packs, key=lambda pack: pack.cost.flops)
    pace, untried = None, ""
    if cluster:
        try:
            pace = cluster.pace(grid, costliest)
        except InputError as error:  # a plan is worth having without
            untried = str(error)
    elif not missing_data:
        pace = measure_pace(grid, costliest)
    progress = None
    if directory is not None and (state := read_state(directory)).plan is not None:
        left = state.missing(points)
        rest = plan_for(grid, left, profiles_by_size, capacity.workers) if left else None
        progress = Progress(
            done=len(points) - len(left),
            left=len(left),
            seconds=_seconds(grid, rest, costliest, pace) if rest else 0.0,
            conflict=_conflict(grid, points, state),
        )
    return Estimate(
        grid=grid,
        plan=plan,
        profiles=profiles,
        capacity=capacity,
        costliest=costliest,
        pace=pace,
        seconds=_seconds(grid, plan, costliest, pace),
        missing_data=missing_data,
        untried=untried,
        progress=progress,
    )


def _seconds(grid: Grid, plan: Plan, costliest: Pack, pace: Pace | None) -> float | None:
    return expected_seconds(plan, costliest, pace) / grid.resources.processes_per_pack if pace else None


def _conflict(grid: Grid, points: Sequence[Point], state: SweepState) -> str:
    try:
        refuse_conflicts(grid, points, state)
    except InputError as error:
        return str(error)
    return ""
