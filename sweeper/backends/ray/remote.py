"""Ray tasks that run on nodes of a cluster: GPU memory and pace.

They have a file of their own, so that a node that answers need not import Tune for two seconds.
"""

from typing import TYPE_CHECKING

import ray

from search_spaces.plan import Pack
from search_spaces.sections.grid import Grid
from sweeper.backends.capacity import local_gpu_bytes

if TYPE_CHECKING:
    from sweeper.backends.pace import Pace


@ray.remote(num_cpus=0, max_retries=0)  # type: ignore[untyped-decorator]
def gpu_memory(on_gpus: bool) -> list[int]:
    """Return the bytes of memory of each GPU of the node; empty unless packs train on GPUs.

    Any answer shows that sweeper is installed there. A task that asks for no GPU sees them all.
    """
    return local_gpu_bytes() if on_gpus else []


@ray.remote(max_retries=0)  # type: ignore[untyped-decorator]
def measure_pace_remotely(grid: Grid, pack: Pack) -> "Pace | None":
    """Measure the pace of a pack on a node, as ``measure_pace`` does."""
    from sweeper.backends.pace import measure_pace  # noqa: PLC0415 - a node that is asked for its memory needs no torch

    return measure_pace(grid, pack)
