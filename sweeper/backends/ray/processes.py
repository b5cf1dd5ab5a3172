"""Packs that several processes train together: Ray Train within the Ray trial.

The Ray trial itself only waits and hands on what the leader of the processes reports. Ray Train starts the processes on
one node or several and notices when one of them dies; it is then the trial that failed, with all of them, and Tune
tries it again like any other.
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
from search_spaces.sections.grid import Resources
from sweeper.worker.messages import Notify, PackReport, stop_requested
from sweeper.worker.run_pack import assist_pack, run_pack
from sweeper.worker.storage_retry import StorageRefusedError
from trainables.pack.group import GroupLostError, TorchGroup, connect

Report = Callable[[dict[str, Any]], None]

RAYS_PARTS = 10_000  # of a CPU: what was rounded up would not fit
START_SECONDS = 60.0  # that processes take at most on a busy machine, if there is room for them
LISTEN_SECONDS = 1.0  # for a report, before a look at whether the processes have left


def train_together(root: str, pack: str, resources: Resources, notify: Notify, report: Report) -> None:
    """Train a pack by ``processes_per_pack`` processes, and return when they have left.

    Args:
        root: the sweep directory.
        pack: of its plan.
        resources: what the processes share.
        notify: called about once a second until they have started.
        report: called with what they report.

    Raises:
        RuntimeError: one of them died.
    """
    reports, on_gpus = Queue(actor_options={"num_cpus": 0}), resources.gpus_per_pack > 0
    cpus = math.floor(RAYS_PARTS * resources.cpus_per_pack / resources.processes_per_pack) / RAYS_PARTS
    settings = {"root": root, "pack": pack, "threads": max(1, int(cpus)), "on_gpus": on_gpus, "reports": reports}
    with TemporaryDirectory(prefix="sweeper-") as state:  # Ray Train wants a folder; nothing is kept in it
        trainer = TorchTrainer(
            _process,
            train_loop_config=settings,
            torch_config=_Unconnected(),
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
        running, errors = _started(trainer)
        if not _begun(reports, running, SweepDir(any_path(root)), pack, notify):
            return
        while running.is_alive() or not reports.empty():
            with suppress(Empty):
                report(reports.get(timeout=LISTEN_SECONDS))
    reports.shutdown()
    if errors:
        raise RuntimeError(_cause(errors[0])) from errors[0]


class _Unconnected(TorchConfig):  # type: ignore[misc]
    """Leaves it to ``_group`` to connect the processes, each of which sees its own GPU alone."""

    @property
    def backend_cls(self) -> type:
        return Backend  # type: ignore[no-any-return]


def _started(trainer: Any) -> tuple[threading.Thread, list[BaseException]]:
    """A thread that runs ``trainer``, and where its error will be."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            trainer.fit()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="Ray Train", daemon=True)
    thread.start()
    return thread, errors


def _begun(reports: Any, running: threading.Thread, directory: SweepDir, pack: str, notify: Notify) -> bool:
    """Wait until the first of the processes has begun, which others may keep from its CPUs or GPUs for hours.

    False if the run is to stop before.
    """
    began = time.monotonic()
    while reports.empty() and running.is_alive():
        if stop_requested(directory):
            notify(PackReport(pack=pack, left=True))
            return False
        long = time.monotonic() - began > START_SECONDS
        notify(PackReport(pack=pack, waiting="its processes cannot start yet: CPUs or GPUs are taken" if long else ""))
        time.sleep(LISTEN_SECONDS)
    return True


def _cause(error: BaseException) -> str:
    """What befell the processes, in a line: which of them died, or raised what; the others only miss it."""
    for rank, failure in sorted(getattr(error, "worker_failures", {}).items()):
        lines = str(failure).strip().splitlines()
        what = lines[-1] if lines[0].startswith("Traceback") else "died"
        if GroupLostError.__name__ not in what:
            return f"process {rank} of those that train the point together: {what}"
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def _process(settings: dict[str, Any]) -> None:
    """One of the processes; that of rank 0 leads."""
    reports, where = settings["reports"], (ray.get_runtime_context().get_node_id(), os.getpid())

    def notify(progress: PackReport) -> None:
        reports.put({"progress": (progress,), "process": where})

    notify(PackReport(pack=settings["pack"]))  # so that a process that waits for the others for ever can be found
    group = _group(settings["on_gpus"])
    if group.rank > 0:
        assist_pack(group, settings["threads"])
        return
    try:
        run_pack(settings["root"], settings["pack"], notify, settings["threads"], group)
    except StorageRefusedError as error:
        reports.put({"refused": str(error), "pack": settings["pack"]})
    finally:
        group.leave()


def _group(on_gpus: bool) -> TorchGroup:
    """The processes, once all have come; they meet at the address that the first one has in the cluster."""
    context = get_context()
    rank, size = context.get_world_rank(), context.get_world_size()
    listener = socket.create_server((ray.util.get_node_ip_address(), 0)) if rank == 0 else None
    address = broadcast_from_rank_zero(listener.getsockname() if listener else None)
    return connect(rank, size, address, "cpu:gloo,cuda:nccl" if on_gpus else "gloo", listener)
