"""What the driver hears from its workers, and they from it."""

from collections.abc import Callable
from dataclasses import dataclass

from results.parts import PointEnd
from results.store import SweepDir


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the driver hears of a pack: a summary, never rows.

    Attributes:
        steps: steps of its points that the pack has behind it, those of earlier runs among them; None if not known.
        ends: points that ended since then.
        finished: whether the worker has left the pack.
        waiting: what the worker is waiting for, empty if for nothing.
    """

    pack: str
    steps: int | None = None
    ends: tuple[PointEnd, ...] = ()
    finished: bool = False
    waiting: str = ""


Notify = Callable[[Progress], None]


def stop_requested(directory: SweepDir) -> bool:
    """Whether workers are to commit what they have and leave."""
    return directory.stop.exists()
