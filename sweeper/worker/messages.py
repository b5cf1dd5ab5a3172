"""What the driver hears from its workers, and they from it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from results.store.commits import PointEnd
from results.store.sweep_dir import SweepDir


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


def wait_with_heartbeat(seconds: float, directory: SweepDir, why: PackReport, notify: Notify) -> None:
    """Wait, unless the run is to stop; every second the driver hears ``why``, a sign of life."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not stop_requested(directory):
        notify(why)
        time.sleep(min(left, 1.0))


def stop_requested(directory: SweepDir) -> bool:
    """Whether workers are to commit what they have and leave."""
    try:
        return directory.stop.exists()
    except OSError:  # of storage that is away, which is waited for elsewhere
        return False
