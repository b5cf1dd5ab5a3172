"""What a pack sees: the batches of its steps, and whole sets for measurements.

Axis letters: P pack, S distinct seeds of the pack, B batch.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.trainable import Augment
from trainables.augment import augment, resized_crop_draws
from trainables.data import Dataset, InMemory, Samples
from trainables.transfer import on_device

READY_BYTES = 2**26  # a set of up to 64 MiB as float32 is normalized once, not batch by batch


class Inputs:
    """One set of samples as the model takes them: normalized, on the device."""

    def __init__(self, samples: Samples, data: Dataset) -> None:
        self.labels, self._samples, self._normalize = samples.labels, samples, data.normalize
        size = len(samples) * int(np.prod(samples.shape)) * 4
        self._ready = data.normalize(samples.x) if isinstance(samples, InMemory) and size <= READY_BYTES else None

    def first(self, count: int) -> tuple[Tensor, Tensor]:
        """The first ``count`` samples and their labels."""
        return self._between(0, count), self.labels[:count]

    def at(self, index: Tensor) -> Tensor:
        """Normalized samples at ``index``, which has any shape."""
        if self._ready is not None:
            return self._ready[index]
        return self._normalize(self._samples.at(index.flatten())).view(*index.shape, *self._samples.shape)

    def chunks(self, count: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The first ``count`` samples with their labels, in near equal chunks of at most ``size``.

        Equal, since batch norm without running statistics makes a chunk's outputs depend on all of it.
        """
        number = -(-count // size)
        ends = [count * i // number for i in range(number + 1)]
        for (start, end), (_, after) in pairwise([*pairwise(ends), (count, count)]):
            if end < after:
                self._samples.expect(torch.arange(end, after))
            yield self._between(start, end), self.labels[start:end]

    def _between(self, start: int, end: int) -> Tensor:
        if self._ready is not None:
            return self._ready[start:end]
        if isinstance(self._samples, InMemory):
            return self._normalize(self._samples.x[start:end])
        return self._normalize(self._samples.at(torch.arange(start, end)))


class Batches:
    """Training batches: a permutation of the set an epoch, from (seed, epoch) alone; augmented from (seed, step)."""

    def __init__(self, seeds: Sequence[int], data: Dataset, inputs: Inputs, batch: int, spec: Augment) -> None:
        self._seeds, self._data, self._inputs, self._batch, self._spec = seeds, data, inputs, batch, spec
        self._orders: dict[int, tuple[int, NDArray[np.int64]]] = {}

    def at(self, step: int, members: Sequence[int]) -> tuple[Tensor, Tensor, bool]:
        """(inputs, targets, shared) of ``step``: (B, …) if the members share a seed, else (P, B, …)."""
        seeds = [self._seeds[m] for m in members]
        distinct = list(dict.fromkeys(seeds))
        host_SB = self._indices(step, distinct)
        device_SB = on_device(host_SB, self._inputs.labels.device)
        # files are found on the host, samples in memory where they lie
        index_SB = device_SB if isinstance(self._data.train, InMemory) else torch.from_numpy(host_SB)
        targets_SB = self._inputs.labels[device_SB]
        if self._spec.active:
            x_SB, targets_SB = self._augmented(step, distinct, index_SB, targets_SB)
        else:
            x_SB = self._inputs.at(index_SB)
        self._expect(step + 1, distinct)
        if len(distinct) == 1:
            return x_SB[0], targets_SB[0], True
        if distinct == seeds:
            return x_SB, targets_SB, False
        of_member = on_device(np.array([distinct.index(seed) for seed in seeds]), x_SB.device)
        return x_SB[of_member], targets_SB[of_member], False

    def _augmented(self, step: int, seeds: Sequence[int], index_SB: Tensor, labels_SB: Tensor) -> tuple[Tensor, Tensor]:
        train = self._data.train
        draws = resized_crop_draws(seeds, step, self._batch) if self._spec.resized_crop else None
        raw = train.at(index_SB.flatten(), draws)
        return augment(
            self._spec,
            raw.view(*index_SB.shape, *train.shape),
            labels_SB,
            seeds=seeds,
            step=step,
            classes=self._data.classes,
            normalize=self._data.normalize,
        )

    def _expect(self, step: int, seeds: Sequence[int]) -> None:
        """Let samples that are read from the disk be decoded while this step is computed."""
        if isinstance(self._data.train, InMemory):
            return
        draws = resized_crop_draws(seeds, step, self._batch) if self._spec.resized_crop else None
        self._data.train.expect(torch.from_numpy(self._indices(step, seeds)).flatten(), draws)

    def _indices(self, step: int, seeds: Sequence[int]) -> NDArray[np.int64]:
        epoch, position = divmod(step, len(self._data.train) // self._batch)
        window = slice(position * self._batch, (position + 1) * self._batch)
        return np.stack([self._order(seed, epoch)[window] for seed in seeds])

    def _order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        if self._orders.get(seed, (-1,))[0] != epoch:
            order = np.random.default_rng([seed, epoch]).permutation(len(self._data.train))
            self._orders[seed] = epoch, order
        return self._orders[seed][1]
