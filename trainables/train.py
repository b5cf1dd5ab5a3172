"""Training of the points of a pack, whatever trains them: a packed network, a user's loop or the theory."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from torch import Tensor

from search_spaces.points import Point
from search_spaces.recipe import Recipe
from search_spaces.sections.trainable import KernelTrainable, OwnLoop
from trainables.kernel.run import run_kernel
from trainables.measurement import Measurement
from trainables.own_loop import run_own_loop
from trainables.pack.group import SINGLE_PROCESS, Group
from trainables.pack.training import PackTraining
from trainables.torch_state import neutral_torch


class Training(Protocol):
    """Points in training, whatever trains them."""

    def measurements(self, heartbeat_seconds: float = math.inf) -> Iterator[Measurement]:
        """Train to the end of the last point.

        Args:
            heartbeat_seconds: seconds after which a measurement of no point is yielded, as a sign of life.

        Yields:
            The measurement of each step at which points are due, with the ends of the points that ended there.
        """
        ...

    def state_dict(self) -> dict[str, Any] | None:
        """Return all that the next step depends on; None if the training must start anew to go on."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from the ``state_dict`` of an equal training."""
        ...

    def weights(self, member: int) -> dict[str, Tensor] | None:
        """Return the weights of a point that ended with the latest measurement; None if they are not known.

        Args:
            member: index of the point in the pack.

        Returns:
            Parameters and buffers by name, (...) each, on the CPU.
        """
        ...


def start_training(
    points: Sequence[Point], recipe: Recipe, device: str = "cpu", group: Group = SINGLE_PROCESS
) -> Training:
    """Return ``points`` at their start, each with its own η, λ, seed, initialization scale and budget.

    Args:
        points: the points of one pack; they differ in packable axes only.
        recipe: the grid's, with the points' variant applied.
        device: a torch device.
        group: the processes that train the pack, as their leader sees them; the others ``follow``.

    Raises:
        InputError: a model, data set, loss or loop that cannot be used.
    """
    if isinstance(recipe.trainable, OwnLoop):
        return Unresumable(partial(run_own_loop, points[0], recipe.trainable, device, recipe.metric))
    if isinstance(recipe.trainable, KernelTrainable):
        return Unresumable(partial(run_kernel, points, recipe, recipe.trainable, device))
    with neutral_torch():
        return PackTraining(points, recipe, device, group)


def train_pack(points: Sequence[Point], recipe: Recipe, device: str = "cpu") -> Iterator[Measurement]:
    """Train a pack from its start, and yield its measurements.

    Args:
        points: the points of one pack; they differ in packable axes only.
        recipe: the grid's, with the points' variant applied.
        device: a torch device.
    """
    return start_training(points, recipe, device).measurements()


class Unresumable:
    """A training that can only start anew: a user's loop, whose state is unknown, or theory, which is cheap."""

    def __init__(self, run: Callable[[], Iterator[Measurement]]) -> None:
        """Train by ``run``, which yields the measurements."""
        self._run = run

    def measurements(self, heartbeat_seconds: float = math.inf) -> Iterator[Measurement]:
        """Yield the measurements of the run; nothing else is a sign of life."""
        return self._run()

    def state_dict(self) -> None:
        """Return None, because no state is kept."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Refuse: there is no state.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError

    def weights(self, member: int) -> None:
        """Return None, because the weights are not known here."""
