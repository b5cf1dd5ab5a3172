"""Losses of a pack, without the L2 term.

Axis letters: P pack, B batch, C outputs of the model, k classes.

Targets are labels, int64 (B,), or soft labels (mixup), float (B, k), where all points see the same batch. They are (P,
B) and (P, B, k) where each point sees its own. All arithmetic is within one point, so that on a CPU a point's numbers
are the same bit for bit in any pack.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.func import vmap

from search_spaces.errors import InputError
from search_spaces.sections.loss import MeanSquaredError, Softmax
from trainables.data import Targets


class LossSums(NamedTuple):
    """Sums over the samples of a batch, without gradient.

    Attributes:
        correct: samples classified correctly by each point, (P,); NaN where the loss is not finite, or targets are
            numbers.
        loss: unscaled loss of each point, (P,).
    """

    correct: Tensor
    loss: Tensor


class Loss(Protocol):
    """A loss that compares the outputs of a pack with its targets."""

    def objective(self, outputs_PBC: Tensor, targets: Tensor) -> Tensor:
        """Return the scaled loss of each point on a batch, (P,), differentiable."""

    def sums(self, outputs_PBC: Tensor, targets: Tensor) -> LossSums:
        """Return the sums of a batch, without gradient, (P,) each.

        ``correct`` is NaN where the loss is not finite. A soft label counts as its largest entry, the first of equals.
        """

    def factor(self, samples: int) -> float:
        """Return the factor that the unscaled loss, summed over ``samples`` samples, is multiplied by."""


def make_loss(spec: Softmax | MeanSquaredError, classes: int) -> "BuiltInLoss":
    """Return the loss of a grid for data of ``classes`` classes.

    Its ``outputs`` are the number of outputs that the model gives for a sample.

    Raises:
        InputError: targets of one number, -1 or +1, are asked for with more or fewer than two classes.
    """
    if isinstance(spec, Softmax):
        return CrossEntropy(classes, spec.scale)
    if spec.targets == "one_hot":
        return SquaredError(classes, spec.scale)
    if classes != 2:
        raise InputError(
            f"trainable.loss.targets: sign needs two classes, but the data has {classes}; "
            "use one_hot, or data with labels: parity."
        )
    return SignSquaredError(spec.scale)


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """Cross-entropy of the softmax, -Σ_i y_i log p_i, with ``outputs`` = k.

    The class predicted is the first of the largest outputs, so that an all-zero network is not right about everything.
    Scales: ``mean`` 1/n, ``paper`` 1/(2kn) (SM A), ``code`` 1/(kn) (the paper's released code).

    Attributes:
        outputs: outputs of the model, k.
        scale: name of the scale.
    """

    outputs: int
    scale: Literal["mean", "paper", "code"] = "mean"

    def objective(self, outputs_PBC: Tensor, targets: Tensor) -> Tensor:
        """Return the scaled loss of each point on a batch, (P,), differentiable."""
        return _log_likelihood(_class_major(outputs_PBC), targets) * -self.factor(outputs_PBC.shape[1])

    @torch.no_grad()
    def sums(self, outputs_PBC: Tensor, targets: Tensor) -> LossSums:
        """Return the sums of a batch, without gradient, (P,) each."""
        outputs_PCB = _class_major(outputs_PBC)
        return _sums(_first_of_largest(outputs_PCB) == _labels(targets), -_log_likelihood(outputs_PCB, targets))

    def factor(self, samples: int) -> float:
        """Return the factor that scales the unscaled loss of ``samples`` samples."""
        per_sample = {"mean": 1, "paper": 2 * self.outputs, "code": self.outputs}[self.scale]
        return 1 / (per_sample * samples)


@dataclass(frozen=True, slots=True)
class SquaredError:
    """Half the squared distance to the one-hot target, ½‖f - y‖², with ``outputs`` = k.

    The class predicted is the first of the largest outputs. Scales: ``mean`` 1/n, ``per_output`` 1/(kn), ``sum`` 1.

    Attributes:
        outputs: outputs of the model, k.
        scale: name of the scale.
    """

    outputs: int
    scale: Literal["mean", "per_output", "sum"] = "mean"

    def objective(self, outputs_PBC: Tensor, targets: Tensor) -> Tensor:
        """Return the scaled loss of each point on a batch, (P,), differentiable."""
        return squared_distances(outputs_PBC, self._target(targets)) * (0.5 * self.factor(outputs_PBC.shape[1]))

    @torch.no_grad()
    def sums(self, outputs_PBC: Tensor, targets: Tensor) -> LossSums:
        """Return the sums of a batch, without gradient, (P,) each."""
        correct_PB = _first_of_largest(_class_major(outputs_PBC)) == _labels(targets)
        return _sums(correct_PB, squared_distances(outputs_PBC, self._target(targets)) * 0.5)

    def factor(self, samples: int) -> float:
        """Return the factor that scales the unscaled loss of ``samples`` samples."""
        return squares_factor(self.scale, self.outputs, samples)

    def _target(self, targets: Tensor) -> Tensor:
        """Return the one-hot targets, (B, k) or (P, B, k)."""
        if targets.is_floating_point():
            return targets
        zeros = torch.zeros(*targets.shape, self.outputs, dtype=torch.float32, device=targets.device)
        return zeros.scatter_(-1, targets.unsqueeze(-1), 1.0)  # one_hot would check the labels on the host


@dataclass(frozen=True, slots=True)
class SignSquaredError:
    """Half the squared distance ½(f - y)² for two classes, y = -1 for class 0 and +1 for class 1, with ``outputs`` = 1.

    f > 0 means class 1, anything else class 0, so that an all-zero network is right about class 0 only. Soft labels
    mean the point between -1 and +1 at which they are the proportions. Scales are those of ``SquaredError`` with one
    output: ``per_output`` equals ``mean``.

    Attributes:
        scale: name of the scale.
    """

    scale: Literal["mean", "per_output", "sum"] = "mean"

    @property
    def outputs(self) -> int:
        """Outputs of the model: one."""
        return 1

    def objective(self, outputs_PBC: Tensor, targets: Tensor) -> Tensor:
        """Return the scaled loss of each point on a batch, (P,), differentiable."""
        return squared_distances(outputs_PBC, _signs(targets)) * (0.5 * self.factor(outputs_PBC.shape[1]))

    @torch.no_grad()
    def sums(self, outputs_PBC: Tensor, targets: Tensor) -> LossSums:
        """Return the sums of a batch, without gradient, (P,) each."""
        correct_PB = (outputs_PBC.squeeze(2) > 0) == (_labels(targets) == 1)
        return _sums(correct_PB, squared_distances(outputs_PBC, _signs(targets)) * 0.5)

    def factor(self, samples: int) -> float:
        """Return the factor that scales the unscaled loss of ``samples`` samples."""
        return squares_factor(self.scale, self.outputs, samples)


PerSample = Callable[[Tensor, Tensor], Tensor]
"""(outputs (B, C), targets: labels (B,), soft labels (B, k) or numbers (B, k)) → the loss of each sample, (B,).

With a label for each of L positions: (outputs (B, L, C), labels (B, L)) → (B,)."""


@dataclass(frozen=True, slots=True)
class OwnLoss:
    """The mean of a user's loss, which is written for one network and runs on a pack by ``vmap``.

    The class predicted is the first of the largest outputs; a single output means class 1 where it is positive.

    Attributes:
        per_sample: the user's loss.
        together: whether it runs on all points at once; otherwise on one after the other, as a loss must that branches
            on values.
        targets: kind of the targets; outputs are (P, B, L, C) where it is ``positions``.
    """

    per_sample: PerSample
    together: bool = True
    targets: Targets = "labels"

    def objective(self, outputs_PBC: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of each point on a batch, (P,), differentiable.

        Raises:
            InputError: ``per_sample`` does not give one number a sample.
        """
        return self._losses(outputs_PBC, targets).sum(1) * self.factor(outputs_PBC.shape[1])

    @torch.no_grad()
    def sums(self, outputs_PBC: Tensor, targets: Tensor) -> LossSums:
        """Return the sums of a batch, without gradient, (P,) each.

        Raises:
            InputError: ``per_sample`` does not give one number a sample.
        """
        loss_P = self._losses(outputs_PBC, targets).sum(1)
        if self.targets == "numbers":
            return LossSums(torch.full_like(loss_P, torch.nan), loss_P)
        right = _predicted(outputs_PBC) == (targets if self.targets == "positions" else _labels(targets))
        return _sums(right.float().mean(2) if self.targets == "positions" else right, loss_P)

    def factor(self, samples: int) -> float:
        """Return the factor that scales the unscaled loss of ``samples`` samples."""
        return 1 / samples

    def _losses(self, outputs_PBC: Tensor, targets: Tensor) -> Tensor:
        plain = self.targets == "labels" and not targets.is_floating_point()
        shared = targets.ndim == (1 if plain else 2)
        outputs_PBC = at_least_float32(outputs_PBC)
        if self.together:
            losses_PB: Tensor = vmap(self.per_sample, in_dims=(0, None if shared else 0))(outputs_PBC, targets)
        else:
            targets_P = [targets] * len(outputs_PBC) if shared else list(targets)
            losses = [self.per_sample(o, t) for o, t in zip(outputs_PBC, targets_P, strict=True)]
            losses_PB = torch.stack(losses)
        if losses_PB.shape != outputs_PBC.shape[:2]:
            shape, samples = tuple(losses_PB.shape[1:]), outputs_PBC.shape[1]
            raise InputError(
                f"a loss of one's own must return one number a sample, of shape ({samples},) for this batch, but it "
                f"returned the shape {shape}; leave out the mean or sum over the samples, and take that over outputs."
            )
        return losses_PB


def _class_major(outputs_PBC: Tensor) -> Tensor:
    """Return (P, C, B): on a CPU a softmax or maximum over a strided axis vectorizes over B, 3 times faster."""
    return at_least_float32(outputs_PBC.transpose(1, 2).contiguous())


def at_least_float32(outputs: Tensor) -> Tensor:
    """Return outputs (...) in float32 at least.

    Autocast's bfloat16 has 8 bits: too few for the loss of a sample, let alone for the sum of thousands.
    """
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))


