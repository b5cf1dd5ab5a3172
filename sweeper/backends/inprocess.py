"""The in-process backend: packs one after the other, for a debugger and for machines without Ray."""

import math
from collections.abc import Callable

from results.store.ledger import give_up
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.sections.grid import Grid, Resources
from sweeper.backends.capacity import Capacity, gpu_bytes_per_pack, local_gpu_bytes
from sweeper.worker.messages import Notify, stop_requested
from sweeper.worker.run_pack import run_pack
from sweeper.worker.storage_retry import StorageRefusedError
from trainables.gpu_fault import GpuFaultError


class InProcessBackend:
    """Backend that trains all packs in this process, which is its only worker.

    There are no retries: a pack that kills its worker kills this process.
    """

    name = "inprocess"
    grace_seconds = math.inf  # this process goes on until its worker has committed

    def request_capacity(self, resources: Resources) -> Callable[[], Capacity]:
        """Return the capacity of one worker, this process.

        Raises:
            InputError: a pack asks for labels, or for a GPU where torch finds none.
        """
        if resources.labels:
            raise InputError(
                "resources.labels: the backend inprocess has this machine alone, which has no labels; leave them "
                "out, or use --backend ray on a cluster."
            )
        gpus = local_gpu_bytes()[:1] if resources.gpus_per_pack else []  # this process trains on the first GPU
        if resources.gpus_per_pack and not gpus:
            raise InputError(
                f"resources.gpus_per_pack: {resources.gpus_per_pack:g} is asked for, but torch finds no GPU here; "
                "set it to 0 to train on the CPU."
            )
        return lambda: Capacity(workers=1, pack_bytes=gpu_bytes_per_pack(gpus, resources))

    def run(self, directory: SweepDir, plan: Plan, grid: Grid, notify: Notify) -> None:
        """Train all packs of ``plan`` in its order. A pack that storage refuses is given up: it has waited long.

        Args:
            directory: the sweep directory.
            plan: the packs to train.
            grid: the grid of the sweep.
            notify: receives the reports of the packs.

        Raises:
            InputError: the GPU of this process failed.
        """
        threads = max(1, int(grid.resources.cpus_per_pack))
        for pack in plan.packs:
            if stop_requested(directory):
                return
            directory.confirm()  # else it would take the pack from the run that took over
            try:
                run_pack(str(directory.root), pack.id, notify, threads, recovery=grid.recovery)
            except StorageRefusedError as error:
                give_up(directory, pack.id, str(error))
            except GpuFaultError as error:
                raise InputError(
                    f"the GPU failed while this process trained the pack {pack.id} ({error}), and the process can use "
                    "it no more. What was committed stays: run the same command again to go on. If the GPU fails "
                    "again, nvidia-smi and the system's log (Xid) say more."
                ) from error

    def close(self) -> None:
        """Do nothing: this backend holds nothing."""
