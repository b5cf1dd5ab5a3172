"""What a worker of Ray does: the packs of a chunk, one after the other."""

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


def train_chunk(config: dict[str, Any], root: str, resources: Resources, pulse: float) -> None:
    """The Ray trial of a chunk.

    Args:
        config: ``packs``, the ids of its packs; if a worker of it was lost ``wait``, seconds to wait, and ``crowded``,
            the pack that filled its machine, if one did.
        root: the sweep directory.
        resources: of a pack.
        pulse: seconds between two reports.
    """
    directory, packs = SweepDir(any_path(root)), config["packs"].split()
    if stop_requested(directory):
        return
    reports = _ReportBuffer(pulse)
    reports.add(PackReport(pack=None))  # so that a worker that hangs from the start can be found
    if "wait" in config:
        packs = _remaining_packs(directory, packs, reports)
        why = f"its worker was lost; tried again after {config['wait']:g} s"
        for pack in packs[:1]:
            wait_with_heartbeat(config["wait"], directory, PackReport(pack=pack, waiting=why), reports.add)
    for pack in packs:
        if stop_requested(directory) or not _train_pack(root, pack, resources, reports, pack == config.get("crowded")):
            break
    reports.send()


def _remaining_packs(directory: SweepDir, packs: list[str], reports: "_ReportBuffer") -> list[str]:
    """What is left of a chunk; of the rest the driver hears again, since the last report of a lost worker was lost."""
    ends = retry_storage(lambda: ends_of_chunk(directory, packs), directory, packs[0], Recovery(), reports.add)
    for pack, ended in ends.items():
        if ended is not None:
            reports.add(PackReport(pack=pack, steps=sum(end.steps for end in ended), ends=ended, left=True))
    return [pack for pack, ended in ends.items() if ended is None]


def _train_pack(root: str, pack: str, resources: Resources, reports: "_ReportBuffer", crowded: bool) -> bool:
    """Whether the chunk goes on; it does not where another worker is at its pack, and so will be at the next."""
    if resources.processes_per_pack > 1:
        from sweeper.backends.ray.processes import train_together  # noqa: PLC0415 - Ray Train takes a second to import

        train_together(root, pack, resources, reports.add, reports.forward)
        return True
    try:
        return run_pack(root, pack, reports.add, max(1, int(resources.cpus_per_pack)), crowded=crowded)
    except StorageRefusedError as error:  # it has waited long: not to be tried again at once
        reports.forward({"refused": str(error), "pack": pack})
        return True


class _ReportBuffer:
    """What a worker tells the driver, together once a pulse: a worker waits until each report has been taken in."""

    def __init__(self, pulse: float) -> None:
        self._pulse, self._sent = pulse, -math.inf
        self._held: list[PackReport] = []
        self._process = ray.get_runtime_context().get_node_id(), os.getpid()

    def add(self, progress: PackReport) -> None:
        """Tell it with the next report."""
        self._held.append(progress)
        if time.monotonic() - self._sent >= self._pulse:
            self.send()

    def send(self) -> None:
        """Tell what is held."""
        if self._held:
            tune.report({"progress": tuple(self._held), "process": self._process})
        self._held, self._sent = [], time.monotonic()

    def forward(self, result: dict[str, Any]) -> None:
        """Tell something else, after what is held."""
        self.send()
        tune.report(result)
