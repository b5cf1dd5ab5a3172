"""A training and a test set, with the numbers that normalize them.

Axis letters: N samples; ``...`` the shape of one sample.
"""

import warnings
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.sections.data import Normalize
from trainables.data.moments import channel_sums, mean_and_std
from trainables.data.samples import InMemory, Samples
from trainables.torch_state import thread_modes_neutral

Targets = Literal["labels", "positions", "numbers"]
Numbers: TypeAlias = Tensor | NDArray[np.generic] | Any
"""A tensor, an array, or what numpy makes one of, such as a frame or series of pandas."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Training and test samples.

    Attributes:
        train: raw training samples and targets.
        test: raw test samples and targets.
        classes: number of classes k; 0 where the targets are numbers.
        mean: mean of the training samples, float32, of a shape that can be broadcast to a sample.
        std: standard deviation of the training samples, float32, of the same shape as ``mean``.
        notes: what a person should know of the samples, such as files that were left out, in sentences.
        tokens: number of tokens, where samples are tokens, which are not normalized; 0 where they are numbers.
    """

    train: Samples
    test: Samples
    classes: int
    mean: Tensor
    std: Tensor
    notes: tuple[str, ...] = ()
    tokens: int = 0

    @staticmethod
    def from_tensors(
        x_train: Numbers,
        y_train: Numbers,
        x_test: Numbers,
        y_test: Numbers,
        classes: int | None = None,
        normalize: Normalize = "global",
    ) -> "Dataset":
        """Return a data set of tensors in memory; they are not copied.

        Arrays of numpy, and frames and series of pandas, are taken too.

        Args:
            x_train: samples (N, ...), uint8 or float32; images are (N, channels, height, width). Samples of int64 are
                tokens, from 0 on, for a model that begins with an embedding.
            y_train: integer labels from 0 to ``classes`` - 1, one a sample (N,) or one a position (N, L), as the next
                token of each; or numbers to be fitted, floats (N,) or (N, k), where (N,) is taken as (N, 1).
            x_test: test samples, as ``x_train``.
            y_test: test targets, as ``y_train``.
            classes: number of classes of the labels, at least 2; left out where the targets are numbers.
            normalize: ``global``: by one mean and standard deviation of all training numbers; ``channel``: by one of
                each channel (axis 1).

        Raises:
            ValueError: shapes, types or labels do not fit, or training samples do not vary.
        """
        if classes is not None and classes < 2:
            raise ValueError(f"classes must be at least 2, but got {classes}")
        with thread_modes_neutral():
            train, test = _checked("train", x_train, y_train, classes), _checked("test", x_test, y_test, classes)
            targets = [tuple(part.labels.shape[1:]) for part in (train, test)]
            if targets[0] != targets[1]:
                raise ValueError(f"y_train has targets of shape {targets[0]}, but y_test of shape {targets[1]}")
            if train.shape != test.shape:
                raise ValueError(f"x_train has samples of shape {train.shape}, but x_test of shape {test.shape}")
            if train.x.dtype != test.x.dtype and torch.int64 in {train.x.dtype, test.x.dtype}:
                raise ValueError(f"x_train is {train.x.dtype}, but x_test is {test.x.dtype}: tokens are int64 in both")
            if train.x.dtype == torch.int64:
                tokens = 1 + max(int(train.x.max()), int(test.x.max()))
                return Dataset(train, test, classes or 0, torch.zeros(()), torch.ones(()), tokens=tokens)
            mean, std = mean_and_std(channel_sums(train.x), normalize, len(train.shape))
            return Dataset(train, test, classes or 0, mean, std)

    @property
    def targets(self) -> Targets:
        """Kind of the targets: ``labels`` (N,), ``positions``: labels (N, L), or ``numbers`` (N, k)."""
        if not self.classes:
            return "numbers"
        return "positions" if self.train.labels.ndim == 2 else "labels"

    @property
    def positions(self) -> tuple[int, ...]:
        """Shape of the labels of one sample: (L,) where there is one a position, else ()."""
        return tuple(self.train.labels.shape[1:]) if self.classes else ()

    @property
    def input_dtype(self) -> torch.dtype:
        """Type of the inputs of a model: int64 for tokens, else float32."""
        return torch.int64 if self.tokens else torch.float32

    def normalize(self, raw: Tensor) -> Tensor:
        """Return raw samples (N, ...) minus the mean, over the standard deviation, as float32; tokens as they are."""
        if self.tokens:
            return raw
        return (raw.float() - self.mean) / self.std

    def to(self, device: torch.device) -> "Dataset":
        """Return the same data on ``device``; streamed samples are delivered there."""
        train, test = self.train.to(device), self.test.to(device)
        return Dataset(train, test, self.classes, self.mean.to(device), self.std.to(device), self.notes, self.tokens)


