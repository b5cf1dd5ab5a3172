"""Pace of training on this machine, and the expected time of a plan.

The pace is measured: a second of real training says more than any count of FLOP. Bare steps and measurements are timed
on purpose, by schedules of the trial's own: a grid's own may measure every step of its first seconds, or none.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from search_spaces.plan import Pack, Plan
from search_spaces.points import Point
from search_spaces.recipe import recipe_of
from search_spaces.sections.grid import Grid, Measure, Steps
from search_spaces.sections.trainable import KernelTrainable, OwnLoop
from sweeper.worker.torch_process import training_settings
from trainables.pack.training import PackTraining
from trainables.profile import profile

TRIAL_SECONDS = 0.7  # of training, behind the warm-up
HEARTBEAT_SECONDS = 0.05  # between looks at the clock, where steps are shorter
MAX_STEP_FLOPS = 2e10  # of a step that is timed on a CPU: half a second of a core
MAX_MEASUREMENT_FLOPS = 2e11  # of a measurement that is timed on a CPU: five seconds of a core
TRIAL_STEPS = 100_000  # of a point of the trial, more than it takes
TRIAL_ETA = 1e-6  # at which no point diverges and leaves the pack


@dataclass(frozen=True, slots=True)
class Pace:
    """Time that one pack takes here, in seconds.

    Attributes:
        step: seconds of one optimizer step of the whole pack, without a measurement.
        measurement: seconds of one measurement of the whole pack, without the step before it.
    """

    step: float
    measurement: float


def measure_pace(grid: Grid, pack: Pack) -> Pace | None:
    """Train a pack for about two seconds and return its pace. Needs the data of the grid.

    Returns:
        None where the pace cannot be measured: the device is absent, a step is too large, or no network trains.
    """
    if isinstance(grid.trainable, OwnLoop | KernelTrainable):
        return None
    if grid.device == "cuda" and not torch.cuda.is_available():
        return None
    step_flops = pack.cost.training_flops / pack.cost.steps * len(pack.points)
    measurement_flops = pack.cost.measuring_flops / pack.cost.measurements * len(pack.points)
    if grid.device == "cpu" and step_flops > MAX_STEP_FLOPS:
        return None
    with training_settings(max(1, int(grid.resources.cpus_per_pack))):
        step = _seconds_a_step(_trial(grid, pack.points, TRIAL_STEPS), grid.device)
        if grid.device == "cpu" and measurement_flops > MAX_MEASUREMENT_FLOPS:
            return Pace(step, step * measurement_flops / step_flops)
        measured = _seconds_a_step(_trial(grid, pack.points, 1), grid.device)
    return Pace(step, max(0.0, measured - step))


def _trial(grid: Grid, points: Sequence[Point], steps: int) -> PackTraining:
    """Return a training that costs as much a step as ``points``, and does not end within the trial.

    Args:
        grid: the grid.
        points: the points of a pack.
        steps: steps from one measurement to the next.
    """
    recipe = recipe_of(grid, points[0].variant)
    measure = Measure(every=Steps(steps=steps), train=recipe.measure.train)
    budget = TRIAL_STEPS / profile(recipe).steps_per_epoch
    lasting = [replace(point, eta=TRIAL_ETA, budget=budget) for point in points]
    return PackTraining(lasting, recipe.model_copy(update={"measure": measure, "stop": "budget"}), grid.device)


def _seconds_a_step(training: PackTraining, device: str) -> float:
    """Train for ``TRIAL_SECONDS`` and return the mean seconds of a step.

    The clock starts behind the first step, which also warms up: 7 minutes were told where training took 23 s.
    """
    first_step, began, seconds = 0, 0.0, 0.0
    for measurement in training.measurements(HEARTBEAT_SECONDS):
        if device == "cuda":
            torch.cuda.synchronize()  # a GPU takes its steps later than the host orders them
        now = time.perf_counter()
        if not first_step:
            first_step, began = measurement.step, now
            continue
        seconds = (now - began) / (measurement.step - first_step)
        if now - began > TRIAL_SECONDS:
            break
    return seconds


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
