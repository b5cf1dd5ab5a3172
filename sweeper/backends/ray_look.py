"""What a node of a cluster is asked. A file of its own: who answers need not import Tune for two seconds."""

import sweeper.backends.ray_environment  # noqa: F401 - before anything of Ray

# isort: split
import ray

from sweeper.capacity import gpus_here


@ray.remote(num_cpus=0, max_retries=0)  # type: ignore[untyped-decorator]
def look(gpus: bool) -> list[int]:
    """The memory of the node's GPUs, in bytes, if ``gpus`` are asked for; an answer shows that sweeper is there.

    A task that asks for no GPU sees them all.
    """
    return gpus_here() if gpus else []
