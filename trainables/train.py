"""Training of one pack: the loop that every number of a sweep comes from, and what is kept of it to go on later.

Axis letters: P pack (the points still training), B batch, C classes.
"""

import io
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.laws.measurement import measured_steps
from search_spaces.outcome import Outcome
from search_spaces.points import Point
from search_spaces.recipe import Recipe
from search_spaces.sections.trainable import KernelTrainable, OwnLoop, OwnTrainable, Trainable
from trainables.kernel.run import run_kernel
from trainables.measurement import EVALUATION_BATCH, Ended, Measurement
from trainables.own_loop import run_own_loop
from trainables.pack.group import SINGLE_PROCESS, Group
from trainables.peaked import Record, is_past, record_if_best
from trainables.profile import measured_train, profile, whole_batch
from trainables.step.batches import Batches, Inputs
from trainables.step.l2 import decayed_parameters, weight_decay_of
from trainables.step.optimizers import make_optimizer
from trainables.step.packed import PackedModel, pack_model
from trainables.step.rates import Rates
from trainables.task import initial_weights, scale_invariant_weights, task_of

COMPILED_FORMS = 128  # torch's limit is 8; a network takes some four: in training and not, for one point and several


class Training(Protocol):
    """Points in training, whatever trains them."""

    def measurements(self, pulse: float = math.inf) -> Iterator[Measurement]:
        """Train to the end of the last point.

        Args:
            pulse: seconds after which a measurement of no point is yielded, as a sign of life.

        Yields:
            The measurements of each step that has some, with the ends of the points that ended there.
        """
        ...

    def state_dict(self) -> dict[str, Any] | None:
        """All that the next step depends on; None if it must start anew to go on."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state_dict`` of an equal training was taken."""
        ...

    def weights(self, member: int) -> dict[str, Tensor] | None:
        """Parameters and buffers, on the CPU, of a point that ended with the latest measurement; None if unknown."""
        ...


def start_training(
    points: Sequence[Point], recipe: Recipe, device: str = "cpu", group: Group = SINGLE_PROCESS
) -> Training:
    """``points`` at their start, each with its own η, λ, seed, initialization scale and budget.

    Args:
        points: of one pack: they differ in packable axes only.
        recipe: the grid's, with the points' variant applied.
        device: a torch device.
        group: the processes that train them, as their leader sees it; the others ``assist``.
    """
    if isinstance(recipe.trainable, OwnLoop):
        return Unresumable(partial(run_own_loop, points[0], recipe.trainable, device))
    if isinstance(recipe.trainable, KernelTrainable):
        return Unresumable(partial(run_kernel, points, recipe, recipe.trainable, device))
    return PackTraining(points, recipe, device, group)


def train_pack(points: Sequence[Point], recipe: Recipe, device: str = "cpu") -> Iterator[Measurement]:
    """The measurements of ``start_training`` alone."""
    return start_training(points, recipe, device).measurements()


class Unresumable:
    """A training that can only start anew: a loop of one's own, whose state is its own, and theory, which is cheap."""

    def __init__(self, run: Callable[[], Iterator[Measurement]]) -> None:
        """``run`` yields the measurements."""
        self._run = run

    def measurements(self, pulse: float = math.inf) -> Iterator[Measurement]:
        """See ``Training``; only measurements are signs of life."""
        return self._run()

    def state_dict(self) -> None:
        """Nothing is kept."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Never called, for there is no state."""
        raise NotImplementedError

    def weights(self, member: int) -> None:
        """A loop of one's own has its own."""