def _checked(part: str, x: Numbers, y: Numbers, classes: int | None) -> InMemory:
    name, samples, targets = f"y_{part}", _tensor(f"x_{part}", x), _tensor(f"y_{part}", y)
    _check_samples(f"x_{part}", samples)
    if classes is not None:
        return InMemory(samples, _checked_labels(name, targets, len(samples), classes))
    return InMemory(samples, _checked_numbers(name, targets, len(samples)))


def _tensor(name: str, values: Numbers) -> Tensor:
    """Return values of any shape as a tensor (...), without a copy where they are one.

    Raises:
        ValueError: they are not numbers, or not of one length.
    """
    try:
        if not isinstance(values, Tensor):
            array = np.asarray(values)
            if not array.dtype.isnative or any(stride < 0 for stride in array.strides):  # torch has neither
                array = array.astype(array.dtype.newbyteorder("="), order="C")
            of_numbers = isinstance(values, list | tuple) and array.dtype == np.float64
            with warnings.catch_warnings():  # of memory that may not be written, as a frame's: nothing writes to it
                warnings.filterwarnings("ignore", "The given NumPy array is not writable")
                values = torch.from_numpy(array.astype(np.float32) if of_numbers else array)
    except (TypeError, ValueError) as error:
        kind = type(values).__name__
        raise ValueError(
            f"{name} is a {kind} that torch cannot read ({error}): give numbers as a tensor or an array, as by "
            f"{name}.to_numpy() of a frame or series whose columns are all numbers"
        ) from error
    # Gradients cannot go through tensors that were made in inference mode.
    return values.clone() if values.is_inference() else values.detach()


def _check_samples(name: str, x: Tensor) -> None:
    if x.ndim < 2 or x.numel() == 0:
        raise ValueError(f"{name} must have shape (N, ...) with at least one sample, but got {tuple(x.shape)}")
    if x.dtype not in {torch.uint8, torch.float32, torch.int64}:
        raise ValueError(
            f"{name} must be uint8 or float32, or int64 for tokens, but got {x.dtype}: convert it, as by "
            f'{name}.float(), or {name}.astype("float32") of an array or frame'
        )
    if x.dtype == torch.int64 and int(x.min()) < 0:
        raise ValueError(f"{name} has the token {int(x.min())}: tokens are integers from 0 on")
    if x.dtype == torch.float32 and not bool(x.isfinite().all()):
        raise ValueError(f"{name} has numbers that are not finite")


def _checked_labels(name: str, y: Tensor, samples: int, classes: int) -> Tensor:
    """Return labels as int64, (N,) or (N, L) with L > 1: a frame of one column is a mistake, and no sequence."""
    if y.ndim not in {1, 2} or len(y) != samples or (y.ndim == 2 and y.shape[1] < 2):
        shapes = f"({samples},), one label a sample, or ({samples}, L), one a position with L > 1"
        raise ValueError(f"{name} must have shape {shapes}, but got {tuple(y.shape)}")
    if y.is_floating_point() or y.is_complex() or y.dtype == torch.bool:
        raise ValueError(
            f"{name} must be integers, but got {y.dtype}: convert it, as by {name}.long(); or leave classes out where "
            "they are numbers to be fitted"
        )
    labels = y.to(torch.int64)
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        lowest, highest = int(labels.min()), int(labels.max())
        raise ValueError(f"{name} must be from 0 to {classes - 1}, but has labels from {lowest} to {highest}")
    return labels


def _checked_numbers(name: str, y: Tensor, samples: int) -> Tensor:
    """Return numbers to be fitted as float32 (N, k)."""
    if not y.is_floating_point():
        raise ValueError(
            f"{name} must be floats where classes is left out, but got {y.dtype}: give classes for labels, or convert "
            f"numbers, as by {name}.float()"
        )
    if y.ndim not in {1, 2} or len(y) != samples or not y.numel():
        shapes = f"({samples},) or ({samples}, k), one or k numbers a sample"
        raise ValueError(f"{name} must have shape {shapes}, but got {tuple(y.shape)}")
    numbers = y.to(torch.float32).reshape(samples, -1)
    if not bool(numbers.isfinite().all()):
        raise ValueError(f"{name} has numbers that are not finite in float32")
    return numbers