def _log_likelihood(outputs_PCB: Tensor, targets: Tensor) -> Tensor:
    """Return Σ y log p over classes and batch, (P,)."""
    log_p_PCB = torch.log_softmax(outputs_PCB, 1)
    if targets.is_floating_point():
        return (log_p_PCB * targets.transpose(-1, -2)).flatten(1).sum(1)
    index_P1B = targets.expand(len(outputs_PCB), -1).unsqueeze(1)
    return log_p_PCB.gather(1, index_P1B).flatten(1).sum(1)


def squared_distances(outputs_PBC: Tensor, target: Tensor) -> Tensor:
    """Return Σ ‖f - y‖² over the batch, (P,).

    ``target``, (B, C) or (P, B, C), is float32, so that the difference has at least that precision.
    """
    return (outputs_PBC - target).square().flatten(1).sum(1)


def squares_factor(scale: Literal["mean", "per_output", "sum"], outputs: int, samples: int) -> float:
    """Return the factor that scales the squared distances of ``samples`` samples of ``outputs`` numbers each."""
    return {"mean": 1 / samples, "per_output": 1 / (outputs * samples), "sum": 1.0}[scale]


def _signs(targets: Tensor) -> Tensor:
    """Return -1 for class 0 and +1 for class 1, (B, 1) or (P, B, 1)."""
    share_of_one = targets[..., 1:] if targets.is_floating_point() else targets.unsqueeze(-1).float()
    return 2 * share_of_one - 1


def _predicted(outputs: Tensor) -> Tensor:
    """Return the classes predicted by outputs (P, B, C) or (P, B, L, C), without C."""
    if outputs.shape[-1] == 1:
        return (outputs.squeeze(-1) > 0).long()
    return _first_of_largest(_class_major(outputs)) if outputs.ndim == 3 else outputs.max(-1).indices


def _first_of_largest(outputs_PCB: Tensor) -> Tensor:
    return outputs_PCB.max(1).indices  # argmax takes 4 to 12 times as long on a CPU, for 1 to 16 points of 512 samples


def _labels(targets: Tensor) -> Tensor:
    """Return labels (B,) or (P, B): soft labels are those of their largest entries."""
    return targets.max(-1).indices if targets.is_floating_point() else targets


def _sums(correct_PB: Tensor, loss_P: Tensor) -> LossSums:
    correct_P = correct_PB.sum(1, dtype=loss_P.dtype)
    return LossSums(torch.where(loss_P.isfinite(), correct_P, torch.nan), loss_P)


BuiltInLoss = CrossEntropy | SquaredError | SignSquaredError
