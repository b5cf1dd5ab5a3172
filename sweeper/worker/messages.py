"""What the driver hears from its workers, and they from it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from results.store.commits import PointEnd
from results.store.sweep_dir import SweepDir

MINIMUM_HEARTBEAT_SECONDS = 1.0  # a worker hears that it is to stop, and shows that it lives, at least so often
WORKERS_AT_FULL_RATE = 100.0  # of more it is less often: each costs the driver 4 ms, and storage a look
MAX_HEARTBEAT_SECONDS = 10.0  # who is asked to stop has 25 s


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """What the driver hears of a pack: a summary, never rows.

    Attributes:
        pack: None if it is of no pack.
        steps: steps of its points that the pack has behind it, those of earlier runs among them; None if not known.
        ends: points that ended since then.
        left: whether the worker has left the pack, done or not.
        waiting: what the worker is waiting for, empty if for nothing.
        seconds: wall time of this attempt at the pack; None if not known.
    """

    pack: str | None
    steps: int | None = None
    ends: tuple[PointEnd, ...] = ()
    left: bool = False
    waiting: str = ""
    seconds: float | None = None


Notify = Callable[[PackReport], None]


def heartbeat_seconds(workers: int) -> float:
    """Seconds between two signs of life of each of so many workers."""
    slowdown = max(1.0, workers / WORKERS_AT_FULL_RATE)
    return min(MINIMUM_HEARTBEAT_SECONDS * slowdown, MAX_HEARTBEAT_SECONDS)


def wait_with_heartbeat(seconds: float, directory: SweepDir, report: PackReport, notify: Notify) -> None:
    """Wait, unless the run is to stop; every second the driver hears ``report``, a sign of life."""
    until = time.monotonic() + seconds
    while (remaining := until - time.monotonic()) > 0 and not stop_requested(directory):
        notify(report)
        time.sleep(min(remaining, 1.0))


def stop_requested(directory: SweepDir) -> bool:
    """Whether workers are to commit what they have and leave."""
    try:
        return directory.stop.exists()
    except OSError:  # of storage that is away, which is waited for elsewhere
        return False