class PackTraining:
    """A pack in training: parameters, optimizer and step of the points that are still in it."""

    def __init__(
        self, points: Sequence[Point], recipe: Recipe, device: str = "cpu", group: Group = SINGLE_PROCESS
    ) -> None:
        """At the points' initial weights."""
        trainable = recipe.trainable
        assert not isinstance(trainable, OwnLoop | KernelTrainable)
        self._points, self._recipe, self._group = points, recipe, group
        self._device, self._numerics = torch.device(device), trainable.numerics
        task, cost = task_of(trainable), profile(recipe)
        data, module = task.data.to(self._device), task.model()
        self._model = _compiled(trainable) if trainable.numerics.compile else pack_model(module)
        self._loss = task.objective()
        self._invariant = scale_invariant_weights(trainable)
        self._steps_per_epoch = cost.steps_per_epoch
        self._train, self._test = Inputs(data.train, data), Inputs(data.test, data)
        self._counts = measured_train(recipe, cost.train), cost.test
        size = cost.batch // cost.micro_batches
        self._batch, self._micro_batches = cost.batch, cost.micro_batches
        self._weight = self._loss.factor(cost.batch) / self._loss.factor(size)  # of a micro-batch's loss in a step's
        own = [slice(i, i + size) for i in range(0, cost.batch, size)][group.rank :: group.size]
        self._batches = Batches([p.seed for p in points], data, self._train, cost.batch, trainable.augment, own)
        self._whole = whole_batch(trainable, size == cost.train, module)
        self._signal = recipe.l2.auto.signal if recipe.l2.auto else None
        last_step = np.array([cost.last_step(p.budget) for p in points])
        self._due = [measured_steps(recipe.measure, int(n), cost.steps_per_epoch) for n in last_step]
        self._members = list(range(len(points)))
        self._ended: dict[int, dict[str, Tensor]] = {}  # by the measurement just yielded
        self._step = 0
        self._upcoming = {m: self._due_after(m, 0) for m in self._members}
        weights = [initial_weights(trainable, task, p.seed, p.sigma_w) for p in points]
        self._parameters = {k: t.requires_grad_() for k, t in _stacked([p for p, _ in weights], self._device).items()}
        self._buffers = _stacked([b for _, b in weights], self._device)
        numbers = [name for name, _ in module.named_buffers() if self._buffers[name].dtype != torch.bool]
        self._running = numbers if cost.micro_batches > 1 else []
        decayed = decayed_parameters(module, recipe.l2)
        self._optimizer = make_optimizer(recipe.optimizer, self._parameters, mu=points[0].mu, decayed=decayed)
        per_lam = weight_decay_of(recipe.l2, 1.0, cost.train)
        self._rates = Rates(points, recipe, per_lam, last_step, self._device)
        stoppable = [m for m, p in enumerate(points) if recipe.stop == "peaked" and p.lam > 0]
        self._records: dict[int, Record] = {m: [] for m in stoppable}

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, as numbers, lists and tensors, which later steps do not change.

        Complete whenever ``measurements`` has just yielded. What a step draws at random (batch order, augmentation)
        comes from its seed and its number alone and needs no state.
        """
        return {
            "step": self._step,
            "members": list(self._members),
            "rates": self._rates.state_dict(),
            "records": {m: list(record) for m, record in self._records.items()},
            "parameters": _copied({k: p.detach() for k, p in self._parameters.items()}),
            "buffers": _copied(self._buffers),
            "optimizer": _copied(self._optimizer.state_dict()),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state_dict`` of an equal pack was taken; on a CPU all further steps are then the same."""
        self._drop(set(self._members) - set(state["members"]))
        self._step = state["step"]
        self._upcoming = {m: self._due_after(m, self._step) for m in self._members}
        self._rates.load_state_dict(state["rates"])
        self._records = {m: [(acc, s) for acc, s in record] for m, record in state["records"].items()}
        with torch.no_grad():
            for own, saved in ((self._parameters, state["parameters"]), (self._buffers, state["buffers"])):
                for name, tensor in own.items():
                    tensor.copy_(saved[name])
        self._optimizer.load_state_dict(state["optimizer"])

    def weights(self, member: int) -> dict[str, Tensor]:
        """See ``Training``."""
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in self._ended[member].items()}

    def measurements(self, pulse: float = math.inf) -> Iterator[Measurement]:
        """Train to the end of the last point; see ``Training``."""
        self.prepare()
        self._summon()
        last = time.monotonic()
        while self._members:
            outputs = self._whole_outputs() if self._whole else None
            if self._step == min(self._upcoming.values()):
                measurement = self._measure(outputs)
                state = {**self._parameters, **self._buffers}
                at = {end.member: self._members.index(end.member) for end in measurement.ends}
                self._ended = {m: {name: t[i] for name, t in state.items()} for m, i in at.items()}
                self._drop({end.member for end in measurement.ends})
                yield measurement
                self._ended = {}  # views of the tensors of the whole pack, which they keep in memory
                last = time.monotonic()
                if measurement.ends:
                    self._summon()
                    continue
            elif time.monotonic() - last > pulse:
                yield Measurement(step=self._step, members=(), values={})
                last = time.monotonic()
            self._group.say("step")
            self.step(outputs)

    def prepare(self) -> None:
        """Before the first step or measurement, since it is a setting of the whole process."""
        _set_precision(self._numerics.precision)

    def _summon(self) -> None:
        """Let the other processes of the group train the same points from the same state on."""
        if self._group.size > 1 and self._members:
            state = io.BytesIO()
            torch.save(self.state_dict(), state)
            self._group.say("begin", self._points, self._recipe, str(self._device), state.getvalue())
            self._group.total(tuple)

    def _whole_outputs(self) -> Tensor:
        """Outputs on the whole training set at the present parameters, with their graph."""
        return self._forward(self._train.first(len(self._train.labels))[0], shared=True)

    def step(self, outputs: Tensor | None = None) -> None:
        """One optimizer step, as every process of the group takes it.

        Args:
            outputs: those of ``_whole_outputs`` when the batch is full.
        """
        look = self._signal is not None and self._step > 0 and self._step % self._rates.every == 0
        if look and self._signal == "train" and not self._whole:
            accuracy_P, loss_P = self._evaluate(self._parameters, self._buffers, self._train, len(self._train.labels))
            self._rates.observe(self._step, loss_P, 1 - accuracy_P)
            look = False
        if outputs is None:
            before = {name: self._buffers[name].clone() for name in self._running}
            totals = self._group.total(lambda: _summed(self._own_shares(before, look)))
        else:
            before, totals = {}, self._backward(outputs, self._train.labels, look)
        gradients, rest = totals[: len(self._parameters)], totals[len(self._parameters) :]
        if look:
            correct_P, loss_P, *rest = rest
            self._rates.observe(self._step, loss_P * self._loss.factor(self._batch), 1 - correct_P / self._batch)
        for (name, buffer), change in zip(before.items(), rest, strict=True):
            self._buffers[name].copy_(buffer + (change / self._micro_batches).to(buffer.dtype))
        self._optimizer.step(self._parameters, gradients, *self._rates.advance(self._step))
        self._step += 1

    def _own_shares(self, before: Mapping[str, Tensor], look: bool) -> Iterator[list[Tensor]]:
        """Of each of this process's micro-batches: what ``_backward`` says, then changes of the running statistics.

        Each micro-batch finds the statistics as they were ``before`` the step, so that it does not matter who computes
        it and when.
        """
        for x, targets, shared in self._batches.of_step(self._step, self._members):
            for name, buffer in before.items():
                self._buffers[name].copy_(buffer)
            share = self._backward(self._forward(x, shared=shared), targets, look)
            yield share + [self._buffers[name] - buffer for name, buffer in before.items()]

    def _backward(self, outputs: Tensor, targets: Tensor, look: bool) -> list[Tensor]:
        """Gradients of a micro-batch's part of the loss, and if AutoL2 is to ``look`` at it (correct, loss) too."""
        loss = self._loss.objective(outputs, targets).sum()  # points share nothing, so this sums P separate graphs
        weight = torch.full_like(loss, self._weight)
        gradients = torch.autograd.grad(loss, list(self._parameters.values()), weight, materialize_grads=True)
        return [*gradients, *(self._loss.sums(outputs, targets) if look else ())]

    @torch.no_grad()
    def _measure(self, outputs: Tensor | None) -> Measurement:
        """Measure the points that are due at this step."""
        at = [i for i, m in enumerate(self._members) if self._upcoming[m] == self._step]
        due = tuple(self._members[i] for i in at)
        self._group.say("measure", at)
        train, test = self.accuracies(at, outputs)
        norms = self._norms(self._of(self._parameters, at))
        columns = torch.stack([*train, *test, *norms]).double().cpu().numpy()
        values = dict(zip(_MEASURED, columns, strict=True)) | self._rates.columns(at)
        values["epoch"] = np.full(len(due), self._step / self._steps_per_epoch)
        values["eta_eff"] = values["eta_t"] / np.where(values["eta_eff"] > 0, values["eta_eff"], np.nan)
        ends = self._ends(due, values)
        self._upcoming |= {m: self._due_after(m, self._step) for m in due}
        return Measurement(step=self._step, members=due, values=values, ends=ends)

    @torch.no_grad()
    def accuracies(self, at: Sequence[int], outputs: Tensor | None = None) -> tuple[tuple[Tensor, Tensor], ...]:
        """((accuracy, loss) on the training samples, the same on the test set), (P,) each, of the points at ``at``.

        Every process of the group measures a share of the samples. ``outputs`` as in ``step``.
        """
        parameters, buffers = self._of(self._parameters, at), self._of(self._buffers, at)
        count, test_count = self._counts
        test = self._evaluate(parameters, buffers, self._test, test_count)
        if outputs is None:
            return self._evaluate(parameters, buffers, self._train, count), test
        everyone = len(at) == len(self._members)
        correct_P, loss_P = self._loss.sums(
            (outputs if everyone else outputs[at])[:, :count], self._train.labels[:count]
        )
        return (correct_P / count, loss_P * self._loss.factor(count)), test

    def _of(self, tensors: Mapping[str, Tensor], at: Sequence[int]) -> Mapping[str, Tensor]:
        """Those of the points at ``at``."""
        return tensors if len(at) == len(self._members) else {name: t[at] for name, t in tensors.items()}

    def _norms(self, parameters: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """‖θ‖² of all parameters and of the scale-invariant ones, (P,) each."""
        squares = {name: p.flatten(1).square().sum(1) for name, p in parameters.items()}
        none = torch.zeros(len(next(iter(squares.values()))), device=self._device)
        return sum(squares.values(), start=none), sum((squares[name] for name in self._invariant), start=none)

    def _ends(self, due: Sequence[int], values: Mapping[str, NDArray[np.float64]]) -> tuple[Ended, ...]:
        """Which of the points just measured are done, and how."""
        finite = np.isfinite(values["train_loss"]) & np.isfinite(values["weight_norm"])
        ends = []
        for m, sound, acc, s in zip(
            due, finite.tolist(), values["test_acc"].tolist(), values["decay_time"].tolist(), strict=True
        ):
            if m in self._records:
                record_if_best(self._records[m], acc, s)
            if not sound:
                ends.append(Ended(member=m, outcome=Outcome.DIVERGED, why="loss or weights are not finite"))
            elif self._step == self._due[m][-1]:
                ends.append(Ended(member=m, outcome=Outcome.COMPLETED))
            elif m in self._records and is_past(self._records[m], s):
                ends.append(Ended(member=m, outcome=Outcome.STOPPED, why="its test accuracy has peaked"))
        return tuple(ends)

    def _drop(self, done: set[int]) -> None:
        """Take points out of the pack."""
        if not done:
            return
        kept = [i for i, m in enumerate(self._members) if m not in done]
        self._members = [m for m in self._members if m not in done]
        self._upcoming = {m: self._upcoming[m] for m in self._members}
        index = torch.tensor(kept, dtype=torch.int64, device=self._device)
        self._parameters = {k: p.detach()[index].requires_grad_() for k, p in self._parameters.items()}
        self._buffers = {k: b[index] for k, b in self._buffers.items()}
        self._optimizer.keep(index)
        self._rates.keep(kept)

    def _due_after(self, member: int, step: int) -> int:
        """The first step after ``step`` at which ``member`` is measured; its last step when there is none."""
        due = self._due[member]
        return int(due[min(int(np.searchsorted(due, step, side="right")), len(due) - 1)])

    @torch.no_grad()
    def _evaluate(
        self, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor], inputs: Inputs, count: int
    ) -> tuple[Tensor, Tensor]:
        """(accuracy, loss) of each point on the first ``count`` samples."""
        points = len(next(iter(parameters.values())))

        def share() -> list[Tensor]:
            each = [
                torch.stack(self._loss.sums(self._outputs(parameters, buffers, x, training=False), labels))
                for x, labels in inputs.chunks(count, EVALUATION_BATCH, self._group.rank, self._group.size)
            ]
            return [torch.stack(each).sum(0) if each else torch.zeros(2, points, device=self._device)]

        ((correct_P, loss_P),) = self._group.total(share)
        return correct_P / count, loss_P * self._loss.factor(count)

    def _forward(self, x: Tensor, *, shared: bool) -> Tensor:
        return self._outputs(self._parameters, self._buffers, x, shared=shared, training=True)

    def _outputs(
        self,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        x: Tensor,
        *,
        shared: bool = True,
        training: bool,
    ) -> Tensor:
        """Outputs (P, B, C), float32 whatever the model computes in."""
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._numerics.precision == "bfloat16"):
            return self._model(parameters, buffers, x, shared=shared, training=training).float()


