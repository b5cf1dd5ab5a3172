"""Rounds of settling: judge, choose the cheapest points that should decide a claim, train them, judge again."""

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from results.analyze import Analysis
from results.claims.verdict import Lack
from results.conclude import SweepResult
from results.settling.choice import WayOut, ways_out
from search_spaces.sections.grid import Grid

__all__ = ["Round", "Settlement", "choose_way", "open_ways", "settle"]

# Rounds in which one kind of points may be added for one claim. A value moves when points are added, so that a further
# round may do what the first should have done. A claim whose value lies on the border is decided by no number of them.
MAX_TRIES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One extension that was trained.

    Attributes:
        way: the extension, and the claim that it was to decide.
        seconds: time that it took.
        decided: open claims that were decided by it, with their verdicts.
        lost: decided claims that are open since, for the new points contradict the old ones.
    """

    way: WayOut
    seconds: float
    decided: Mapping[str, str]
    lost: Sequence[str] = ()

    def to_json(self) -> dict[str, object]:
        """Return a dict for ``json.dumps``."""
        return {
            "claim": self.way.claim,
            **self.way.to_json(),
            "seconds": self.seconds,
            "decided": dict(self.decided),
            "lost": list(self.lost),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Result of settling a sweep.

    Attributes:
        result: the sweep after the last round.
        rounds: the rounds, in order.
        stopped: why no further round was made; empty if every claim is decided.
        declined: whether the user said no.
    """

    result: SweepResult
    rounds: Sequence[Round] = field(default_factory=tuple)
    stopped: str = ""
    declined: bool = False


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
    until, rounds, tries = time.monotonic() + seconds, list[Round](), Counter[tuple[str, Lack]]()
    result = run(grid)
    while True:
        ways = open_ways(result.analysis, grid, claims, [pair for pair, n in tries.items() if n == MAX_TRIES])
        way, stopped = choose_way(ways, until - time.monotonic())
        if way and not stopped and not rounds and not confirm(ways, way):
            return Settlement(result=result, stopped="nothing was trained", declined=True)
        if stopped or way is None or way.extension is None:
            return Settlement(result=result, rounds=rounds, stopped=stopped)
        begun, before, grid = time.monotonic(), _decided(result.analysis), way.extension.grid
        tries[way.claim, way.extension.lack] += 1
        result = run(grid)
        after = _decided(result.analysis)
        decided = {claim: verdict for claim, verdict in after.items() if claim not in before}
        lost = sorted(before.keys() - after.keys())
        rounds.append(Round(way=way, seconds=time.monotonic() - begun, decided=decided, lost=lost))


def open_ways(
    analysis: Analysis, grid: Grid, claims: Collection[str], exhausted: Collection[tuple[str, Lack]]
) -> Sequence[WayOut]:
    """Return what would settle each open claim.

    Args:
        analysis: of the sweep so far.
        grid: its grid.
        claims: names of the claims that count; empty for all.
        exhausted: claims with kinds of points that were added often enough.
    """
    verdicts = [v for v in analysis.verdicts if not claims or v.claim in claims]
    found = ways_out(verdicts, analysis.findings.steady, grid, analysis.seconds_per_epoch, exhausted)
    return list(found.values())


def choose_way(ways: Sequence[WayOut], seconds: float) -> tuple[WayOut | None, str]:
    """Choose the way out of the next round: the cheapest of those that should decide a claim, else the cheapest.

    Args:
        ways: of ``open_ways``.
        seconds: time that is left.

    Returns:
        The way out, None if there is none; and why it is not gone, empty if it is or no claim is open.
    """
    passable = [way for way in ways if way.extension is not None]
    if not passable:
        open_claims = ", ".join(way.claim for way in ways)
        return None, f"no further point of this grid should decide {open_claims}" if ways else ""
    way = min(passable, key=lambda way: (not way.enough, way.extension.epochs if way.extension else 0.0))
    expected = (way.seconds or 0.0) / (os.cpu_count() or 1)
    if expected > seconds:
        return way, f"time is up: the next points take about {expected:.1f} s, and {max(0.0, seconds):.1f} s are left"
    return way, ""


def _decided(analysis: Analysis) -> dict[str, str]:
    """Return the decided claims with their verdicts."""
    return {v.claim: v.verdict for v in analysis.verdicts if v.verdict in {"pass", "fail"}}
