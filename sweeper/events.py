"""What the driver hears from its workers."""

from collections.abc import Callable
from dataclasses import dataclass

from results.store import PointEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the driver hears of a pack: a summary, never rows.

    Attributes:
        steps: steps of points taken since the last summary.
        ends: points that ended since then.
        finished: whether the pack is done.
    """

    pack: str
    steps: int = 0
    ends: tuple[PointEnd, ...] = ()
    finished: bool = False


Notify = Callable[[Progress], None]
