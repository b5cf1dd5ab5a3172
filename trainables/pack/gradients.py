"""Gradients of one step of a pack, summed over micro-batches and over the processes of its group.

Axis letters: P pack (the points still training), B batch, C outputs of the model; ``...`` the shape of a tensor of one
point.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from search_spaces.cost import Profile
from trainables.pack.group import Group
from trainables.pack.network import Draw, Network
from trainables.step.batches import Batches, Inputs
from trainables.step.losses import Loss


class TrainingSignal(NamedTuple):
    """Training loss and error of each point, from which AutoL2 decides.

    Attributes:
        loss: loss as the grid scales it, without the L2 term, (P,).
        error: share of samples misclassified, 0 to 1, (P,).
    """

    loss: Tensor
    error: Tensor


class StepGradients(NamedTuple):
    """Gradients of one step.

    Attributes:
        gradients: of each parameter, (P, ...) each, in the order of the network's parameters; without the L2 term.
        signal: loss and error on the step's batch, if they were asked for.
    """

    gradients: list[Tensor]
    signal: TrainingSignal | None


class Gradients:
    """Gradients of the loss on the batch of each step."""

    def __init__(
        self,
        network: Network,
        loss: Loss,
        batches: Batches,
        group: Group,
        cost: Profile,
        full_batch: Inputs | None,
    ) -> None:
        """Compute gradients of ``network``.

        Args:
            network: the networks of the pack.
            loss: the loss of the task.
            batches: the training batches, of which this process takes its micro-batches.
            group: the processes that train the pack.
            cost: sizes of a batch and of its micro-batches.
            full_batch: the training set, if a step's forward pass is also a measurement of it.
        """
        self._network, self._loss, self._batches, self._group = network, loss, batches, group
        self._full_batch, self._batch, self._micro_batches = full_batch, cost.batch, cost.micro_batches
        self._count = len(network.parameters)
        self._averaged = network.running_statistics if cost.micro_batches > 1 else []
        size = cost.batch // cost.micro_batches
        self._weight = loss.factor(cost.batch) / loss.factor(
            size
        )  # weight of a micro-batch's loss in the loss of a step

    @property
    def full_batch(self) -> bool:
        """True if a step's forward pass is also a measurement of the training set."""
        return self._full_batch is not None

    def full_batch_outputs(self) -> Tensor | None:
        """Return the outputs (P, B, C) on the whole training set, with their graph; None if batches are smaller."""
        if self._full_batch is None:
            return None
        x = self._full_batch.first(len(self._full_batch.labels))[0]
        return self._network.train_outputs(x, Draw(0, 0), shared=True)  # a network that draws is measured apart

    def of_step(self, step: int, members: Sequence[int], outputs_PBC: Tensor | None, *, signal: bool) -> StepGradients:
        """Return the gradients of one step, and update the running statistics.

        Args:
            step: optimizer steps taken before.
            members: the points of the pack that still train.
            outputs_PBC: outputs of ``full_batch_outputs``; None if batches are smaller.
            signal: whether loss and error on the batch are asked for too.
        """
        if outputs_PBC is None:
            before = self._network.buffer_values(self._averaged)
            sums = self._group.all_reduce(lambda: _summed(self._shares(step, members, before, signal)))
        else:
            assert self._full_batch is not None
            before, sums = {}, self._backward(outputs_PBC, self._full_batch.labels, signal)
        gradients, rest = sums[: self._count], sums[self._count :]
        training_signal = None
        if signal:
            correct_P, loss_P, *rest = rest
            loss_P = loss_P * self._loss.factor(self._batch)
            training_signal = TrainingSignal(loss_P, error=1 - correct_P / self._batch)
        changes = zip(before.items(), rest, strict=True)
        self._network.set_buffers({n: b + (change / self._micro_batches).to(b.dtype) for (n, b), change in changes})
        return StepGradients(gradients, training_signal)

    def _shares(
        self, step: int, members: Sequence[int], before: Mapping[str, Tensor], signal: bool
    ) -> Iterator[list[Tensor]]:
        """Yield what ``_backward`` returns for each micro-batch of this process, then changes of running statistics.

        Each micro-batch finds the statistics as they were ``before`` the step, so that it does not matter who computes
        it and when.
        """
        for x, targets, shared, place in self._batches.of_step(step, members):
            self._network.set_buffers(before)
            outputs_PBC = self._network.train_outputs(x, Draw(step, place), shared=shared)
            share = self._backward(outputs_PBC, targets, signal)
            after = self._network.buffer_values(self._averaged)
            yield share + [after[name] - buffer for name, buffer in before.items()]

    def _backward(self, outputs_PBC: Tensor, targets: Tensor, signal: bool) -> list[Tensor]:
        """Return the gradients of a micro-batch's part of the loss; with ``signal`` also (correct, loss), (P,) each."""
        loss = self._loss.objective(outputs_PBC, targets).sum()  # points share nothing, so this sums P separate graphs
        gradients = self._network.gradients(loss, self._weight)
        return [*gradients, *(self._loss.sums(outputs_PBC, targets) if signal else ())]


def _summed(shares: Iterable[list[Tensor]]) -> list[Tensor]:
    """Sum lists of tensors entry by entry."""
    totals: list[Tensor] = []
    for i, tensors in enumerate(shares):
        match i:
            case 0:
                totals = tensors
            case 1:  # not in place: a gradient may be a view of another's memory
                totals = [a + b for a, b in zip(totals, tensors, strict=True)]
            case _:
                for a, b in zip(totals, tensors, strict=True):
                    a.add_(b)
    return totals
