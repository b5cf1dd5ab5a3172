"""The Ray trial of a chunk: a worker of Ray trains its packs one after the other and reports to the driver."""

import math
import os
import time
from typing import Any

import ray
from ray import tune

from results.store.ledger import ends_of_chunk
from results.store.paths import any_path
from results.store.sweep_dir import SweepDir
from search_spaces.sections.grid import Recovery, Resources
from sweeper.worker.messages import PackReport, stop_requested, wait_with_heartbeat
from sweeper.worker.run_pack import run_pack
from sweeper.worker.storage_retry import StorageRefusedError, retry_storage


def train_chunk(config: dict[str, Any], root: str, resources: Resources, heartbeat: float, recovery: Recovery) -> None:
    """Train the packs of a chunk that are not done, as a Ray trial.

    Args:
        config: ``packs``, the ids of the packs of the chunk, separated by spaces. After a worker was lost also
            ``wait``, seconds to wait, and ``out_of_memory``, the pack that filled the memory of its machine, or None.
        root: the sweep directory.
        resources: what a pack gets.
        heartbeat: seconds between two reports.
        recovery: the grid's limits.
    """
    directory, packs = SweepDir(any_path(root)), config["packs"].split()
    if stop_requested(directory):
        return
    reports = _ReportBuffer(heartbeat)
    reports.add(PackReport(pack=None))  # so that a worker that hangs from the start can be found
    if "wait" in config:
        packs = _remaining_packs(directory, packs, recovery, reports)
        why = f"its worker was lost; tried again after {config['wait']:g} s"
        for pack in packs[:1]:
            wait_with_heartbeat(config["wait"], directory, PackReport(pack=pack, waiting=why), reports.add)
    for pack in packs:
        out_of_memory = pack == config.get("out_of_memory")
        if stop_requested(directory) or not _train_pack(
            root, pack, resources, recovery, reports, out_of_memory=out_of_memory
        ):
            break
    reports.send()


def _remaining_packs(directory: SweepDir, packs: list[str], recovery: Recovery, reports: "_ReportBuffer") -> list[str]:
    """Return the packs of a chunk that are not done, and report the others once more.

    The last report of a lost worker was lost with it.
    """
    ends = retry_storage(lambda: ends_of_chunk(directory, packs), directory, packs[0], recovery, reports.add)
    for pack, ended in ends.items():
        if ended is not None:
            reports.add(PackReport(pack=pack, steps=sum(end.steps for end in ended), ends=ended, left=True))
    return [pack for pack, ended in ends.items() if ended is None]


def _train_pack(
    root: str, pack: str, resources: Resources, recovery: Recovery, reports: "_ReportBuffer", *, out_of_memory: bool
) -> bool:
    """Train a pack, and return whether the chunk goes on.

    It does not where another worker is at its pack, and so will be at the next one.
    """
    if resources.processes_per_pack > 1:
        from sweeper.backends.ray.processes import train_together  # noqa: PLC0415 - Ray Train takes a second to import

        train_together(root, pack, resources, recovery, reports.add, reports.forward)
        return True
    try:
        threads = max(1, int(resources.cpus_per_pack))
        return run_pack(root, pack, reports.add, threads, halve=out_of_memory, recovery=recovery)
    except StorageRefusedError as error:  # the pack has waited long: it is not to be tried again at once
        reports.forward({"refused": str(error), "pack": pack})
        return True


class _ReportBuffer:
    """Reports of a worker, sent to the driver together once a heartbeat.

    A worker waits until the driver has handled each message, so there are few.
    """

    def __init__(self, heartbeat: float) -> None:
        self._heartbeat, self._last_sent = heartbeat, -math.inf
        self._reports: list[PackReport] = []
        self._process = ray.get_runtime_context().get_node_id(), os.getpid()

    def add(self, report: PackReport) -> None:
        """Add a report, and send all if a heartbeat has passed."""
        self._reports.append(report)
        if time.monotonic() - self._last_sent >= self._heartbeat:
            self.send()

    def send(self) -> None:
        """Send all reports of the buffer."""
        if self._reports:
            tune.report({"reports": tuple(self._reports), "process": self._process})
        self._reports, self._last_sent = [], time.monotonic()

    def forward(self, result: dict[str, Any]) -> None:
        """Send another message after the reports of the buffer."""
        self.send()
        tune.report(result)
