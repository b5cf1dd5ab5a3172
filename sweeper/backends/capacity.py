"""What a machine or a cluster holds: packs that run at the same time, and the memory that each has of a GPU."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from search_spaces.sections.grid import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What there is for the packs of a run.

    Attributes:
        workers: packs that run at the same time.
        pack_bytes: of the memory of a GPU that a pack has, of the smallest that it may get; None on CPUs, and where
            no GPU could be looked at.
    """

    workers: int
    pack_bytes: float | None = None


def available_cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count_processes(cpus: float, gpus: float, resources: Resources) -> int:
    """Processes of packs that a machine of so many CPUs and GPUs can hold."""
    counts = [int(cpus * resources.processes_per_pack / resources.cpus_per_pack)]
    if share := resources.gpus_per_pack / resources.processes_per_pack:
        counts.append(int(gpus * (int(1 / share) if share < 1 else 1 / share)))
    return min(counts)


def gpu_bytes_per_pack(gpus: Sequence[int], resources: Resources) -> float | None:
    """What a pack has of the smallest GPU. Ray counts shares of GPUs and does not enforce them."""
    return min(gpus) * min(1.0, resources.gpus_per_pack) if gpus and resources.gpus_per_pack else None


def local_gpu_bytes() -> list[int]:
    """The memory of each GPU that torch finds in this process, in bytes."""
    import torch  # noqa: PLC0415 - commands that train nothing do not import it

    return [torch.cuda.get_device_properties(k).total_memory for k in range(torch.cuda.device_count())]


def capacity_here(resources: Resources) -> Capacity:
    """Of this machine; where packs ask for GPUs and there are none, as if there were enough."""
    cpus, gpus = available_cpus(), local_gpu_bytes() if resources.gpus_per_pack else []
    count = count_processes(cpus, len(gpus) or cpus * resources.gpus_per_pack, resources)
    return Capacity(
        workers=max(1, count // resources.processes_per_pack),
        pack_bytes=gpu_bytes_per_pack(gpus, resources),
    )
