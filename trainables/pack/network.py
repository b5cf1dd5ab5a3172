"""The networks of a pack as its training sees them, and the norms of their weights.

Axis letters: P pack (the points still training), B batch, C outputs of the model; ``...`` the shape of a tensor of one
point.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from trainables.step.real import real_view


class SquaredNorms(NamedTuple):
    """Squared norms of the weights of some points.

    Attributes:
        parameters: ‖θ‖² of all parameters, (P,).
        scale_invariant: ‖θ‖² of the scale-invariant parameters alone, (P,).
    """

    parameters: Tensor
    scale_invariant: Tensor


class Draw(NamedTuple):
    """The place of a pass in training, which its random numbers are drawn from, together with the seed of the point.

    Attributes:
        step: optimizer steps taken before.
        place: position of the first sample of the micro-batch in its batch.
    """

    step: int
    place: int

    def seed_of(self, seed: int) -> int:
        """Return the seed of this pass for the point with a seed."""
        return int(np.random.SeedSequence([seed, *self]).generate_state(1, np.uint64)[0])


class Network(Protocol):
    """The networks of the points that still train.

    Attributes:
        running_statistics: names of the module's buffers that hold numbers, not booleans.
        device: the torch device of all tensors.
        precision: what the grid lets the model compute in: ``float32``, ``tf32`` or ``bfloat16``.
    """

    running_statistics: list[str]
    device: torch.device
    precision: Literal["float32", "tf32", "bfloat16"]

    @property
    def parameters(self) -> Mapping[str, Tensor]:
        """Name to the trained parameters of all points, (P, ...) each."""

    def weights_at(self, positions: Sequence[int]) -> Any:
        """Return the weights of the points at ``positions`` on the pack axis, (n,), for ``test_outputs``."""

    def all_weights(self) -> Any:
        """Return the weights of all points, for ``test_outputs``."""

    def points_of(self, weights: Any) -> int:
        """Return the number of points that ``weights`` belong to."""

    def views_at(self, position: int) -> dict[str, Tensor]:
        """Return the ``state_dict`` of one point, (...) each, as views that keep the whole pack in memory."""

    def train_outputs(self, x: Tensor, draw: Draw, *, shared: bool) -> Tensor:
        """Return the outputs (P, B, C) in training mode, with their graph; running statistics are updated.

        Args:
            x: samples (B, ...) if ``shared``, else (P, B, ...).
            draw: where in training this is; only networks that draw random numbers depend on it.
            shared: whether all points see the same samples.
        """

    def test_outputs(self, weights: Any, x: Tensor) -> Tensor:
        """Return the outputs (n, B, C) of ``weights`` in evaluation mode on samples ``x`` (B, ...)."""

    def gradients(self, loss: Tensor, weight: float) -> list[Tensor]:
        """Return the gradients of the sum of all points' losses, a scalar, times ``weight``: (P, ...) each."""

    def assign(self, parameters: Mapping[str, Tensor]) -> None:
        """Take over ``parameters``, (P, ...) each, which an optimizer has changed in place."""

    def buffer_values(self, names: Sequence[str]) -> dict[str, Tensor]:
        """Return copies of the buffers ``names``, (P, ...) each."""

    def set_buffers(self, values: Mapping[str, Tensor]) -> None:
        """Copy ``values`` of ``buffer_values``, (P, ...) each, into the buffers."""

    def squared_norms(self, positions: Sequence[int]) -> SquaredNorms:
        """Return the squared norms of the parameters of the points at ``positions`` on the pack axis, (n,)."""

    def keep(self, index: Tensor) -> None:
        """Keep only the points at ``index``, positions on the pack axis, int64 (n,)."""

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Return ``parameters`` and ``buffers`` as copies in host memory, (P, ...) each."""

    def load_state_dict(self, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor]) -> None:
        """Copy in the tensors of ``state_dict``, (P, ...) each, from any device."""


def squared_norms(
    parameters: Mapping[str, Tensor], invariant: Sequence[str], points: int, device: torch.device
) -> SquaredNorms:
    """Return the squared norms of parameters; of complex ones Σ|w|².

    Args:
        parameters: name to tensor, (P, ...) each.
        invariant: names of the scale-invariant ones.
        points: number of points, P.
        device: device of the norms.
    """
    squares = {name: real_view(p).reshape(points, -1).square().sum(1) for name, p in parameters.items()}
    zero_P = torch.zeros(points, dtype=torch.float32, device=device)
    return SquaredNorms(
        parameters=sum(squares.values(), start=zero_P),
        scale_invariant=sum((squares[name] for name in invariant), start=zero_P),
    )


def saved_names(module: nn.Module) -> dict[str, str]:
    """Return the key of each tensor in the module's ``state_dict``, and the name of the parameter or buffer there.

    A tensor that two modules share has one name and two keys. A buffer that is not persistent has a name and no key.
    """
    names = {id(t): name for name, t in [*module.named_parameters(), *module.named_buffers()]}
    entries = module.state_dict(keep_vars=True).items()
    return {key: names[id(t)] for key, t in entries if isinstance(t, Tensor) and id(t) in names}


def set_float32_precision(precision: str) -> None:
    """Let a GPU compute matrix products and convolutions in full float32, unless ``precision`` is ``tf32``.

    This is a setting of the whole process.
    """
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"


def host_copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors of any shape, (...) each, into the memory of this machine: that of a GPU may be full."""
    return {name: tensor.to("cpu", copy=True) for name, tensor in tensors.items()}
