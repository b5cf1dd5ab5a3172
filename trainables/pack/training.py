"""Training of one pack: the loop that every number of a sweep comes from.

Axis letters: P pack (the points still training), B batch, C outputs of the model.
"""

import io
import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces.points import Point
from search_spaces.recipe import Recipe
from search_spaces.sections.trainable import KernelTrainable, OwnLoop, OwnTrainable, Trainable
from trainables.admission import Admission, admission_of
from trainables.measurement import Ended, Measurement
from trainables.pack.evaluation import Evaluation, TrainTestMetrics
from trainables.pack.gradients import Gradients
from trainables.pack.group import SINGLE_PROCESS, Group
from trainables.pack.members import Members
from trainables.pack.network import Network, host_copies, set_float32_precision
from trainables.pack.packed_network import PackedNetwork
from trainables.pack.separate import SeparateNetwork
from trainables.profile import measured_train_samples, measures_train_set, profile
from trainables.step.batches import Batches, Inputs
from trainables.step.l2 import decayed_parameters, weight_decay_of
from trainables.step.optimizers import make_optimizer
from trainables.step.rates import Rates
from trainables.step.real import real_view, real_views
from trainables.task import built_from, task_of
from trainables.torch_state import neutral_torch

_METRICS = ("train_acc", "train_loss", "test_acc", "test_loss")


class _Setup(NamedTuple):
    """All that a process needs to make the same ``PackTraining``."""

    points: Sequence[Point]
    recipe: Recipe
    device: str


