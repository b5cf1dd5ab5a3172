"""Samples of a data set, from which those of a batch are taken.

Axis letters: N all samples, n those asked for; ``...`` the shape of one sample.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.data.crops import resized_crop


class Samples(Protocol):
    """The samples of a training or a test set."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample, such as (3, 32, 32)."""

    @property
    def labels(self) -> Tensor:
        """Target of every sample on the samples' device: labels, int64 (N,) or (N, L), or numbers, float32 (N, k)."""

    def __len__(self) -> int: ...

    def prefetch(self, index: Tensor, draws: NDArray[np.float32] | None = None) -> None:
        """Announce a call of ``at`` with the same arguments, so that its samples can be prepared meanwhile.

        Args:
            index: positions of the samples, int64 (n,).
            draws: random numbers of the crops, (n, 10, 4), as for ``at``.
        """

    def at(self, index: Tensor, draws: NDArray[np.float32] | None = None) -> Tensor:
        """Return raw samples, not yet normalized.

        Args:
            index: positions of the samples, int64 (n,).
            draws: uniform numbers in [0, 1), (n, 10, 4): cut out and scale each image as torchvision's
                RandomResizedCrop does.

        Returns:
            The samples (n, ...), uint8, float32 or, of tokens, int64, on the samples' device.
        """

    def to(self, device: torch.device) -> "Samples":
        """Return the same samples, delivered on ``device``."""


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """Samples kept as one tensor.

    Attributes:
        x: the samples (N, ...), uint8, float32 or int64.
        labels: their targets: labels, int64 (N,) or (N, L), or numbers, float32 (N, k).
    """

    x: Tensor
    labels: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.x.shape[1:])

    def __len__(self) -> int:
        return len(self.labels)

    def prefetch(self, index: Tensor, draws: NDArray[np.float32] | None = None) -> None:
        """Do nothing: all samples ``index`` (n,) are ready."""

    def at(self, index: Tensor, draws: NDArray[np.float32] | None = None) -> Tensor:
        """Return raw samples (n, ...) at ``index`` (n,), cropped by ``draws`` (n, 10, 4) if there are any."""
        x = self.x[index.to(self.x.device)]
        return x if draws is None else resized_crop(x, draws)

    def to(self, device: torch.device) -> "InMemory":
        """Return the same samples on ``device``."""
        return InMemory(self.x.to(device), self.labels.to(device))
