"""Samples that a pack sees: the batches of its steps, and whole sets for measurements.

Axis letters: P pack, S distinct seeds of the pack, B micro-batch, M samples that a micro-batch is made of, k classes;
``...`` the shape of a sample.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.sections.trainable import Augment
from trainables.data import Dataset, InMemory, Samples
from trainables.data.transfer import on_device
from trainables.step.augment import Draws, augment, resized_crop_draws

MAX_NORMALIZED_BYTES = 2**26  # a set of up to 64 MiB as float32 is normalized once, not batch by batch


class Inputs:
    """One set of samples as the model takes them: normalized, on the device.

    Attributes:
        labels: class of every sample, int64 (N,).
    """

    def __init__(self, samples: Samples, data: Dataset) -> None:
        """Take the samples of a set of ``data``; normalize a small one at once."""
        self.labels, self._samples, self._normalize = samples.labels, samples, data.normalize
        size = len(samples) * int(np.prod(samples.shape)) * 4
        self._normalized = (
            data.normalize(samples.x) if isinstance(samples, InMemory) and size <= MAX_NORMALIZED_BYTES else None
        )

    def first(self, count: int) -> tuple[Tensor, Tensor]:
        """Return the first ``count`` samples (count, ...) and their labels (count,)."""
        return self._between(0, count), self.labels[:count]

    def at(self, index: Tensor) -> Tensor:
        """Return normalized samples at ``index``, of any shape (...), followed by the shape of a sample."""
        if self._normalized is not None:
            return self._normalized[index]
        return self._normalize(self._samples.at(index.flatten())).view(*index.shape, *self._samples.shape)

    def chunks(self, count: int, size: int, rank: int = 0, processes: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the first ``count`` samples with their labels, in nearly equal chunks.

        They are nearly equal, because batch norm without running statistics makes a chunk's outputs depend on all of
        it. Where several processes share the chunks, each takes every ``processes``-th one, from ``rank`` on.

        Args:
            count: samples in all.
            size: samples of a chunk at most, B.
            rank: index of this process.
            processes: processes that share the chunks.

        Yields:
            (samples (B, ...), labels (B,)).
        """
        number = -(-count // size)
        ends = [count * i // number for i in range(number + 1)]
        chunks = list(pairwise(ends))[rank::processes]
        for (start, end), (next_start, next_end) in zip(chunks, [*chunks[1:], (count, count)], strict=False):
            if next_start < next_end:
                self._samples.prefetch(torch.arange(next_start, next_end))
            yield self._between(start, end), self.labels[start:end]

    def _between(self, start: int, end: int) -> Tensor:
        if self._normalized is not None:
            return self._normalized[start:end]
        if isinstance(self._samples, InMemory):
            return self._normalize(self._samples.x[start:end])
        return self._normalize(self._samples.at(torch.arange(start, end)))


class MicroBatch(NamedTuple):
    """The samples of a pack that go through the model together.

    Attributes:
        inputs: samples (B, ...) if ``shared``, else (P, B, ...); normalized.
        targets: labels (B,) or (P, B), int64; soft labels (B, k) or (P, B, k), float32, with mixup.
        shared: whether all points see the same samples.
        place: position of its first sample in the batch.
    """

    inputs: Tensor
    targets: Tensor
    shared: bool
    place: int


class Batches:
    """Training batches: an epoch is a permutation from (seed, epoch); augmentation is drawn from (seed, step).

    A batch comes in micro-batches of neighboring samples, of which this process takes some.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        data: Dataset,
        inputs: Inputs,
        batch: int,
        spec: Augment,
        micro_batches: Sequence[slice],
    ) -> None:
        """Prepare the batches of one process.

        Args:
            seeds: seed of each point of the pack.
            data: the data set.
            inputs: its training samples.
            batch: samples of a batch.
            spec: the grid's ``trainable.augment``.
            micro_batches: positions in the batch of this process's micro-batches.
        """
        self._seeds, self._data, self._inputs, self._batch, self._spec = seeds, data, inputs, batch, spec
        self._micro_batches = micro_batches
        self._orders: dict[int, tuple[int, NDArray[np.int64]]] = {}

    def of_step(self, step: int, members: Sequence[int]) -> Iterator[MicroBatch]:
        """Yield this process's micro-batches of ``step`` for the points ``members``.

        Images that are read from the disk are decoded one micro-batch ahead.
        """
        seeds = [self._seeds[m] for m in members]
        following = [*((step, places) for places in self._micro_batches[1:]), (step + 1, self._micro_batches[0])]
        for places, (next_step, next_places) in zip(self._micro_batches, following, strict=True):
            micro_batch = self._micro_batch(step, places, seeds)
            self._prefetch(next_step, next_places, list(dict.fromkeys(seeds)))
            yield micro_batch

    def _micro_batch(self, step: int, places: slice, seeds: list[int]) -> MicroBatch:
        distinct = list(dict.fromkeys(seeds))
        draws = Draws(self._spec, distinct, step, self._batch, places)
        host_SM = self._indices(step, distinct, draws)
        device_SM = on_device(host_SM, self._inputs.labels.device)
        # files are looked up on the host, samples in memory on their device
        index_SM = device_SM if isinstance(self._data.train, InMemory) else torch.from_numpy(host_SM)
        targets_SB = self._inputs.labels[device_SM]
        if self._spec.active:
            x_SB, targets_SB = self._augmented(draws, index_SM, targets_SB)
        else:
            x_SB = self._inputs.at(index_SM)
        if len(distinct) == 1:
            return MicroBatch(x_SB[0], targets_SB[0], shared=True, place=places.start)
        if distinct == seeds:
            return MicroBatch(x_SB, targets_SB, shared=False, place=places.start)
        seed_of_P = on_device(np.array([distinct.index(seed) for seed in seeds]), x_SB.device)
        return MicroBatch(x_SB[seed_of_P], targets_SB[seed_of_P], shared=False, place=places.start)

    def _augmented(self, draws: Draws, index_SM: Tensor, labels_SM: Tensor) -> tuple[Tensor, Tensor]:
        train = self._data.train
        raw = train.at(index_SM.flatten(), self._crops(draws))
        return augment(
            self._spec,
            raw.view(*index_SM.shape, *train.shape),
            labels_SM,
            draws=draws,
            classes=self._data.classes,
            normalize=self._data.normalize,
        )

    def _prefetch(self, step: int, places: slice, seeds: list[int]) -> None:
        """Let samples that are read from the disk be decoded while another micro-batch is computed."""
        if isinstance(self._data.train, InMemory):
            return
        draws = Draws(self._spec, seeds, step, self._batch, places)
        self._data.train.prefetch(torch.from_numpy(self._indices(step, seeds, draws)).flatten(), self._crops(draws))

    def _crops(self, draws: Draws) -> NDArray[np.float32] | None:
        return resized_crop_draws(draws) if self._spec.resized_crop else None

    def _indices(self, step: int, seeds: Sequence[int], draws: Draws) -> NDArray[np.int64]:
        epoch, position = divmod(step, len(self._data.train) // self._batch)
        positions_SM = draws.positions_SM + position * self._batch
        return np.stack([self._order(seed, epoch)[places] for seed, places in zip(seeds, positions_SM, strict=True)])

    def _order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        if self._orders.get(seed, (-1,))[0] != epoch:
            order = np.random.default_rng([seed, epoch]).permutation(len(self._data.train))
            self._orders[seed] = epoch, order
        return self._orders[seed][1]
