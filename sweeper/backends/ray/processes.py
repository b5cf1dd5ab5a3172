"""Packs that several processes train together: Ray Train within the Ray trial.

The Ray trial itself only waits and forwards what the leader of the processes reports. Ray Train starts the processes on
one node or several and notices when one of them dies. The trial then fails with all of them, and Tune tries it again
like any other.
"""

import math
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from tempfile import TemporaryDirectory
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig, get_context
from ray.train.backend import Backend
from ray.train.collective import broadcast_from_rank_zero
from ray.train.torch import TorchConfig, TorchTrainer
from ray.util.queue import Empty, Queue

from results.store.paths import any_path
from results.store.sweep_dir import SweepDir
from search_spaces.errors import describe_error
from search_spaces.sections.grid import Recovery, Resources
from sweeper.worker.messages import Notify, PackReport, stop_requested
from sweeper.worker.run_pack import assist_pack, run_pack
from sweeper.worker.storage_retry import StorageRefusedError
from trainables.pack.group import GroupLostError, TorchGroup, connect

SendResult = Callable[[dict[str, Any]], None]

CPU_UNITS = 10_000  # that Ray divides a CPU into; a share is rounded down, since shares rounded up would not fit
START_SECONDS = 60.0  # that processes take at most on a busy machine, if there is room for them
POLL_SECONDS = 1.0  # to wait for a report before checking whether the processes have left


def train_together(
    root: str, pack: str, resources: Resources, recovery: Recovery, notify: Notify, send: SendResult
) -> None:
    """Train a pack by ``processes_per_pack`` processes, and return when they have left.

    Args:
        root: the sweep directory.
        pack: id of the pack.
        resources: what the processes share.
        recovery: the grid's limits.
        notify: is called about once a second until the processes have started.
        send: is called with the messages of the processes.

    Raises:
        RuntimeError: one of the processes died.
    """
    messages = Queue(actor_options={"num_cpus": 0})
    settings = {"root": root, "pack": pack, "messages": messages, "recovery": recovery}
    with TemporaryDirectory(prefix="sweeper-") as state:  # Ray Train wants a folder; nothing is kept in it
        trainer = _TrainerThread(_make_trainer(settings, resources, state))
        trainer.start()
        if not _wait_for_start(messages, trainer, SweepDir(any_path(root)), pack, notify):
            return
        while trainer.is_alive() or not messages.empty():
            with suppress(Empty):
                send(messages.get(timeout=POLL_SECONDS))
    messages.shutdown()
    if trainer.error:
        raise RuntimeError(_cause_of(trainer.error)) from trainer.error


def _make_trainer(settings: dict[str, Any], resources: Resources, state: str) -> TorchTrainer:
    """Return a trainer that runs ``_run_process`` in each process of a pack.

    Args:
        settings: what the processes need besides their resources.
        resources: what the processes share.
        state: a folder for Ray Train.
    """
    on_gpus = resources.gpus_per_pack > 0
    cpus = math.floor(CPU_UNITS * resources.cpus_per_pack / resources.processes_per_pack) / CPU_UNITS
    return TorchTrainer(
        _run_process,
        train_loop_config=settings | {"threads": max(1, int(cpus)), "on_gpus": on_gpus},
        torch_config=_UnconnectedConfig(),
        scaling_config=ScalingConfig(
            num_workers=resources.processes_per_pack,
            use_gpu=on_gpus,
            resources_per_worker={"CPU": cpus, "GPU": 1} if on_gpus else {"CPU": cpus},
            label_selector=resources.labels or None,
        ),
        run_config=RunConfig(
            storage_path=state, name=secrets.token_hex(4), failure_config=FailureConfig(max_failures=0)
        ),
    )


class _UnconnectedConfig(TorchConfig):  # type: ignore[misc]
    """Torch configuration that leaves it to ``_join_group`` to connect the processes, each with its own GPU alone."""

    @property
    def backend_cls(self) -> type:
        return Backend  # type: ignore[no-any-return]


class _TrainerThread(threading.Thread):
    """Thread that runs a trainer of Ray Train and keeps the error that ended it.

    Attributes:
        error: what ``fit`` raised; None until then.
    """

    def __init__(self, trainer: TorchTrainer) -> None:
        super().__init__(name="Ray Train", daemon=True)
        self._trainer = trainer
        self.error: BaseException | None = None

    def run(self) -> None:
        """Run the trainer to its end."""
        try:
            self._trainer.fit()
        except BaseException as error:
            self.error = error


def _wait_for_start(messages: Queue, trainer: threading.Thread, directory: SweepDir, pack: str, notify: Notify) -> bool:
    """Wait until the first process has started, which packs of others may delay by hours.

    Args:
        messages: messages of the processes.
        trainer: the thread that runs them.
        directory: the sweep directory.
        pack: id of the pack.
        notify: is called about once a second.

    Returns:
        False if the run is to stop before.
    """
    began = time.monotonic()
    while messages.empty() and trainer.is_alive():
        if stop_requested(directory):
            notify(PackReport(pack=pack, left=True))
            return False
        late = time.monotonic() - began > START_SECONDS
        notify(PackReport(pack=pack, waiting="its processes cannot start yet: CPUs or GPUs are taken" if late else ""))
        time.sleep(POLL_SECONDS)
    return True


def _cause_of(error: BaseException) -> str:
    """Return in one line which process died, or raised what; the other processes only miss it."""
    for rank, failure in sorted(getattr(error, "worker_failures", {}).items()):
        lines = str(failure).strip().splitlines()
        what = lines[-1] if lines[0].startswith("Traceback") else "died"
        if GroupLostError.__name__ not in what:
            return f"process {rank} of those that train the point together: {what}"
    return describe_error(error)


def _run_process(settings: dict[str, Any]) -> None:
    """Run one of the processes; the process of rank 0 leads."""
    messages, process = settings["messages"], (ray.get_runtime_context().get_node_id(), os.getpid())

    def notify(report: PackReport) -> None:
        messages.put({"reports": (report,), "process": process})

    notify(PackReport(pack=settings["pack"]))  # so that a process that waits for the others for ever can be found
    group = _join_group(settings["on_gpus"])
    if group.rank > 0:
        assist_pack(group, settings["threads"])
        return
    try:
        recovery = settings["recovery"]
        run_pack(settings["root"], settings["pack"], notify, settings["threads"], group, recovery=recovery)
    except StorageRefusedError as error:
        messages.put({"refused": str(error), "pack": settings["pack"]})
    finally:
        group.leave()


def _join_group(on_gpus: bool) -> TorchGroup:
    """Connect this process with the others; they meet at the address that rank 0 has in the cluster."""
    context = get_context()
    rank, size = context.get_world_rank(), context.get_world_size()
    listener = socket.create_server((ray.util.get_node_ip_address(), 0)) if rank == 0 else None
    address = broadcast_from_rank_zero(listener.getsockname() if listener else None)
    return connect(rank, size, address, "cpu:gloo,cuda:nccl" if on_gpus else "gloo", listener)
