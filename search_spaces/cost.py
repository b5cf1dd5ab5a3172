"""The cost of training: the profile of a recipe, and the work of a point."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from search_spaces.errors import InputError
from search_spaces.laws.measurement import count_measurements
from search_spaces.points import Point
from search_spaces.sections.grid import MAX_MEASUREMENTS, Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The cost of a recipe, as the package that trains it counts it.

    Attributes:
        train: number of training samples.
        test: number of test samples.
        batch: samples of a step.
        parameters: number of trained parameters.
        decay: what λ does to which of them, in words.
        forward_flops: FLOP of a forward pass of one sample.
        measured: samples that a measurement runs through the model.
        watched: training samples that AutoL2 reads besides the step's own batch, as a mean over steps.
        pack_limit: points that can share a pack; the limit of a CPU until the memory of a GPU is known.
        gpu_pack_limit: points that can share a pack on a GPU, whatever its memory.
        point_bytes: GPU memory that a point in training takes; 0 if memory does not limit packs.
        ends_at: ηλ·steps/(1-μ), with the grid's λ, at which a point is expected to end; infinity for its budget.
        flow: whether a point is a differential equation, which costs its measurements and not its steps.
        point_flops: FLOP of a point that do not depend on its length.
        pack_flops: FLOP that the points of a pack share.
        micro_batches: micro-batches of a step, computed one after the other.
        processes: processes that share the micro-batches.
        notes: what a person should know before training, in sentences.
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
    gpu_pack_limit: int = 1
    point_bytes: int = 0
    ends_at: float = math.inf
    flow: bool = False
    point_flops: float = 0.0
    pack_flops: float = 0.0
    micro_batches: int = 1
    processes: int = 1
    notes: tuple[str, ...] = ()

    @property
    def steps_per_epoch(self) -> int:
        """Full batches of an epoch. The rest of a shuffled epoch is left out, so that every step has one shape."""
        return self.train // self.batch

    def last_step(self, budget: float) -> int:
        """Return the optimizer steps of a budget in epochs, at least one."""
        return max(1, math.ceil(round(budget * self.steps_per_epoch, 9)))

    def expected_steps(self, point: Point) -> int:
        """Return the optimizer steps that ``point`` is expected to take, fewer than its budget if it stops before."""
        rate = point.eta * point.lam / (1 - point.mu)
        steps = self.last_step(point.budget)
        return min(steps, math.ceil(self.ends_at / rate)) if self.ends_at < steps * rate else steps

    @property
    def step_flops(self) -> float:
        """FLOP of one step of one point; a backward pass costs two forward passes."""
        return 0.0 if self.flow else (3 * self.batch + self.watched) * self.forward_flops

    @property
    def measurement_flops(self) -> float:
        """FLOP of one measurement of one point."""
        return self.measured * self.forward_flops


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Work of one point or of many.

    Attributes:
        steps: optimizer steps of points; a pack of 8 takes 8 a step.
        measurements: measurements of points.
        dispatches: forward and backward passes of a point that are computed one by one.
        training_flops: FLOP of training.
        measuring_flops: FLOP of measurements.
    """

    steps: int = 0
    measurements: int = 0
    dispatches: int = 0
    training_flops: float = 0.0
    measuring_flops: float = 0.0

    @property
    def flops(self) -> float:
        """FLOP of training and measurements together."""
        return self.training_flops + self.measuring_flops

    def __add__(self, other: "Cost") -> "Cost":
        """Return the sum of two costs."""
        return Cost(
            steps=self.steps + other.steps,
            measurements=self.measurements + other.measurements,
            dispatches=self.dispatches + other.dispatches,
            training_flops=self.training_flops + other.training_flops,
            measuring_flops=self.measuring_flops + other.measuring_flops,
        )


def total_cost(costs: Iterable[Cost]) -> Cost:
    """Return the sum of costs."""
    result = Cost()
    for cost in costs:
        result += cost
    return result


def point_cost(point: Point, profile: Profile, measure: Measure) -> Cost:
    """Return the work of one point alone.

    Args:
        point: point to train.
        profile: cost of the point's variant.
        measure: section ``measure`` of the grid, which says when points are measured.

    Raises:
        InputError: the point would have more measurements than a table should hold of one point.
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
