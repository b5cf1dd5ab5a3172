"""The plan: all points and packs in launch order with their cost, complete before anything runs."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from search_spaces.cost import Cost, Profile, point_cost, total_cost
from search_spaces.packing import TimedPack, TimeModel, best_packs, make_chunks, makespan
from search_spaces.points import Point
from search_spaces.recipe import Variant
from search_spaces.sections.grid import Measure

# A chunk is one pack, or several that take up to this share of the bound, so that the last chunk delays the end by no
# more. A pack that is fetched alone costs 0.14 s beside its training, in a chunk 0.03 s.
CHUNK_SHARE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """Points trained together by one batched program.

    Attributes:
        id: hash of the ids of the points.
        points: the points, the most expensive first.
        cost: cost of the points that are left to train.
    """

    id: str
    points: tuple[Point, ...]
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Packs in launch order, the most expensive first.

    Attributes:
        packs: all packs.
        chunks: ids of the packs that a worker takes at a time and trains one after the other, as one Ray trial; all of
            ``packs``, in order.
        workers: packs that run at the same time.
        work: expected time of all packs one after the other, in FLOP of one worker.
        makespan: expected time until the last worker is done, in the same unit.
        bound: time that no schedule of these packs can beat, max(longest point, work / workers), in the same unit.
    """

    packs: tuple[Pack, ...]
    chunks: tuple[tuple[str, ...], ...]
    workers: int
    work: float
    makespan: float
    bound: float

    @property
    def points(self) -> tuple[Point, ...]:
        """All points, in launch order."""
        return tuple(point for pack in self.packs for point in pack.points)

    @property
    def cost(self) -> Cost:
        """Cost of all packs."""
        return total_cost(pack.cost for pack in self.packs)


def make_plan(
    points: Sequence[Point],
    profiles: Mapping[Variant, Profile],
    measure: Measure,
    *,
    workers: int,
    device: str = "cpu",
    pack: int | None = None,
    continued: Sequence[Pack] = (),
) -> Plan:
    """Divide ``points`` into packs and order the packs, the most expensive first.

    Args:
        points: points to train.
        profiles: cost of each variant of the trainable.
        measure: section ``measure`` of the grid, which says when points are measured.
        workers: packs that run at the same time.
        device: ``cpu`` or ``gpu``, which decides what a pack saves.
        pack: points of a pack at most; None for the size with the shortest expected makespan.
        continued: packs of an earlier run, which stay as they are: numbers of a pack depend, in their last bits, on who
            trains together. Those of their points that are not among ``points`` cost nothing.

    Raises:
        InputError: a point would have more measurements than a table should hold.
    """
    costs = {p.id: point_cost(p, profiles[p.variant], measure) for p in points}
    times = TimeModel(costs, profiles, device)
    packed = {p.id for earlier in continued for p in earlier.points}
    timed = best_packs([p for p in points if p.id not in packed], times, workers=workers, pack_size=pack)
    timed += _timed_packs(continued, points, times)
    timed.sort(key=lambda pack: (-pack.time, pack.points[0].id))
    packs = tuple(
        Pack(id=pack_id(ps), points=ps, cost=total_cost(costs[p.id] for p in ps if p.id in costs)) for _, ps in timed
    )
    durations = [time for time, _ in timed]
    work = sum(durations)
    bound = max(max((times.training_time([p]) for p in points), default=0.0), work / workers)
    return Plan(
        packs=packs,
        chunks=make_chunks([p.id for p in packs], durations, CHUNK_SHARE * bound),
        workers=workers,
        work=work,
        makespan=makespan(durations, workers),
        bound=bound,
    )


def _timed_packs(continued: Iterable[Pack], points: Iterable[Point], times: TimeModel) -> list[TimedPack]:
    """Return the packs of an earlier run with the time of those of their points that are left to train."""
    left = {p.id: p for p in points}  # their variants may name axes that the grid has gained since
    return [
        TimedPack(times.pack_time([left[p.id] for p in pack.points if p.id in left]), pack.points) for pack in continued
    ]


def pack_id(points: Iterable[Point]) -> str:
    """Return the id of a pack: a hash of the ids of its points."""
    return hashlib.sha256(",".join(sorted(p.id for p in points)).encode()).hexdigest()[:12]
