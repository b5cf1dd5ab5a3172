"""Capacity of a machine or a cluster: packs that run at the same time, and the GPU memory of each."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from search_spaces.sections.grid import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Resources for the packs of a run.

    Attributes:
        workers: number of packs that run at the same time.
        pack_bytes: bytes of GPU memory of a pack, on the smallest GPU that it may get. None on CPUs, and where no GPU
            could be seen.
    """

    workers: int
    pack_bytes: float | None = None


def at_most(capacity: Capacity, workers: int | None) -> Capacity:
    """Return a capacity of at most so many workers; as it is if None."""
    return capacity if workers is None else replace(capacity, workers=min(capacity.workers, workers))


def available_cpus() -> int:
    """Return the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count_processes(cpus: float, gpus: float, resources: Resources) -> int:
    """Return how many processes of packs a machine can hold.

    Args:
        cpus: CPUs of the machine.
        gpus: GPUs of the machine.
        resources: what a pack asks for.
    """
    counts = [int(cpus * resources.processes_per_pack / resources.cpus_per_pack)]
    if share := resources.gpus_per_pack / resources.processes_per_pack:
        counts.append(int(gpus * (int(1 / share) if share < 1 else 1 / share)))
    return min(counts)


def gpu_bytes_per_pack(gpus: Sequence[int], resources: Resources) -> float | None:
    """Return a pack's share of the smallest GPU, in bytes; None if there is no GPU, or packs ask for none.

    Ray counts shares of GPUs and does not enforce them.

    Args:
        gpus: bytes of memory of each GPU.
        resources: what a pack asks for.
    """
    return min(gpus) * min(1.0, resources.gpus_per_pack) if gpus and resources.gpus_per_pack else None


def local_gpu_bytes() -> list[int]:
    """Return the bytes of memory of each GPU that torch finds in this process."""
    import torch  # noqa: PLC0415 - commands that train nothing do not import it

    return [torch.cuda.get_device_properties(k).total_memory for k in range(torch.cuda.device_count())]


def local_capacity(resources: Resources) -> Capacity:
    """Return the capacity of this machine; where packs ask for GPUs and it has none, as if it had enough."""
    cpus, gpus = available_cpus(), local_gpu_bytes() if resources.gpus_per_pack else []
    count = count_processes(cpus, len(gpus) or cpus * resources.gpus_per_pack, resources)
    return Capacity(
        workers=max(1, count // resources.processes_per_pack),
        pack_bytes=gpu_bytes_per_pack(gpus, resources),
    )