_MEASURED = ("train_acc", "train_loss", "test_acc", "test_loss", "weight_norm", "eta_eff")


@lru_cache(maxsize=8)
def _compiled(trainable: Trainable | OwnTrainable) -> PackedModel:
    """Kept, so that a worker compiles once and not for every pack."""
    # All networks count together, and beyond the limit torch would say so once and compile no more.
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, COMPILED_FORMS)
    return pack_model(task_of(trainable).model(), compiled=True)


def _summed(each: Iterable[list[Tensor]]) -> list[Tensor]:
    """The sum of lists of tensors, entry by entry."""
    totals: list[Tensor] = []
    for i, tensors in enumerate(each):
        match i:
            case 0:
                totals = tensors
            case 1:  # not in place: a gradient may be a view of another's memory
                totals = [a + b for a, b in zip(totals, tensors, strict=True)]
            case _:
                for a, b in zip(totals, tensors, strict=True):
                    a.add_(b)
    return totals


def _stacked(each: Sequence[Mapping[str, Tensor]], device: torch.device) -> dict[str, Tensor]:
    """Tensors of the points, (P, …) each."""
    return {name: torch.stack([tensors[name] for tensors in each]).to(device) for name in each[0]}


def _set_precision(precision: str) -> None:
    """Matrix products and convolutions of a GPU: full float32 unless the grid says tf32."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """In the memory of this machine: that of a GPU may be full."""
    return {name: tensor.to("cpu", copy=True) for name, tensor in tensors.items()}
