"""What nodes of a cluster are asked. A file of its own: who answers need not import Tune for two seconds."""

from typing import TYPE_CHECKING

import ray

from search_spaces.plan import Pack
from search_spaces.sections.grid import Grid
from sweeper.backends.capacity import local_gpu_bytes

if TYPE_CHECKING:
    from sweeper.backends.pace import Pace


@ray.remote(num_cpus=0, max_retries=0)  # type: ignore[untyped-decorator]
def gpu_memory(gpus: bool) -> list[int]:
    """The memory of the node's GPUs, in bytes, if ``gpus`` are asked for; an answer shows that sweeper is there.

    A task that asks for no GPU sees them all.
    """
    return local_gpu_bytes() if gpus else []


@ray.remote(max_retries=0)  # type: ignore[untyped-decorator]
def measure_pace_remotely(grid: Grid, pack: Pack) -> "Pace | None":
    """See ``measure_pace``."""
    from sweeper.backends.pace import measure_pace  # noqa: PLC0415 - whoever only looks needs no torch

    return measure_pace(grid, pack)
