"""How long a plan takes here: a second of real training tells more than any count of FLOP."""

import time
from dataclasses import dataclass
from statistics import median

import torch

from search_spaces.plan import Pack, Plan
from search_spaces.recipe import recipe_of
from search_spaces.sections.grid import Grid
from trainables.pack.training import PackTraining
from trainables.train import start_training

SECONDS = 1.0
MOST_FLOPS = 2e10  # of a step that is tried out: half a second of a core


@dataclass(frozen=True, slots=True)
class Pace:
    """What the costliest pack of a plan takes here, in seconds.

    Attributes:
        step: of one optimizer step of the whole pack.
        measurement: of one measurement of the whole pack, beside the step.
    """

    step: float
    measurement: float


def measure_pace(grid: Grid, pack: Pack) -> Pace | None:
    """Train a pack for about a second; None where that cannot be done: no such device, too large, a loop of one's own.

    Needs the data of the grid.
    """
    points, device = pack.points, grid.device
    if device == "cuda" and not torch.cuda.is_available():
        return None
    if device == "cpu" and pack.cost.flops / pack.cost.steps * len(points) > MOST_FLOPS:
        return None
    training = start_training(points, recipe_of(grid, points[0].variant), device)
    if not isinstance(training, PackTraining):
        return None
    torch.set_num_threads(max(1, int(grid.resources.cpus_per_pack)))
    stepping, measuring = _times(training)
    if not stepping and not measuring:
        return None
    # Where every step is measured, a step without cannot be seen, nor need it be.
    step = median(stepping) if stepping else 0.0
    return Pace(step=step, measurement=max(0.0, median(measuring) - step) if measuring else 0.0)


def _times(training: PackTraining) -> tuple[list[float], list[float]]:
    """Seconds of single steps without and with a measurement behind them, the first left out: it also warms up."""
    stepping: list[float] = []
    measuring: list[float] = []
    began = before = 0.0
    for measurement in training.measurements(heartbeat_seconds=0.0):
        now = time.perf_counter()
        if before:
            (measuring if measurement.members else stepping).append(now - before)
            if measurement.ends or (now - began > SECONDS and stepping):
                break
            if now - began > 2 * SECONDS:
                break
        began, before = began or now, now
    return stepping, measuring


def seconds_of(plan: Plan, pack: Pack, pace: Pace) -> float:
    """Time until the last worker is done, if every pack goes like ``pack``, whose pace was measured."""
    size = len(pack.points)
    work = (plan.cost.steps * pace.step + plan.cost.measurements * pace.measurement) / size
    return work * plan.makespan / plan.work
