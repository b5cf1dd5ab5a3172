"""Pace of training on this machine, and the expected time of a plan.

The pace is measured: a second of real training says more than any count of FLOP.
"""

import time
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

import torch

from search_spaces.plan import Pack, Plan
from search_spaces.recipe import recipe_of
from search_spaces.sections.grid import Grid
from trainables.pack.training import PackTraining
from trainables.train import start_training

MEASURING_SECONDS = 1.0  # of training, from the second step on
MAX_STEP_FLOPS = 2e10  # of a step that is measured on a CPU: half a second of a core


@dataclass(frozen=True, slots=True)
class Pace:
    """Time that one pack takes here, in seconds.

    Attributes:
        step: seconds of one optimizer step of the whole pack.
        measurement: seconds of one measurement of the whole pack, without the step before it.
    """

    step: float
    measurement: float


class _StepTimes(NamedTuple):
    """Seconds of single steps of a pack.

    Attributes:
        plain: of steps without a measurement.
        measured: of steps with a measurement behind them.
    """

    plain: list[float]
    measured: list[float]


def measure_pace(grid: Grid, pack: Pack) -> Pace | None:
    """Train a pack for about a second and return its pace. Needs the data of the grid.

    Returns:
        None where the pace cannot be measured: the device is absent, a step is too large, or the grid has an own loop.
    """
    points, device = pack.points, grid.device
    if device == "cuda" and not torch.cuda.is_available():
        return None
    if device == "cpu" and pack.cost.flops / pack.cost.steps * len(points) > MAX_STEP_FLOPS:
        return None
    training = start_training(points, recipe_of(grid, points[0].variant), device)
    if not isinstance(training, PackTraining):
        return None
    torch.set_num_threads(max(1, int(grid.resources.cpus_per_pack)))
    times = _time_steps(training)
    if not times.plain and not times.measured:
        return None
    # Where every step is measured, the time of a step alone cannot be seen and is not needed.
    step = median(times.plain) if times.plain else 0.0
    return Pace(step=step, measurement=max(0.0, median(times.measured) - step) if times.measured else 0.0)


def _time_steps(training: PackTraining) -> _StepTimes:
    """Time single steps. The first step is left out, because it also warms up."""
    times = _StepTimes([], [])
    began = before = 0.0
    for measurement in training.measurements(heartbeat_seconds=0.0):
        now = time.perf_counter()
        if before:
            (times.measured if measurement.members else times.plain).append(now - before)
            if measurement.ends or (now - began > MEASURING_SECONDS and times.plain):
                break
            if now - began > 2 * MEASURING_SECONDS:
                break
        began, before = began or now, now
    return times


def expected_seconds(plan: Plan, pack: Pack, pace: Pace) -> float:
    """Return the expected seconds until the last worker is done.

    Args:
        plan: the plan.
        pack: the pack whose pace was measured; all others are assumed to train at that pace.
        pace: its pace.
    """
    size = len(pack.points)
    work = (plan.cost.steps * pace.step + plan.cost.measurements * pace.measurement) / size
    return work * plan.makespan / plan.work
