"""What a pack sees: the batches of its steps, and whole sets for measurements.

Axis letters: P pack, S distinct seeds of the pack, B batch.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.sections.trainable import Augment
from trainables.data import Dataset, InMemory, Samples
from trainables.data.transfer import on_device
from trainables.step.augment import Draws, augment, resized_crop_draws

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

    def chunks(self, count: int, size: int, first: int = 0, of: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """The first ``count`` samples with their labels, in near equal chunks of at most ``size``.

        Equal, since batch norm without running statistics makes a chunk's outputs depend on all of it. Where several
        processes share them, each takes every ``of``-th chunk, from ``first`` on.
        """
        number = -(-count // size)
        ends = [count * i // number for i in range(number + 1)]
        own = list(pairwise(ends))[first::of]
        for (start, end), (begin, after) in zip(own, [*own[1:], (count, count)], strict=False):
            if begin < after:
                self._samples.expect(torch.arange(begin, after))
            yield self._between(start, end), self.labels[start:end]

    def _between(self, start: int, end: int) -> Tensor:
        if self._ready is not None:
            return self._ready[start:end]
        if isinstance(self._samples, InMemory):
            return self._normalize(self._samples.x[start:end])
        return self._normalize(self._samples.at(torch.arange(start, end)))


class Batches:
    """Training batches: a permutation of the set an epoch, from (seed, epoch) alone; augmented from (seed, step).

    A batch comes in micro-batches of neighbouring samples, of which this process takes some.
    """

    def __init__(
        self, seeds: Sequence[int], data: Dataset, inputs: Inputs, batch: int, spec: Augment, own: Sequence[slice]
    ) -> None:
        """``own`` are the places of this process's micro-batches, in batches of ``batch`` samples."""
        self._seeds, self._data, self._inputs, self._batch, self._spec = seeds, data, inputs, batch, spec
        self._own = own
        self._orders: dict[int, tuple[int, NDArray[np.int64]]] = {}

    def of_step(self, step: int, members: Sequence[int]) -> Iterator[tuple[Tensor, Tensor, bool]]:
        """This process's micro-batches of ``step``, each as (inputs, targets, shared).

        (B, …) if the members share a seed, else (P, B, …). What is read from the disk is decoded one micro-batch ahead.
        """
        seeds = [self._seeds[m] for m in members]
        following = [*((step, part) for part in self._own[1:]), (step + 1, self._own[0])]
        for part, then in zip(self._own, following, strict=True):
            micro_batch = self._micro_batch(step, part, seeds)
            self._expect(*then, list(dict.fromkeys(seeds)))
            yield micro_batch

    def _micro_batch(self, step: int, part: slice, seeds: list[int]) -> tuple[Tensor, Tensor, bool]:
        distinct = list(dict.fromkeys(seeds))
        draws = Draws(self._spec, distinct, step, self._batch, part)
        host_SM = self._indices(step, distinct, draws)
        device_SM = on_device(host_SM, self._inputs.labels.device)
        # files are found on the host, samples in memory where they lie
        index_SM = device_SM if isinstance(self._data.train, InMemory) else torch.from_numpy(host_SM)
        targets_SB = self._inputs.labels[device_SM]
        if self._spec.active:
            x_SB, targets_SB = self._augmented(draws, index_SM, targets_SB)
        else:
            x_SB = self._inputs.at(index_SM)
        if len(distinct) == 1:
            return x_SB[0], targets_SB[0], True
        if distinct == seeds:
            return x_SB, targets_SB, False
        of_member = on_device(np.array([distinct.index(seed) for seed in seeds]), x_SB.device)
        return x_SB[of_member], targets_SB[of_member], False

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

    def _expect(self, step: int, part: slice, seeds: list[int]) -> None:
        """Let samples that are read from the disk be decoded while another micro-batch is computed."""
        if isinstance(self._data.train, InMemory):
            return
        draws = Draws(self._spec, seeds, step, self._batch, part)
        self._data.train.expect(torch.from_numpy(self._indices(step, seeds, draws)).flatten(), self._crops(draws))

    def _crops(self, draws: Draws) -> NDArray[np.float32] | None:
        return resized_crop_draws(draws) if self._spec.resized_crop else None

    def _indices(self, step: int, seeds: Sequence[int], draws: Draws) -> NDArray[np.int64]:
        epoch, position = divmod(step, len(self._data.train) // self._batch)
        places_SM = draws.places_SM + position * self._batch
        return np.stack([self._order(seed, epoch)[places] for seed, places in zip(seeds, places_SM, strict=True)])

    def _order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        if self._orders.get(seed, (-1,))[0] != epoch:
            order = np.random.default_rng([seed, epoch]).permutation(len(self._data.train))
            self._orders[seed] = epoch, order
        return self._orders[seed][1]
