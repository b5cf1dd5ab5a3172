"""Training of one pack: the loop that every number of a sweep comes from.

Axis letters: P pack (the points still training), B batch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.grid import Measure
from search_spaces.measurement import measured_steps
from search_spaces.optimizer import Sgd
from search_spaces.outcome import Outcome
from search_spaces.points import Point
from search_spaces.trainable import Trainable
from trainables.data import load_data
from trainables.losses import cross_entropy, loss_scale, metrics
from trainables.models import build_model, initial_parameters
from trainables.optimizers import PackedSgd
from trainables.packed import pack_model
from trainables.profile import profile

EVALUATION_BATCH = 4096  # samples of one evaluation pass: bounds its memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Measurements of some points of a pack at one step.

    Attributes:
        step: optimizer steps taken.
        members: which points, as positions in the pack.
        values: column name to numbers, one a member: train_acc, test_acc, train_loss, test_loss, weight_norm,
            epoch, decay_time, eta_t, lam_t.
    """

    step: int
    members: tuple[int, ...]
    values: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A point of the pack is done and costs nothing from here on."""

    member: int
    step: int
    outcome: Outcome
    why: str = ""


def train_pack(
    points: Sequence[Point], trainable: Trainable, optimizer: Sgd, measure: Measure, device: str = "cpu"
) -> Iterator[Measurement | Ended]:
    """Train ``points`` together, each with its own η, λ, seed, initialization scale and budget.

    Args:
        points: of one pack: they differ in packable axes only.
        trainable: with the points' variant applied.
        optimizer: as in the grid; μ is the points'.
        measure: when to measure.
        device: a torch device.

    Yields:
        The measurements of each step that has some, then the ends of the points that ended with it.
    """
    run = _PackRun(points, trainable, measure, torch.device(device))
    while run.members:
        logits = run.training_logits() if run.full_batch else None
        if run.step == run.next_due:
            measurement = run.measure(logits)
            ends = run.ends(measurement)
            yield measurement
            yield from ends
            if ends:
                run.drop({end.member for end in ends})
                continue
        run.train_step(logits)


class _PackRun:
    """State of a pack in training: parameters, optimizer and step of the points that are still in it."""

    def __init__(self, points: Sequence[Point], trainable: Trainable, measure: Measure, device: torch.device) -> None:
        data = load_data(trainable.data)
        cost = profile(trainable)
        module = build_model(trainable.model, tuple(data.x_train.shape[1:]), data.classes)
        self.points, self.device = points, device
        self.data = data.to(device)
        self.model = pack_model(module)
        self.scale = loss_scale(trainable.loss, data.classes)
        self.batch, self.steps_per_epoch = cost.batch, cost.steps_per_epoch
        self.full_batch = cost.free_train_measurement
        self.last_step = [cost.last_step(p.budget) for p in points]
        self.due = [iter(measured_steps(measure, n, cost.steps_per_epoch).tolist()) for n in self.last_step]
        self.upcoming = [next(steps) for steps in self.due]
        self.batches = _Batches([p.seed for p in points], len(data.y_train), cost.batch)
        self.step = 0
        self.members = list(range(len(points)))
        initial = [
            initial_parameters(module, seed=p.seed, sigma_w=p.sigma_w, sigma_b=trainable.init.sigma_b) for p in points
        ]
        self.parameters = {
            name: torch.stack([i[name] for i in initial]).to(device).requires_grad_() for name in initial[0]
        }
        eta_P, lam_P = (
            torch.tensor([getattr(p, axis) for p in points], dtype=torch.float32, device=device)
            for axis in ("eta", "lam")
        )
        self.optimizer = PackedSgd(self.parameters, eta_P, lam_P, points[0].mu)

    @property
    def next_due(self) -> int:
        """The next step at which a point is measured."""
        return int(min(self.upcoming[m] for m in self.members))

    def training_logits(self) -> Tensor:
        """Outputs on the whole training set at the present parameters, with their graph."""
        return self.model(self.parameters, self.data.x_train, True)

    def train_step(self, logits: Tensor | None) -> None:
        """One optimizer step; ``logits`` are those of ``training_logits`` when the batch is full."""
        if logits is None:
            index = self.batches.at(self.step, self.members).to(self.device)
            logits = self.model(self.parameters, self.data.x_train[index], index.ndim == 1)
            labels = self.data.y_train[index]
        else:
            labels = self.data.y_train
        loss = cross_entropy(logits, labels, self.scale).sum()  # points share nothing, so this sums P separate graphs
        gradients = torch.autograd.grad(loss, list(self.parameters.values()))
        self.optimizer.step(self.parameters, gradients)
        self.step += 1

    @torch.no_grad()
    def measure(self, logits: Tensor | None) -> Measurement:
        """Measure the points that are due at this step."""
        at = [i for i, m in enumerate(self.members) if self.upcoming[m] == self.step]
        due = tuple(self.members[i] for i in at)
        everyone = len(at) == len(self.members)
        parameters = self.parameters if everyone else {k: p[at] for k, p in self.parameters.items()}
        test = self._evaluate(parameters, self.data.x_test, self.data.y_test)
        if logits is None:
            train = self._evaluate(parameters, self.data.x_train, self.data.y_train)
        else:
            train = metrics(logits if everyone else logits[at], self.data.y_train, self.scale)
        norm_P = sum((p.flatten(1).square().sum(1) for p in parameters.values()), start=torch.zeros(()))
        columns = torch.stack([*train, *test, norm_P]).double().cpu().numpy()
        names = ("train_acc", "train_loss", "test_acc", "test_loss", "weight_norm")
        for m in due:
            self.upcoming[m] = next(self.due[m], self.last_step[m])
        values = dict(zip(names, columns, strict=True)) | self._schedule(due)
        return Measurement(step=self.step, members=due, values=values)

    def ends(self, measurement: Measurement) -> list[Ended]:
        """Which of the points just measured are done, and how."""
        values = measurement.values
        finite = np.isfinite(values["train_loss"]) & np.isfinite(values["weight_norm"])
        ends = []
        for m, sound in zip(measurement.members, finite.tolist(), strict=True):
            if not sound:
                why = "loss or weights are not finite"
                ends.append(Ended(member=m, step=self.step, outcome=Outcome.DIVERGED, why=why))
            elif self.step == self.last_step[m]:
                ends.append(Ended(member=m, step=self.step, outcome=Outcome.COMPLETED))
        return ends

    def drop(self, done: set[int]) -> None:
        """Take points out of the pack."""
        index = torch.tensor([i for i, m in enumerate(self.members) if m not in done], device=self.device)
        self.members = [m for m in self.members if m not in done]
        if self.members:
            self.parameters = {k: p.detach()[index].requires_grad_() for k, p in self.parameters.items()}
            self.optimizer.keep(index)

    def _evaluate(self, parameters: Mapping[str, Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """(accuracy, loss) of each point on a whole set."""
        batches = zip(torch.split(x, EVALUATION_BATCH), torch.split(y, EVALUATION_BATCH), strict=True)
        each = [
            torch.stack(metrics(self.model(parameters, images, True), labels, self.scale)) * (len(labels) / len(y))
            for images, labels in batches
        ]
        accuracy_P, loss_P = torch.stack(each).sum(0)
        return accuracy_P, loss_P

    def _schedule(self, members: Sequence[int]) -> dict[str, NDArray[np.float64]]:
        """Epoch, learning rate, L2 coefficient and decay time s = Σ ηλ/(1-μ) of the points at this step."""
        eta, lam, mu = (np.array([getattr(self.points[m], axis) for m in members]) for axis in ("eta", "lam", "mu"))
        epoch = np.full(len(eta), self.step / self.steps_per_epoch)
        return {"epoch": epoch, "eta_t": eta, "lam_t": lam, "decay_time": self.step * eta * lam / (1 - mu)}


class _Batches:
    """Which samples each step sees: a permutation of the training set an epoch, from (seed, epoch) alone."""

    def __init__(self, seeds: Sequence[int], train: int, batch: int) -> None:
        self._seeds, self._train, self._batch = seeds, train, batch
        self._orders: dict[int, tuple[int, NDArray[np.int64]]] = {}

    def at(self, step: int, members: Sequence[int]) -> Tensor:
        """Indices of the batch of ``step``: (B,) if the members share a seed, else (P, B)."""
        epoch, position = divmod(step, self._train // self._batch)
        window = slice(position * self._batch, (position + 1) * self._batch)
        seeds = [self._seeds[m] for m in members]
        if len(set(seeds)) == 1:
            return torch.from_numpy(self._order(seeds[0], epoch)[window])
        return torch.from_numpy(np.stack([self._order(seed, epoch)[window] for seed in seeds]))

    def _order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        if self._orders.get(seed, (-1,))[0] != epoch:
            self._orders[seed] = epoch, np.random.default_rng([seed, epoch]).permutation(self._train)
        return self._orders[seed][1]