class PackTraining:
    """A pack in training: network, optimizer and rates of the points that still train."""

    def __init__(
        self, points: Sequence[Point], recipe: Recipe, device: str = "cpu", group: Group = SINGLE_PROCESS
    ) -> None:
        """Start at the points' initial weights.

        Args:
            points: the points of one pack; they differ in packable axes only.
            recipe: the grid's, with the points' variant applied.
            device: a torch device.
            group: the processes that train the pack, as this process sees them.
        """
        trainable = recipe.trainable
        assert not isinstance(trainable, OwnLoop | KernelTrainable)
        self._setup, self._group = _Setup(points, recipe, device), group
        task, cost = task_of(trainable), profile(recipe)
        admission = admission_of(trainable, task)
        data, module = task.data.to(torch.device(device)), built_from(task, points[0].seed)
        loss = task.objective(together=admission.loss_together)
        self._network = _make_network(points, trainable, module, torch.device(device), admission)
        train, test = Inputs(data.train, data), Inputs(data.test, data)
        self._evaluation = Evaluation(
            self._network, loss, train, test, measured_train_samples(recipe, cost.train), group
        )
        size = cost.batch // cost.micro_batches
        micro_batches = [slice(i, i + size) for i in range(0, cost.batch, size)][group.rank :: group.size]
        batches = Batches([p.seed for p in points], data, train, cost.batch, trainable.augment, micro_batches)
        full_batch = train if measures_train_set(trainable, size == cost.train, module, admission) else None
        self._gradients = Gradients(self._network, loss, batches, group, cost, full_batch)
        last_steps = np.array([cost.last_step(p.budget) for p in points])
        self._members = Members(points, recipe, last_steps, cost.steps_per_epoch)
        self._rates = Rates(
            points, recipe, weight_decay_of(recipe.l2, 1.0, cost.train), last_steps, self._network.device
        )
        decayed = decayed_parameters(module, recipe.l2)
        parameters = real_views(self._network.parameters)
        self._optimizer = make_optimizer(recipe.optimizer, parameters, mu=points[0].mu, decayed=decayed)
        self._step = 0
        self._ended: dict[int, dict[str, Tensor]] = {}  # weights of the members that the latest measurement ended

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next step depends on, as numbers, lists and tensors, which later steps do not change.

        It is complete whenever ``measurements`` has just yielded. What a step draws at random (batch order,
        augmentation) comes from its seed and its number alone and needs no state.
        """
        return {
            "step": self._step,
            "members": list(self._members.training),
            "rates": self._rates.state_dict(),
            "records": self._members.saved_records(),
            **self._network.state_dict(),
            "optimizer": host_copies(self._optimizer.state_dict()),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from the ``state_dict`` of an equal pack; on a CPU all further steps are then the same."""
        self._drop(set(self._members.training) - set(state["members"]))
        self._step = state["step"]
        self._members.resume(state["step"], state["records"])
        self._rates.load_state_dict(state["rates"])
        self._network.load_state_dict(state["parameters"], state["buffers"])
        self._optimizer.load_state_dict(state["optimizer"])

    def weights(self, member: int) -> dict[str, Tensor]:
        """Return parameters and buffers, (...) each, of a member that ended with the latest measurement, on the CPU."""
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in self._ended[member].items()}

    def measurements(self, heartbeat_seconds: float = math.inf) -> Iterator[Measurement]:
        """Train to the end of the last point, and yield each measurement; see ``Training``."""
        measurements = self._measurements(heartbeat_seconds)
        while True:
            with neutral_torch():  # not around a yield: the caller would run in it too
                self.set_precision()
                measurement = next(measurements, None)
            if measurement is None:
                return
            yield measurement

    def _measurements(self, heartbeat_seconds: float) -> Iterator[Measurement]:
        """Yield each measurement, in torch's neutral state."""
        self._broadcast_state()
        yielded = time.monotonic()
        while self._members.training:
            outputs = self.full_batch_outputs()
            if self._step == self._members.next_step:
                measurement = self._measure(outputs)
                self._release(measurement.ends)
                yield measurement
                self._ended = {}  # these views keep the tensors of the whole pack in memory
                yielded = time.monotonic()
                if measurement.ends:
                    self._broadcast_state()
                    continue
            elif time.monotonic() - yielded > heartbeat_seconds:
                yield Measurement(step=self._step, members=(), values={})
                yielded = time.monotonic()
            self._group.broadcast("step")
            self.step(outputs)

    def set_precision(self) -> None:
        """Set the precision of the process; to be called before the first step or measurement.

        Where one point trains, cuDNN tries its algorithms for each convolution once and takes the fastest. It would try
        them again for each size of a pack that shrinks.
        """
        set_float32_precision(self._network.precision)
        torch.backends.cudnn.benchmark = len(self._members.training) == 1

    def full_batch_outputs(self) -> Tensor | None:
        """Return the outputs (P, B, C) on the whole training set, with their graph; None if batches are smaller."""
        return self._gradients.full_batch_outputs()

    def step(self, outputs_PBC: Tensor | None = None) -> None:
        """Take one optimizer step, as every process of the group takes it.

        Args:
            outputs_PBC: the outputs of ``full_batch_outputs`` at the present parameters.
        """
        observed = self._rates.observed_after(self._step)
        if observed and self._rates.signal == "train" and not self._gradients.full_batch:
            accuracy_P, loss_P = self._evaluation.whole_train_set()
            self._rates.observe(self._step, loss_P, 1 - accuracy_P)
            observed = False
        gradients, signal = self._gradients.of_step(self._step, self._members.training, outputs_PBC, signal=observed)
        if signal is not None:
            self._rates.observe(self._step, signal.loss, signal.error)
        parameters = self._network.parameters
        rates = self._rates.advance(self._step)
        self._optimizer.step(real_views(parameters), [real_view(g) for g in gradients], *rates)
        self._network.assign(parameters)
        self._step += 1

    def evaluate(self, positions: Sequence[int], outputs_PBC: Tensor | None = None) -> TrainTestMetrics:
        """Return the metrics of some points, as every process of the group evaluates a share of the samples.

        Args:
            positions: positions of the points on the pack axis, (n,).
            outputs_PBC: the outputs of ``full_batch_outputs`` at the present parameters.
        """
        return self._evaluation.measure(positions, outputs_PBC)

    def _broadcast_state(self) -> None:
        """Send the state to the other processes of the group, which then train the same points from it."""
        if self._group.size > 1 and self._members.training:
            state = io.BytesIO()
            torch.save(self.state_dict(), state)
            self._group.broadcast("begin", *self._setup, state.getvalue())
            self._group.all_reduce(tuple)

    @torch.no_grad()
    def _measure(self, outputs_PBC: Tensor | None) -> Measurement:
        """Measure the points that are due at this step."""
        positions = self._members.positions_due(self._step)
        members = tuple(self._members.training[i] for i in positions)
        self._group.broadcast("measure", positions)
        train, test = self.evaluate(positions, outputs_PBC)
        norms = self._network.squared_norms(positions)
        columns = torch.stack([*train, *test, *norms]).double().cpu().numpy()
        *metrics, weight_norm, scale_invariant_norm = columns
        values = dict(zip(_METRICS, metrics, strict=True)) | self._rates.columns(positions)
        values["weight_norm"] = weight_norm
        values["eta_eff"] = values["eta_t"] / np.where(scale_invariant_norm > 0, scale_invariant_norm, np.nan)
        values["epoch"] = np.full(len(members), self._members.epochs(self._step))
        ends = self._members.record(self._step, members, values)
        return Measurement(step=self._step, members=members, values=values, ends=ends)

    def _release(self, ends: Sequence[Ended]) -> None:
        """Take members that have ended out of the pack, and keep their weights for ``weights``."""
        positions = {end.member: self._members.training.index(end.member) for end in ends}
        self._ended = {m: self._network.views_at(i) for m, i in positions.items()}
        self._drop(positions.keys())

    def _drop(self, ended: Collection[int]) -> None:
        """Take members out of the pack."""
        if not ended:
            return
        kept = self._members.drop(ended)
        index = torch.tensor(kept, dtype=torch.int64, device=self._network.device)
        self._network.keep(index)
        self._optimizer.keep(index)
        self._rates.keep(kept)


def _make_network(
    points: Sequence[Point],
    trainable: Trainable | OwnTrainable,
    module: nn.Module,
    device: torch.device,
    admission: Admission,
) -> Network:
    """Return the networks of a pack with their initial weights: as one packed model, or each in a module of its own.

    Args:
        points: the points of the pack.
        trainable: the grid's ``trainable``, with the points' variant applied.
        module: one network of the task; it is used for its structure only.
        device: the torch device to train on.
        admission: how the points of the task train.
    """
    if admission.together:
        return PackedNetwork(points, trainable, module, device, admission)
    return SeparateNetwork(points, trainable, device, admission)
