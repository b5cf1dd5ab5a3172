"""Rounds of settling: judge, choose the cheapest points that should decide a claim, train them, judge again."""

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from results.analyze import Analysis
from results.conclude import SweepResult
from results.settling.choice import WayOut
from search_spaces.sections.grid import Grid

__all__ = ["Round", "Settlement", "next_way", "settle"]

MAX_ROUNDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One extension that was trained.

    Attributes:
        way: the extension, and the claim that it was to decide.
        seconds: time that it took.
        decided: open claims that were decided by it, with their verdicts.
    """

    way: WayOut
    seconds: float
    decided: Mapping[str, str]

    def to_json(self) -> dict[str, object]:
        """Return a dict for ``json.dumps``."""
        return {"claim": self.way.claim, **self.way.to_json(), "seconds": self.seconds, "decided": dict(self.decided)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Result of settling a sweep.

    Attributes:
        result: the sweep after the last round.
        rounds: the rounds, in order.
        stopped: why no further round was made; empty if every claim is decided.
    """

    result: SweepResult
    rounds: Sequence[Round] = field(default_factory=tuple)
    stopped: str = ""


def settle(
    grid: Grid,
    claims: Collection[str],
    seconds: float,
    run: Callable[[Grid], SweepResult],
    confirm: Callable[[Sequence[WayOut], WayOut], bool],
) -> Settlement:
    """Extend a sweep until its open claims are decided or time is up.

    Points that the sweep still lacks are trained first.

    Args:
        grid: the grid of the sweep.
        claims: names of the claims that count; empty for all that are open.
        seconds: time that may pass.
        run: trains what is missing of a grid, and analyzes.
        confirm: is asked once, before the first round, with all ways out and the one that comes first.
    """
    until, rounds = time.monotonic() + seconds, list[Round]()
    result = run(grid)
    while True:
        way, stopped = next_way(result.analysis, claims, until - time.monotonic())
        if not stopped and len(rounds) == MAX_ROUNDS:
            stopped = f"{MAX_ROUNDS} rounds did not decide all claims"
        if not stopped and way and not rounds and not confirm(_open_ways(result.analysis, claims), way):
            stopped = "nothing was trained"
        if stopped or way is None or way.extension is None:
            return Settlement(result=result, rounds=rounds, stopped=stopped)
        begun, before = time.monotonic(), result.analysis
        result = run(way.extension.grid)
        decided = _decided(before, result.analysis, claims)
        rounds.append(Round(way=way, seconds=time.monotonic() - begun, decided=decided))


def next_way(analysis: Analysis, claims: Collection[str], seconds: float) -> tuple[WayOut | None, str]:
    """Choose the way out of the next round: of those that should decide a claim, the cheapest; else the cheapest.

    Args:
        analysis: of the sweep so far.
        claims: names of the claims that count; empty for all.
        seconds: time that is left.

    Returns:
        The way out, None if no claim is open; and why it is not gone, empty if it is.
    """
    ways = _open_ways(analysis, claims)
    passable = [way for way in ways if way.extension is not None]
    if not ways:
        return None, ""
    if not passable:
        return None, "no further point of this grid would decide what is open"
    way = min(passable, key=lambda way: (not way.enough, way.extension.epochs if way.extension else 0.0))
    expected = (way.seconds or 0.0) / (os.cpu_count() or 1)
    if expected > seconds:
        return way, f"time is up: the next points take about {expected:.0f} s, and {max(0.0, seconds):.0f} s are left"
    return way, ""


def _open_ways(analysis: Analysis, claims: Collection[str]) -> Sequence[WayOut]:
    return [way for claim, way in analysis.ways_out.items() if not claims or claim in claims]


def _decided(before: Analysis, after: Analysis, claims: Collection[str]) -> dict[str, str]:
    """Return the claims that were open before and are decided after, with their verdicts."""
    verdicts = {v.claim: v.verdict for v in after.verdicts}
    was_open = [way.claim for way in _open_ways(before, claims)]
    return {claim: verdicts[claim] for claim in was_open if verdicts.get(claim) in {"pass", "fail"}}
