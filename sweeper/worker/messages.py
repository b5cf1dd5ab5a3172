"""Messages between driver and workers: reports, heartbeats, and the request to stop."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from results.store.commits import PointEnd
from results.store.sweep_dir import SweepDir

MINIMUM_HEARTBEAT_SECONDS = 1.0  # at each heartbeat a worker reports, and looks whether it is to stop
WORKERS_AT_FULL_RATE = 100.0  # more workers report less often: each report costs the driver 4 ms, and storage a look
MAX_HEARTBEAT_SECONDS = 10.0  # a worker that is asked to stop has GRACE_SECONDS
GRACE_SECONDS = 25.0  # for workers to commit and leave; Kubernetes gives a pod 30 s


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """Summary of a pack for the driver; it never holds rows.

    Attributes:
        pack: id of the pack; None if the report concerns no pack.
        steps: optimizer steps that the points of the pack have taken, those of earlier runs included; None if unknown.
        ends: ends of points since the last report.
        left: whether the worker has left the pack, finished or not.
        waiting: reason why the worker waits; empty if it does not.
        seconds: wall time of this attempt at the pack; None if unknown.
    """

    pack: str | None
    steps: int | None = None
    ends: tuple[PointEnd, ...] = ()
    left: bool = False
    waiting: str = ""
    seconds: float | None = None


Notify = Callable[[PackReport], None]


def heartbeat_seconds(workers: int) -> float:
    """Return the seconds between two heartbeats of each worker, if ``workers`` of them report to one driver."""
    slowdown = max(1.0, workers / WORKERS_AT_FULL_RATE)
    return min(MINIMUM_HEARTBEAT_SECONDS * slowdown, MAX_HEARTBEAT_SECONDS)


def wait_with_heartbeat(seconds: float, directory: SweepDir, report: PackReport, notify: Notify) -> None:
    """Wait, and send the driver a report every second as a sign of life; return early if the run is to stop.

    Args:
        seconds: time to wait.
        directory: the sweep.
        report: the report to send.
        notify: sends a report to the driver.
    """
    until = time.monotonic() + seconds
    while (remaining := until - time.monotonic()) > 0 and not stop_requested(directory):
        notify(report)
        time.sleep(min(remaining, 1.0))


def stop_requested(directory: SweepDir) -> bool:
    """Return whether the run is to stop: workers then commit what they have and leave."""
    try:
        return directory.stop.exists()
    except OSError:  # storage is away; retry_storage waits for it
        return False
