"""Packing: points are divided into packs of the size with the shortest expected makespan, and packs into chunks.

Times are in FLOP of one worker.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import pairwise
from typing import NamedTuple

from search_spaces.cost import Cost, Profile
from search_spaces.points import Point
from search_spaces.recipe import Variant

# Fields in which the points of a pack may differ. A field that is not named here splits packs, until a person decides
# that training can vary it within one program.
PACKABLE = ("eta", "lam", "seed", "sigma_w", "budget")
_SPLITTING = tuple(f.name for f in fields(Point) if f.name not in {*PACKABLE, "id", "variant"})

# Fixed cost of one step of a pack, in FLOP: 0.3 ms of dispatch at 60 GFLOP/s on a CPU core (FC-64 on digits: 0.82 ms
# a step alone, 0.59 ms a point in a pack of 4); 0.5 ms at 20 TFLOP/s on a GPU. It decides how much packing saves.
STEP_OVERHEAD = {"cpu": 2e7, "gpu": 1e10}
# Fixed cost of a pack, in FLOP: 50 ms to be scheduled, to build its model and to write its part files.
PACK_OVERHEAD = {"cpu": 3e9, "gpu": 1e12}


class TimedPack(NamedTuple):
    """A pack before it has an id.

    Attributes:
        time: expected time, in FLOP of one worker.
        points: its points, the most expensive first.
    """

    time: float
    points: tuple[Point, ...]


class TimeModel:
    """Expected times of points and packs, in FLOP of one worker."""

    def __init__(self, costs: Mapping[str, Cost], profiles: Mapping[Variant, Profile], device: str) -> None:
        """Keep the costs in dictionaries of plain numbers: a search over pack sizes reads each about ten times.

        100,000 points are then planned in 4.3 s of CPU time, else in 5.2 s.

        Args:
            costs: point id to the cost of the point.
            profiles: variant to its profile.
            device: ``cpu`` or ``gpu``, which decides the fixed costs.
        """
        self.flops = {id_: cost.flops for id_, cost in costs.items()}
        self._flops_of = self.flops.__getitem__
        self._dispatches_of = {id_: cost.dispatches for id_, cost in costs.items()}.__getitem__
        self._profiles, self._device = profiles, device

    def profile(self, points: Sequence[Point]) -> Profile:
        """Return the profile that ``points`` of one variant share."""
        return self._profiles[points[0].variant]

    def training_time(self, points: Sequence[Point]) -> float:
        """Return the time of points that train together, without the fixed cost of their pack."""
        ids = [point.id for point in points]
        work = sum(map(self._flops_of, ids)) + STEP_OVERHEAD[self._device] * max(map(self._dispatches_of, ids))
        return work / self.profile(points).processes

    def pack_time(self, points: Sequence[Point]) -> float:
        """Return the time of a pack of ``points``."""
        return PACK_OVERHEAD[self._device] + self.profile(points).pack_flops + self.training_time(points)


def best_packs(
    points: Iterable[Point], times: TimeModel, *, workers: int, pack_size: int | None = None
) -> list[TimedPack]:
    """Divide ``points`` into packs of the size with the shortest expected makespan.

    Points may share a pack if they differ in ``PACKABLE`` only. Points of similar cost share one, so that few wait for
    a longer one. Large packs save dispatch, and small ones balance the workers better.

    Args:
        points: points to train.
        times: expected times of these points.
        workers: packs that run at the same time.
        pack_size: points of a pack at most; None for the best size. A profile's ``pack_limit`` holds in any case.

    Returns:
        The packs, in no particular order.
    """
    groups = _groups(points, times.flops)
    limits = [times.profile(group).pack_limit for group in groups]
    largest = max(limits, default=1)
    sizes = [min(pack_size, largest)] if pack_size else _candidate_sizes(largest)

    def packs_of(size: int) -> Iterator[tuple[Point, ...]]:
        for group, limit in zip(groups, limits, strict=True):
            yield from _split(group, min(size, limit))

    # Sizes ascend, and of equal makespans min takes the first: the smallest size.
    best = min(sizes, key=lambda size: makespan(map(times.pack_time, packs_of(size)), workers))
    return [TimedPack(times.pack_time(members), members) for members in packs_of(best)]


def makespan(times: Iterable[float], workers: int) -> float:
    """Return the time until the last worker is done: longest pack first, each on the worker that is free first."""
    free = [0.0] * workers
    for time in sorted(times, reverse=True):
        heapq.heapreplace(free, free[0] + time)
    return max(free)


def make_chunks(ids: Sequence[str], times: Sequence[float], max_time: float) -> tuple[tuple[str, ...], ...]:
    """Join neighboring packs into chunks, as long as a chunk takes at most ``max_time``.

    Args:
        ids: ids of the packs, in launch order.
        times: expected times of these packs, in the same order.
        max_time: longest chunk, in the unit of ``times``; a longer pack is a chunk of its own.

    Returns:
        The ids by chunk, all of them, in launch order.
    """
    chunks: list[list[str]] = []
    taken = math.inf
    for id_, time in zip(ids, times, strict=True):
        if taken + time > max_time:
            chunks.append([])
            taken = 0.0
        chunks[-1].append(id_)
        taken += time
    return tuple(map(tuple, chunks))


def _groups(points: Iterable[Point], flops: Mapping[str, float]) -> list[tuple[Point, ...]]:
    """Return the points that may share a pack, the most expensive first; ties in id order, so that plans repeat."""
    groups: defaultdict[object, list[Point]] = defaultdict(list)
    for point in points:
        groups[point.variant, *(getattr(point, name) for name in _SPLITTING)].append(point)
    return [tuple(sorted(group, key=lambda p: (-flops[p.id], p.id))) for group in groups.values()]


def _split(group: tuple[Point, ...], size: int) -> list[tuple[Point, ...]]:
    """Divide a group into as few packs as ``size`` allows, equal in size to within one point."""
    count = math.ceil(len(group) / size)
    ends = [len(group) * i // count for i in range(count + 1)]
    return [group[start:end] for start, end in pairwise(ends)]


def _candidate_sizes(largest: int) -> list[int]:
    """Return 1, 2, 3, 4, 6, 8, 12, … up to and including ``largest``."""
    powers = [2**k for k in range(largest.bit_length())]
    return sorted({size for power in powers for size in (power, 3 * power // 2) if size <= largest} | {largest})
