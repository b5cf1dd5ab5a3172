"""One attempt at a pack: all that a worker reads before it trains."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import pyarrow as pa

from results.store.attempts import OvertakenError, claim
from results.store.files import version_of
from results.store.plan_file import PlanFile, read_grid, read_plan
from results.store.schema import table_schema
from results.store.sweep_dir import SweepDir
from search_spaces.plan import Pack
from search_spaces.points import default_axis_values
from search_spaces.sections.grid import Grid, Recovery
from search_spaces.sections.section import AxisValue
from sweeper.worker.checkpoints import Restart, restart_of
from sweeper.worker.memory_limits import read_point_limit
from sweeper.worker.messages import Notify
from sweeper.worker.storage_retry import retry_storage

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at a pack, as a worker begins it.

    Attributes:
        directory: the sweep.
        grid: the grid of the latest run.
        pack: the pack to train.
        number: the number that this attempt claimed. No other attempt at the pack has it.
        restart: the parts that this attempt builds on, and the state after them.
        points_at_a_time: maximum number of points that train together; None for all.
        schema: columns of the table of rows, the same for all packs of the plan.
        other_axes: values of the axes that the points of this grid do not have.
        device: torch device that trains the pack.
        workers: number of workers of the plan.
        notify: sends a report to the driver.
    """

    directory: SweepDir
    grid: Grid
    pack: Pack
    number: int
    restart: Restart
    points_at_a_time: int | None
    schema: pa.Schema
    other_axes: Mapping[str, AxisValue]
    device: str
    workers: int
    notify: Notify

    def retry(self, action: Callable[[], _Result]) -> _Result:
        """Read or write the sweep, and retry as long as the grid allows while storage refuses."""
        return retry_storage(action, self.directory, self.pack.id, self.grid.recovery, self.notify)


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedPlan:
    """The plan of a sweep, and what all its packs share.

    Attributes:
        grid: the grid of the latest run.
        file: the content of ``plan.json``.
        packs: packs by id.
        schema: columns of the table of rows.
        other_axes: values of the axes that the points of this grid do not have.
    """

    grid: Grid
    file: PlanFile
    packs: Mapping[str, Pack]
    schema: pa.Schema
    other_axes: Mapping[str, AxisValue]


@lru_cache(maxsize=4)
def cached_plan(directory: SweepDir, _version: Hashable) -> CachedPlan:
    """Return the plan and what follows from it, read once for all packs that a worker process trains.

    Reading takes 0.2 s for 10,000 points. The cache is keyed by the version of ``plan.json``.
    """
    file = read_plan(directory)
    grid, points = read_grid(directory), file.points.values()
    return CachedPlan(
        grid=grid,
        file=file,
        packs={pack.id: pack for pack in file.packs},
        schema=table_schema(points),
        other_axes=default_axis_values(grid, points),
    )


def begin_attempt(directory: SweepDir, pack_id: str, notify: Notify, recovery: Recovery) -> Attempt:
    """Claim a number for an attempt at a pack and read what training needs.

    Args:
        directory: the sweep.
        pack_id: id of the pack.
        notify: sends a report to the driver.
        recovery: the grid's limits, as the driver knows them; the plan may be out of reach.

    Raises:
        OvertakenError: the latest plan does not contain the pack.
        StorageRefusedError: storage refused longer than the grid allows, or the run is to stop while it refuses.
    """

    def retry(action: Callable[[], _Result], recovery: Recovery) -> _Result:
        return retry_storage(action, directory, pack_id, recovery, notify)

    def current_plan() -> CachedPlan:
        return cached_plan(directory, version_of(directory.plan))

    # The number first: a run that plans anew claims one for every pack that it drops, so this attempt will notice.
    number = retry(lambda: claim(directory, pack_id, new=pack_id not in current_plan().file.begun), recovery)
    plan = retry(current_plan, recovery)
    if pack_id not in plan.packs:
        raise OvertakenError(f"pack {pack_id}: no longer planned")
    pack = plan.packs[pack_id]
    restart = Restart()  # nothing precedes attempt 0
    if number > 0:
        restart = retry(lambda: restart_of(directory, pack_id), plan.grid.recovery)
    return Attempt(
        directory=directory,
        grid=plan.grid,
        pack=pack,
        number=number,
        restart=restart,
        points_at_a_time=retry(lambda: _points_at_a_time(directory, pack, restart), plan.grid.recovery),
        schema=plan.schema,
        other_axes=plan.other_axes,
        device=plan.file.device,
        workers=plan.file.workers,
        notify=notify,
    )


def _points_at_a_time(directory: SweepDir, pack: Pack, restart: Restart) -> int | None:
    """Return the limit in the checkpoint; without a training to resume, the limit that other workers found."""
    if restart.checkpoint.together is not None or restart.checkpoint.training is not None:
        return restart.checkpoint.together
    limit = read_point_limit(directory, pack.points[0].variant)
    return limit if limit is not None and limit < len(pack.points) else None
