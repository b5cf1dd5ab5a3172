"""Images decoded whenever they are needed.

Axis letters: N all images, n those asked for.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.data.decode import Decoding, decode_center_crops, decode_random_crops

MAX_PENDING_REQUESTS = 4  # decoded or being decoded; bounds the memory

_Request = tuple[bytes, bytes | None]


class Streamed:
    """Image files, decoded by a pool of as many threads as torch has.

    Without random numbers for a crop, the shorter side is scaled to 8/7 of ``size`` and the center is cut out.
    """

    def __init__(self, paths: Sequence[str], labels: Tensor, size: int) -> None:
        """Keep the names of the files; nothing is read yet.

        Args:
            paths: N image files.
            labels: int64 (N,); samples are delivered on their device.
            size: side of the square that images are cut to, in pixels.
        """
        self._paths, self._labels, self._size = paths, labels, size
        self._pending: dict[_Request, Decoding] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample, (3, size, size)."""
        return (3, self._size, self._size)

    @property
    def labels(self) -> Tensor:
        """Class of every image, int64 (N,)."""
        return self._labels

    def __len__(self) -> int:
        return len(self._paths)

    def prefetch(self, index: Tensor, draws: NDArray[np.float32] | None = None) -> None:
        """Start to decode the images that ``at`` with the same arguments will ask for.

        Four requests can wait; a fifth drops the oldest. A batch that nobody fetched, as after a change of the pack,
        would otherwise stay forever.

        Args:
            index: positions of the images, int64 (n,).
            draws: random numbers of the crops, (n, 10, 4); None for center crops.
        """
        request = _request(index, draws)
        if request in self._pending:
            return
        if len(self._pending) == MAX_PENDING_REQUESTS:
            self._pending.pop(next(iter(self._pending))).cancel()
        self._pending[request] = self._start(index, draws)

    def at(self, index: Tensor, draws: NDArray[np.float32] | None = None) -> Tensor:
        """Return images, uint8 (n, 3, size, size).

        Args:
            index: positions of the images, int64 (n,).
            draws: random numbers of the crops, (n, 10, 4); None for center crops.

        Raises:
            InputError: a file is not an image.
        """
        decoding = self._pending.pop(_request(index, draws), None) or self._start(index, draws)
        return decoding.images().to(self._labels.device, non_blocking=True)

    def to(self, device: torch.device) -> "Streamed":
        """Return the same images, delivered on ``device``."""
        return Streamed(self._paths, self._labels.to(device), self._size)

    def _start(self, index: Tensor, draws: NDArray[np.float32] | None) -> Decoding:
        paths, pinned = [self._paths[i] for i in index.tolist()], self._labels.is_cuda
        if draws is None:
            return decode_center_crops(paths, self._size, pinned=pinned)
        return decode_random_crops(paths, self._size, draws, pinned=pinned)


def _request(index: Tensor, draws: NDArray[np.float32] | None) -> _Request:
    return index.cpu().numpy().tobytes(), None if draws is None else draws.tobytes()
