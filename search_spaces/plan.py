"""The plan: all points and packs in launch order with their cost, fully known before anything runs."""

import hashlib
import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

from search_spaces.errors import InputError
from search_spaces.laws.measurement import count_measurements
from search_spaces.points import Point
from search_spaces.recipe import Variant
from search_spaces.sections.grid import MAX_MEASUREMENTS, Measure

# What may differ between the points of a pack. An axis that is not named here splits packs until someone thinks.
PACKABLE = ("eta", "lam", "seed", "sigma_w", "budget")
_SPLITTING = tuple(f.name for f in fields(Point) if f.name not in {*PACKABLE, "id", "variant"})

# Fixed cost of one step of a pack, in FLOP: 0.3 ms of dispatch at 60 GFLOP/s on a CPU core (FC-64 on digits: 0.82 ms
# a step alone, 0.59 ms a point in a pack of 4); 0.5 ms at 20 TFLOP/s on a GPU. It decides how much a pack saves.
STEP_OVERHEAD = {"cpu": 2e7, "gpu": 1e10}
# What a worker takes at a time is one pack, or several up to this share of the bound: the last one holds nobody up for
# longer. A pack that is fetched alone costs 0.14 s beside its training, in a chunk 0.03 s.
CHUNK_SHARE = 0.01
# Fixed cost of a pack, in FLOP: 50 ms to be scheduled, to build its model and to write its part files.
PACK_OVERHEAD = {"cpu": 3e9, "gpu": 1e12}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a recipe costs, measured by the layer that trains it.

    Attributes:
        train: training samples. test: test samples. batch: samples of a step.
        parameters: number of trained parameters.
        decay: what λ does to which of them, in words.
        forward_flops: FLOP of a forward pass of one sample.
        measured: samples that a measurement runs through the model.
        watched: training samples that AutoL2 looks at, as a mean over steps, besides the step's own batch.
        pack_limit: points that can share a pack; of a CPU, until the memory of a GPU is known.
        point_bytes: of a GPU's memory that a point in training takes; 0 if its memory is not what limits packs.
        micro_batches: of a step, computed one after the other. processes: that share them.
        ends_at: ηλ·steps/(1-μ), in λ of the grid, at which a point is expected to end; infinity if it is at its budget.
        flow: whether a point is a differential equation, whose cost is that of its measurements and not of its steps.
        point_flops: FLOP of a point, however long it is.
        pack_flops: FLOP that the points of a pack share.
    """

    train: int
    test: int
    batch: int
    parameters: int
    decay: str
    forward_flops: float
    measured: int
    watched: float
    pack_limit: int
    point_bytes: int = 0
    ends_at: float = math.inf
    flow: bool = False
    point_flops: float = 0.0
    pack_flops: float = 0.0
    micro_batches: int = 1
    processes: int = 1

    @property
    def steps_per_epoch(self) -> int:
        """Full batches of an epoch; the rest of a shuffled epoch is left out, so that every step has one shape."""
        return self.train // self.batch

    def last_step(self, budget: float) -> int:
        """Optimizer steps of a budget in epochs, at least one."""
        return max(1, math.ceil(round(budget * self.steps_per_epoch, 9)))

    def expected_steps(self, point: Point) -> int:
        """Optimizer steps that ``point`` is expected to take: fewer than its budget has if it is stopped before."""
        rate = point.eta * point.lam / (1 - point.mu)
        steps = self.last_step(point.budget)
        return min(steps, math.ceil(self.ends_at / rate)) if self.ends_at < steps * rate else steps

    @property
    def step_flops(self) -> float:
        """One step of one point: a backward pass costs two forward passes."""
        return 0.0 if self.flow else (3 * self.batch + self.watched) * self.forward_flops

    @property
    def measurement_flops(self) -> float:
        """One measurement of one point."""
        return self.measured * self.forward_flops


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Work of a point or of many.

    ``steps`` counts steps of points (a pack of 8 takes 8 a step), ``dispatches`` the forward and backward passes of a
    point that are computed one by one.
    """

    steps: int = 0
    measurements: int = 0
    dispatches: int = 0
    training_flops: float = 0.0
    measuring_flops: float = 0.0

    @property
    def flops(self) -> float:
        """Training and measuring together."""
        return self.training_flops + self.measuring_flops

    def __add__(self, other: "Cost") -> "Cost":
        """Both together."""
        return Cost(
            steps=self.steps + other.steps,
            measurements=self.measurements + other.measurements,
            dispatches=self.dispatches + other.dispatches,
            training_flops=self.training_flops + other.training_flops,
            measuring_flops=self.measuring_flops + other.measuring_flops,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """Points trained together by one batched program. Longest point first."""

    id: str
    points: tuple[Point, ...]
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Packs in launch order, the most expensive first.

    Attributes:
        chunks: ids of packs that a worker takes at a time, one after the other, as one Ray trial; all of ``packs``, in
            order.
        work: expected time of all packs one after the other, in FLOP of one worker.
        makespan: expected time until the last worker is done, in the same unit.
        bound: no schedule of these packs can be faster: max(longest point, work / workers).
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
        return total(pack.cost for pack in self.packs)


def total(costs: Iterable[Cost]) -> Cost:
    """Sum of costs."""
    result = Cost()
    for cost in costs:
        result += cost
    return result


def point_cost(point: Point, profile: Profile, measure: Measure) -> Cost:
    """Work of one point alone.

    Raises:
        InputError: more measurements than a table should hold of one point.
    """
    measurements = count_measurements(measure, profile.last_step(point.budget), profile.steps_per_epoch)
    if measurements > MAX_MEASUREMENTS:
        raise InputError(
            f"measure: the point eta {point.eta:g}, lam {point.lam:g} of {point.budget:,.10g} epochs would be measured "
            f"{measurements:,} times; at most {MAX_MEASUREMENTS:,} are allowed. Write measure: {{log: 60}} for 60 a "
            "decade, or measure less often."
        )
    steps = profile.expected_steps(point)
    measurements = count_measurements(measure, steps, profile.steps_per_epoch)
    return Cost(
        steps=steps,
        measurements=measurements,
        dispatches=measurements if profile.flow else steps * profile.micro_batches,
        training_flops=steps * profile.step_flops + profile.point_flops,
        measuring_flops=measurements * profile.measurement_flops,
    )


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
    """Pack ``points`` and order the packs.

    Points may share a pack if they differ in ``PACKABLE`` only. Within such a group points of like cost stand
    together, so that few wait for one. The pack size is the one with the shortest expected makespan on ``workers``
    workers: large packs save dispatch, small ones balance better.

    Args:
        points: what to train.
        profiles: cost of each variant of the trainable.
        measure: when points are measured.
        workers: packs that run at the same time.
        device: ``cpu`` or ``gpu``, which decides what a pack saves.
        pack: points of a pack at most; None for the best size.
        continued: packs of an earlier run, which stay as they are: numbers of a pack depend, in their last bits, on who
            trains together. Those of their points that are not among ``points`` cost nothing.
    """
    costs = {p.id: point_cost(p, profiles[p.variant], measure) for p in points}
    planned = {p.id: p for p in points}  # whose variant names an axis that the grid has gained since
    packed = {p.id for pack_ in continued for p in pack_.points}
    loose = [p for p in points if p.id not in packed]
    groups = [_Group(members, costs, device, profiles) for members in _groups(loose, costs)]
    limits = [profiles[group.points[0].variant].pack_limit for group in groups]
    most = min(pack, max(limits, default=1)) if pack else max(limits, default=1)
    sizes = [most] if pack else _candidates(most)

    def packs_of(size: int) -> list[tuple[float, _Group, slice]]:
        return [
            (group.duration(part), group, part)
            for group, limit in zip(groups, limits, strict=True)
            for part in _slices(len(group.points), min(size, limit))
        ]

    best = min(sizes, key=lambda size: (_makespan([d for d, _, _ in packs_of(size)], workers), size))
    timed = [(duration, group.points[part]) for duration, group, part in packs_of(best)]
    for pack_ in continued:
        left = tuple(planned[p.id] for p in pack_.points if p.id in planned)
        group = _Group(left, costs, device, profiles)
        timed.append((group.duration(slice(None)), pack_.points))
    timed.sort(key=lambda pack: (-pack[0], pack[1][0].id))
    durations = [duration for duration, _ in timed]
    packs = [Pack(id=pack_id(c), points=c, cost=total(costs[p.id] for p in c if p.id in costs)) for _, c in timed]
    bound = _bound((_time([costs[p.id]], device, profiles[p.variant]) for p in points), durations, workers)
    chunks = _chunks([p.id for p in packs], durations, CHUNK_SHARE * bound)
    makespan = _makespan(durations, workers)
    return Plan(packs=tuple(packs), chunks=chunks, workers=workers, work=sum(durations), makespan=makespan, bound=bound)


class _Group:
    """Points that may share a pack, and the expected time of a pack of some of them, in FLOP."""

    def __init__(
        self, points: tuple[Point, ...], costs: Mapping[str, Cost], device: str, profiles: Mapping[Variant, Profile]
    ) -> None:
        self.points = points
        self._costs, self._device, self._profile = [costs[p.id] for p in points], device, profiles[points[0].variant]

    def duration(self, part: slice) -> float:
        shared = PACK_OVERHEAD[self._device] + self._profile.pack_flops
        return shared + _time(self._costs[part], self._device, self._profile)


def _time(costs: Sequence[Cost], device: str, profile: Profile) -> float:
    """Time of points that train together, in FLOP of one process, without what their pack costs besides."""
    work = sum(c.flops for c in costs) + STEP_OVERHEAD[device] * max(c.dispatches for c in costs)
    return work / profile.processes


def _groups(points: Sequence[Point], costs: Mapping[str, Cost]) -> list[tuple[Point, ...]]:
    """Points that may share a pack, the most expensive first; ties in id order, so that the plan is one."""
    groups: defaultdict[object, list[Point]] = defaultdict(list)
    for point in points:
        groups[point.variant, *(getattr(point, name) for name in _SPLITTING)].append(point)
    return [tuple(sorted(g, key=lambda p: (-costs[p.id].flops, p.id))) for g in groups.values()]


def _slices(length: int, size: int) -> list[slice]:
    """As few slices as ``size`` allows, of equal length to within one."""
    count = math.ceil(length / size)
    ends = [length * i // count for i in range(count + 1)]
    return [slice(a, b) for a, b in pairwise(ends)]


def _chunks(ids: Sequence[str], durations: Sequence[float], most: float) -> tuple[tuple[str, ...], ...]:
    """Neighbours together as long as they take no more than ``most``."""
    chunks: list[list[str]] = []
    taken = math.inf
    for id_, duration in zip(ids, durations, strict=True):
        if taken + duration > most:
            chunks.append([])
            taken = 0.0
        chunks[-1].append(id_)
        taken += duration
    return tuple(map(tuple, chunks))


def _candidates(limit: int) -> list[int]:
    """1, 2, 3, 4, 6, 8, 12, … up to and including ``limit``."""
    powers = [2**k for k in range(limit.bit_length())]
    return sorted({s for p in powers for s in (p, 3 * p // 2) if s <= limit} | {limit})


def _makespan(durations: Sequence[float], workers: int) -> float:
    """Longest first, each on the worker that is free first."""
    free = [0.0] * workers
    for duration in sorted(durations, reverse=True):
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def _bound(points: Iterable[float], durations: Sequence[float], workers: int) -> float:
    """``points`` are the times of the points alone, ``durations`` those of the packs."""
    return max(max(points, default=0.0), sum(durations) / workers)


def pack_id(chunk: Sequence[Point]) -> str:
    """Id of a pack: hash of the ids of its points."""
    return hashlib.sha256(",".join(sorted(p.id for p in chunk)).encode()).hexdigest()[:12]


def variants(points: Iterable[Point]) -> tuple[Variant, ...]:
    """The distinct variants of the trainable among ``points``, in order of appearance."""
    return tuple(dict.fromkeys(p.variant for p in points))
