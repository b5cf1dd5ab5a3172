"""Losses of targets other than one label a sample: numbers to be fitted, and a label for each position.

Axis letters: P pack, B batch, L positions of a sample, C outputs of the model, k numbers of a target.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from trainables.step.losses import BuiltInLoss, LossSums, squared_distances, squares_factor


@dataclass(frozen=True, slots=True)
class SquaredDistance:
    """Half the squared distance to numbers, ½‖f - y‖², with ``outputs`` = k. There is no accuracy.

    Scales: ``mean`` 1/n, ``per_output`` 1/(kn), ``sum`` 1.

    Attributes:
        outputs: outputs of the model, k.
        scale: name of the scale.
    """

    outputs: int
    scale: Literal["mean", "per_output", "sum"] = "mean"

    def objective(self, outputs_PBC: Tensor, targets: Tensor) -> Tensor:
        """Return the scaled loss of each point on a batch, (P,), differentiable; targets are (B, k) or (P, B, k)."""
        return squared_distances(outputs_PBC, targets) * (0.5 * self.factor(outputs_PBC.shape[1]))

    @torch.no_grad()
    def sums(self, outputs_PBC: Tensor, targets: Tensor) -> LossSums:
        """Return the sums of a batch, without gradient, (P,) each; ``correct`` is NaN."""
        loss_P = squared_distances(outputs_PBC, targets) * 0.5
        return LossSums(torch.full_like(loss_P, torch.nan), loss_P)

    def factor(self, samples: int) -> float:
        """Return the factor that scales the unscaled loss of ``samples`` samples."""
        return squares_factor(self.scale, self.outputs, samples)


@dataclass(frozen=True, slots=True)
class PerPosition:
    """A loss of classes at each position of a sample, as of the next token. Loss and accuracy are means over positions.

    Every position counts as a sample of ``at_position``: outputs (P, B, L, C) become (P, B·L, C).

    Attributes:
        at_position: the loss at a position.
        positions: positions of a sample, L.
    """

    at_position: BuiltInLoss
    positions: int

    @property
    def outputs(self) -> int:
        """Outputs of the model at each position, C."""
        return self.at_position.outputs

    def objective(self, outputs_PBLC: Tensor, targets: Tensor) -> Tensor:
        """Return the scaled loss of each point on a batch, (P,), differentiable; targets are (B, L) or (P, B, L)."""
        return self.at_position.objective(outputs_PBLC.flatten(1, 2), targets.flatten(-2))

    @torch.no_grad()
    def sums(self, outputs_PBLC: Tensor, targets: Tensor) -> LossSums:
        """Return the sums over a batch of the means over positions, without gradient, (P,) each."""
        sums = self.at_position.sums(outputs_PBLC.flatten(1, 2), targets.flatten(-2))
        return LossSums(sums.correct / self.positions, sums.loss / self.positions)

    def factor(self, samples: int) -> float:
        """Return the factor that scales the unscaled loss of ``samples`` samples."""
        return self.at_position.factor(samples * self.positions) * self.positions
