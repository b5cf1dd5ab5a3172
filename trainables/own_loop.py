"""A user's training loop: it takes points and yields measurements; storage and analysis are sweeper's."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from search_spaces.errors import one_line
from search_spaces.outcome import Outcome
from search_spaces.points import Point
from search_spaces.sections.metric import TEST_ACCURACY, Metric
from search_spaces.sections.section import MAX_STEPS, MAX_TIME
from search_spaces.sections.trainable import OwnLoop
from trainables.measurement import Ended, Measurement
from trainables.task import import_function

_LIMITS = {
    "step": f"an integer >= 0 and <= {MAX_STEPS:,}",
    "epoch": f"a number >= 0 and <= {MAX_TIME:g}",
    "decay_time": f"a number >= 0 and <= {MAX_TIME:g}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measurement that a user's loop yields.

    Attributes:
        step: optimizer steps taken, more than at the measurement before.
        epoch: passes taken through the training set.
        train_acc: accuracy on the training set, 0 to 1; NaN where there is none.
        test_acc: accuracy on the test set, likewise.
        train_loss: loss on the training set, without the L2 term.
        test_loss: loss on the test set, without the L2 term.
        weight_norm: ‖θ‖², squared norm of all parameters.
        eta_t: learning rate of the latest step; the point's own if None.
        lam_t: weight decay of the latest step; the point's own if None.
        decay_time: Σ ηλ/(1-μ) over the steps taken; step · ηλ/(1-μ) if None.
    """

    step: int
    epoch: float
    train_acc: float = math.nan
    test_acc: float = math.nan
    train_loss: float
    test_loss: float
    weight_norm: float = math.nan
    eta_t: float | None = None
    lam_t: float | None = None
    decay_time: float | None = None

    def __post_init__(self) -> None:
        """Refuse values that would be wrong numbers in the table.

        Raises:
            ValueError: a value is not a number or out of its range, or an accuracy is not between 0 and 1.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
                raise ValueError(f"{field.name} is {_shown(value)}; give a number (of a tensor: .item())")
            if field.name.endswith("_acc") and not (math.isnan(value) or 0 <= value <= 1):
                raise ValueError(f"{field.name} is {_shown(value)}; an accuracy is a share between 0 and 1")
            if not _fits(field.name, value):
                raise ValueError(f"{field.name} is {_shown(value)}; it is {_LIMITS.get(field.name, 'a 64-bit number')}")


def _fits(name: str, value: float | np.integer | np.floating) -> bool:
    """Return whether the column ``name`` of the table of rows takes a number."""
    if name == "step":
        return bool(0 <= value <= MAX_STEPS and value == int(value))
    if name in _LIMITS:
        return bool(0 <= value <= MAX_TIME)
    try:
        float(value)
    except OverflowError:  # an integer of 400 digits
        return False
    return True


def _shown(value: object) -> str:
    """Return a value for a message, of which an integer may have more digits than Python prints."""
    try:
        return one_line(repr(value), 60)
    except Exception:
        return f"a value of type {type(value).__name__}"


def run_own_loop(
    point: Point, trainable: OwnLoop, device: str, metric: Metric = TEST_ACCURACY
) -> Iterator[Measurement]:
    """Train one point with the grid's loop, called as ``loop(point, device, **arguments)``, and yield its measurements.

    Args:
        point: the point to train.
        trainable: the grid's ``trainable``, which names the loop.
        device: a torch device.
        metric: the quantity by which the point is judged.

    Raises:
        InputError: there is no such function.
        ValueError: the loop yields something that cannot be used, or never the metric.
    """
    loop = import_function(trainable.loop, "trainable.loop", (point, device), trainable.arguments)
    measurements = loop(point, device, **trainable.arguments)
    if not isinstance(measurements, Iterator):
        raise ValueError(f"{trainable.loop} returned {type(measurements).__name__}; write yield, not return")
    latest: Measured | None = None
    judged = False
    for measured in measurements:
        _check(measured, latest, trainable.loop)
        judged = judged or math.isfinite(getattr(measured, metric.column))
        if latest is not None:
            yield _measurement(point, latest)
        latest = measured
        yield Measurement(step=latest.step, members=(), values={})  # a sign of life: the next measurement may take long
        if not math.isfinite(latest.train_loss):
            break
    if latest is None:
        raise ValueError(f"{trainable.loop} yielded no measurement")
    if not judged and math.isfinite(latest.train_loss):
        raise ValueError(
            f"{trainable.loop} never yielded a finite {metric.column}, the metric of this grid: yield it, or let the "
            "grid name another metric, such as metric: {name: test_loss}"
        )
    yield _measurement(point, latest, ended=True)


def _check(measured: object, latest: Measured | None, name: str) -> None:
    if not isinstance(measured, Measured):
        raise ValueError(f"{name} yielded {type(measured).__name__}; it must yield trainables.own_loop.Measured")
    if latest is not None and measured.step <= latest.step:
        raise ValueError(f"{name} yielded step {measured.step} after step {latest.step}; steps must grow")


def _measurement(point: Point, measured: Measured, *, ended: bool = False) -> Measurement:
    eta = point.eta if measured.eta_t is None else measured.eta_t
    lam = point.lam if measured.lam_t is None else measured.lam_t
    constant = measured.step * point.eta * point.lam / (1 - point.mu)
    values = {
        "epoch": measured.epoch,
        "train_acc": measured.train_acc,
        "test_acc": measured.test_acc,
        "train_loss": measured.train_loss,
        "test_loss": measured.test_loss,
        "weight_norm": measured.weight_norm,
        "eta_eff": math.nan,
        "eta_t": eta,
        "lam_t": lam,
        "decay_time": constant if measured.decay_time is None else measured.decay_time,
    }
    ends: tuple[Ended, ...] = ()
    if not math.isfinite(measured.train_loss):
        ends = (Ended(member=0, outcome=Outcome.DIVERGED, why="loss is not finite"),)
    elif ended:
        ends = (Ended(member=0, outcome=Outcome.COMPLETED),)
    columns = {name: np.array([value], dtype=np.float64) for name, value in values.items()}
    return Measurement(step=measured.step, members=(0,), values=columns, ends=ends)
