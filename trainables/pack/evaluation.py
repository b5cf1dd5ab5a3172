"""Accuracy and loss of the points of a pack on training and test samples.

Axis letters: P the points measured, B batch, C outputs of the model.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trainables.measurement import EVALUATION_BATCH
from trainables.pack.group import Group
from trainables.pack.network import Network
from trainables.step.batches import Inputs
from trainables.step.losses import Loss


class Metrics(NamedTuple):
    """Metrics of some points on one set of samples.

    Attributes:
        accuracy: share of samples classified correctly, 0 to 1, (P,); NaN where the loss is not finite.
        loss: loss as the grid scales it, without the L2 term, (P,).
    """

    accuracy: Tensor
    loss: Tensor


class TrainTestMetrics(NamedTuple):
    """Metrics of some points on the training samples and on the test set.

    Attributes:
        train: metrics on the training samples that a measurement uses.
        test: metrics on the test set.
    """

    train: Metrics
    test: Metrics


class Evaluation:
    """Evaluation of a pack; every process of the group evaluates a share of the samples."""

    def __init__(
        self, network: Network, loss: Loss, train: Inputs, test: Inputs, train_count: int, group: Group
    ) -> None:
        """Evaluate ``network`` on fixed samples.

        Args:
            network: the networks of the pack.
            loss: the loss of the task.
            train: the training set.
            test: the test set.
            train_count: training samples of a measurement, the first ones of the set.
            group: the processes that train the pack.
        """
        self._network, self._loss, self._group = network, loss, group
        self._train, self._test, self._train_count = train, test, train_count

    @torch.no_grad()
    def measure(self, positions: Sequence[int], outputs_PBC: Tensor | None = None) -> TrainTestMetrics:
        """Return the metrics of the points at ``positions`` on the pack axis.

        Args:
            positions: positions on the pack axis, (n,).
            outputs_PBC: training outputs of all points on the whole training set, if a step has computed them already.
        """
        weights = self._network.weights_at(positions)
        test = self._evaluate(weights, self._test, len(self._test.labels))
        if outputs_PBC is None:
            return TrainTestMetrics(self._evaluate(weights, self._train, self._train_count), test)
        everyone, count = len(positions) == len(outputs_PBC), self._train_count
        correct_P, loss_P = self._loss.sums(
            (outputs_PBC if everyone else outputs_PBC[positions])[:, :count], self._train.labels[:count]
        )
        return TrainTestMetrics(Metrics(correct_P / count, loss_P * self._loss.factor(count)), test)

    def whole_train_set(self) -> Metrics:
        """Return the metrics of all points on the whole training set."""
        return self._evaluate(self._network.all_weights(), self._train, len(self._train.labels))

    @torch.no_grad()
    def _evaluate(self, weights: Any, inputs: Inputs, count: int) -> Metrics:
        """Return the metrics of ``weights`` on the first ``count`` samples."""

        def share() -> list[Tensor]:
            sums = [
                torch.stack(self._loss.sums(self._network.test_outputs(weights, x), labels))
                for x, labels in inputs.chunks(count, EVALUATION_BATCH, self._group.rank, self._group.size)
            ]
            nothing = (2, self._network.points_of(weights))
            zeros = torch.zeros(nothing, dtype=torch.float32, device=self._network.device)
            return [torch.stack(sums).sum(0) if sums else zeros]

        ((correct_P, loss_P),) = self._group.all_reduce(share)
        return Metrics(correct_P / count, loss_P * self._loss.factor(count))
