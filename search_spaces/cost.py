"""What training costs: the profile of a recipe, and the work of a point."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from search_spaces.errors import InputError
from search_spaces.laws.measurement import count_measurements
from search_spaces.points import Point
from search_spaces.sections.grid import MAX_MEASUREMENTS, Measure


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


def total_cost(costs: Iterable[Cost]) -> Cost:
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
