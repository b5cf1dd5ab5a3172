"""A pack of infinitely wide networks: the measurements of ``train_pack`` for ``trainable: {kernel: …}``."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from search_spaces.laws.measurement import measured_steps
from search_spaces.outcome import Outcome
from search_spaces.points import Point
from search_spaces.recipe import Recipe
from search_spaces.sections.trainable import KernelTrainable, ReluKernel
from trainables.kernel.cost import kernel_profile
from trainables.kernel.dynamics import Flow, make_flow, modes_of
from trainables.kernel.start import KernelTask, initial_state, kernel_task
from trainables.measurement import Ended, Measurement
from trainables.step.l2 import weight_decay_of

_MEASURED = ("train_acc", "train_loss", "test_acc", "test_loss")


def run_kernel(
    points: Sequence[Point], recipe: Recipe, trainable: KernelTrainable, device: str
) -> Iterator[Measurement]:
    """Follow ``points`` in time t = step · η, and yield their measurements.

    Points of one seed and σ_w share kernel and eigenvectors.

    Args:
        points: the points of one pack.
        recipe: the grid's, with the points' variant applied.
        trainable: its ``trainable``.
        device: a torch device.

    Raises:
        InputError: a network, data set or loss cannot give what the grid asks for.
    """
    pack = _KernelPack(points, recipe, trainable, torch.device(device))
    upcoming = dict.fromkeys(range(len(points)), 0)  # index of each member's next measurement
    while upcoming:
        step = min(int(pack.due[m][i]) for m, i in upcoming.items())
        members = tuple(m for m, i in upcoming.items() if pack.due[m][i] == step)
        measurement = pack.measure(step, members)
        upcoming |= {m: upcoming[m] + 1 for m in members}
        upcoming = {m: i for m, i in upcoming.items() if m not in {end.member for end in measurement.ends}}
        yield measurement


class _KernelPack:
    """The flows of the points of a pack.

    Attributes:
        due: the steps at which each point is measured, (n,) each.
    """

    def __init__(
        self, points: Sequence[Point], recipe: Recipe, trainable: KernelTrainable, device: torch.device
    ) -> None:
        cost, task = kernel_profile(recipe, trainable), kernel_task(trainable)
        self._points, self._loss = points, task.loss
        self._lam = [weight_decay_of(recipe.l2, p.lam, cost.train) for p in points]
        self._flows = _flows(points, self._lam, trainable, task, device)
        self._labels = task.data.train.labels.to(device), task.data.test.labels.to(device)
        self._count = cost.train if recipe.measure.train == "all" else min(cost.train, recipe.measure.train)
        self.due = [measured_steps(recipe.measure, cost.last_step(p.budget), 1) for p in points]

    def measure(self, step: int, members: tuple[int, ...]) -> Measurement:
        """Measure the ``members`` after ``step`` steps."""
        rows = torch.stack([self._row(self._flows[m].at(step * self._points[m].eta)) for m in members])
        values = dict(zip(_MEASURED, rows.T.cpu().numpy(), strict=True))
        eta, lam = np.array([self._points[m].eta for m in members]), np.array([self._lam[m] for m in members])
        nothing = np.full(len(members), math.nan)  # there are no weights
        values |= {"weight_norm": nothing, "eta_eff": nothing, "eta_t": eta, "lam_t": lam}
        values |= {"epoch": np.full(len(members), float(step)), "decay_time": step * eta * lam}
        ends = (self._end(m, step, loss) for m, loss in zip(members, values["train_loss"], strict=True))
        return Measurement(step=step, members=members, values=values, ends=tuple(end for end in ends if end))

    def _row(self, outputs: tuple[Tensor, Tensor]) -> Tensor:
        """Return accuracy and loss on training samples, then on test samples, (4,)."""
        counts = self._count, len(self._labels[1])
        metrics = []
        for f, labels, count in zip(outputs, self._labels, counts, strict=True):
            correct, loss = self._loss.sums(f[:count].unsqueeze(0), labels[:count])
            metrics += [correct[0] / count, loss[0] * self._loss.factor(count)]
        return torch.stack(metrics)

    def _end(self, member: int, step: int, loss: float) -> Ended | None:
        if not math.isfinite(loss):
            return Ended(member=member, outcome=Outcome.DIVERGED, why="loss is not finite")
        return Ended(member=member, outcome=Outcome.COMPLETED) if step == self.due[member][-1] else None


def _flows(
    points: Sequence[Point], lams: Sequence[float], trainable: KernelTrainable, task: KernelTask, device: torch.device
) -> list[Flow]:
    start_keys = [(0 if isinstance(trainable.kernel, ReluKernel) else p.seed, p.sigma_w) for p in points]
    starts = {key: initial_state(trainable, *key, device) for key in dict.fromkeys(start_keys)}
    modes = {key: modes_of(start, task.loss) for key, start in starts.items()}
    return [
        make_flow(starts[key], task.loss, modes[key], lam, task.homogeneity)
        for key, lam in zip(start_keys, lams, strict=True)
    ]
