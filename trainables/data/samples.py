"""Where the samples of a batch come from.

Axis letters: N all samples, n those asked for, "..." the shape of one sample.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.data.crops import resized_crop


class Samples(Protocol):
    """One part of a data set, training or test."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample, such as (3, 32, 32)."""

    @property
    def labels(self) -> Tensor:
        """Class of every sample, int64 (N,), on the samples' device."""

    def __len__(self) -> int: ...

    def prefetch(self, index: Tensor, draws: NDArray[np.float32] | None = None) -> None:
        """Announce an ``at`` with the same arguments, so that its samples can be made ready meanwhile."""

    def at(self, index: Tensor, draws: NDArray[np.float32] | None = None) -> Tensor:
        """Raw samples, not yet normalized.

        Args:
            index: int64 (n,).
            draws: (n, 10, 4) in [0, 1): cut out and scale each image as torchvision's RandomResizedCrop does.

        Returns:
            (n, ...), uint8 or float32, on the samples' device.
        """

    def to(self, device: torch.device) -> "Samples":
        """The same samples, delivered on ``device``."""


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """Samples kept as one tensor.

    Attributes:
        x: (N, ...), uint8 or float32.
        labels: int64 (N,).
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
        """Nothing: all samples are ready."""

    def at(self, index: Tensor, draws: NDArray[np.float32] | None = None) -> Tensor:
        """Raw samples, (n, ...); see ``Samples.at``."""
        x = self.x[index.to(self.x.device)]
        return x if draws is None else resized_crop(x, draws)

    def to(self, device: torch.device) -> "InMemory":
        """The same samples on ``device``."""
        return InMemory(self.x.to(device), self.labels.to(device))
