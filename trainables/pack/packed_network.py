"""Networks that train as one packed model: parameters and buffers of all points with a leading pack axis.

Axis letters: P pack (the points still training), B batch, C outputs of the model; ``...`` the shape of a tensor of one
point.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces.points import Point
from search_spaces.sections.trainable import OwnTrainable, Trainable
from trainables.admission import Admission
from trainables.data.transfer import on_device
from trainables.pack.network import Draw, SquaredNorms, host_copies, saved_names, squared_norms
from trainables.step.layout import weights_of_pack
from trainables.step.packed import PackedModel, pack_model
from trainables.task import Task, built_from, initial_weights, scale_invariant_weights, task_of

# Torch's limit is 8. A network needs about four: training and evaluation, for one point and for several.
COMPILED_FORMS = 128


class Weights(NamedTuple):
    """Parameters and buffers of some points.

    Attributes:
        parameters: name to tensor, (P, ...) each.
        buffers: name to tensor, (P, ...) each; frozen parameters are among them.
    """

    parameters: Mapping[str, Tensor]
    buffers: Mapping[str, Tensor]


class PackedNetwork:
    """The networks of the points that still train, as one packed model.

    Attributes:
        parameters: name to tensor, (P, ...) each; all require gradients.
        buffers: name to tensor, (P, ...) each; frozen parameters are among them.
        running_statistics: names of the module's buffers that hold numbers, not booleans.
        device: the torch device of all tensors.
        precision: what the grid lets the model compute in: ``float32``, ``tf32`` or ``bfloat16``.
    """

    def __init__(
        self,
        points: Sequence[Point],
        trainable: Trainable | OwnTrainable,
        module: nn.Module,
        device: torch.device,
        admission: Admission,
    ) -> None:
        """Give every point its initial weights.

        Args:
            points: the points of the pack.
            trainable: the grid's ``trainable``, with the points' variant applied.
            module: one network of the task; it is used for its structure only.
            device: the torch device to train on.
            admission: how the points of the task train.
        """
        task: Task = task_of(trainable)
        self.device = device
        self._model = _compiled(trainable) if trainable.numerics.compile else pack_model(module)
        self._invariant = scale_invariant_weights(trainable)
        self.precision = trainable.numerics.precision
        self._evaluation_changes, self._saved_names = admission.evaluation_changes, saved_names(module)
        starts = list(dict.fromkeys((p.seed, p.sigma_w) for p in points))  # made once each: few seeds, many λ
        weights = [initial_weights(trainable, built_from(task, seed), seed, sigma_w) for seed, sigma_w in starts]
        positions = [starts.index((p.seed, p.sigma_w)) for p in points]
        parameters = _at(_stacked([parameters for parameters, _ in weights], device), positions)
        self.parameters = {name: weights_of_pack(p).requires_grad_() for name, p in parameters.items()}
        self.buffers = dict(_at(_stacked([buffers for _, buffers in weights], device), positions))
        self.running_statistics = [n for n, _ in module.named_buffers() if self.buffers[n].dtype != torch.bool]

    def weights_at(self, positions: Sequence[int]) -> Weights:
        """Return the weights of the points at ``positions`` on the pack axis, (n,)."""
        return Weights(_at(self.parameters, positions), _at(self.buffers, positions))

    def all_weights(self) -> Weights:
        """Return the weights of all points."""
        return Weights(self.parameters, self.buffers)

    def points_of(self, weights: Weights) -> int:
        """Return the number of points that ``weights`` belong to."""
        return len(next(iter(weights.parameters.values())))

    def views_at(self, position: int) -> dict[str, Tensor]:
        """Return the ``state_dict`` of one point, (...) each, as views that keep the whole pack in memory."""
        tensors = {**self.parameters, **self.buffers}
        return {key: tensors[name][position] for key, name in self._saved_names.items()}

    def train_outputs(self, x: Tensor, _draw: Draw, *, shared: bool) -> Tensor:
        """Return the outputs (P, B, C) in training mode, with their graph; running statistics are updated.

        Args:
            x: samples (B, ...) if ``shared``, else (P, B, ...).
            shared: whether all points see the same samples.
        """
        return self._outputs(Weights(self.parameters, self.buffers), x, shared=shared, training=True)

    def test_outputs(self, weights: Weights, x: Tensor) -> Tensor:
        """Return the outputs (P, B, C) of ``weights`` in evaluation mode on samples ``x`` (B, ...)."""
        if self._evaluation_changes:  # what a measurement changes must not reach the next step
            copies = {name: weights.buffers[name].clone() for name in self._evaluation_changes}
            weights = Weights(weights.parameters, {**weights.buffers, **copies})
        return self._outputs(weights, x, shared=True, training=False)

    def gradients(self, loss: Tensor, weight: float) -> list[Tensor]:
        """Return the gradients of the sum of all points' losses, a scalar, times ``weight``: (P, ...) each."""
        factor = torch.full_like(loss, weight)
        return list(torch.autograd.grad(loss, list(self.parameters.values()), factor, materialize_grads=True))

    def assign(self, parameters: Mapping[str, Tensor]) -> None:
        """Do nothing: an optimizer changes ``parameters``, (P, ...) each, themselves."""

    def buffer_values(self, names: Sequence[str]) -> dict[str, Tensor]:
        """Return copies of the buffers ``names``, (P, ...) each."""
        return {name: self.buffers[name].clone() for name in names}

    def set_buffers(self, values: Mapping[str, Tensor]) -> None:
        """Copy ``values`` of ``buffer_values``, (P, ...) each, into the buffers."""
        for name, value in values.items():
            self.buffers[name].copy_(value)

    def _outputs(self, weights: Weights, x: Tensor, *, shared: bool, training: bool) -> Tensor:
        """Return outputs (P, B, C) as float32, whatever the model computes in."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return self._model(*weights, x, shared=shared, training=training).float()

    def squared_norms(self, positions: Sequence[int]) -> SquaredNorms:
        """Return the squared norms of the parameters of the points at ``positions`` on the pack axis, (n,)."""
        return squared_norms(_at(self.parameters, positions), self._invariant, len(positions), self.device)

    def keep(self, index: Tensor) -> None:
        """Keep only the points at ``index``, positions on the pack axis, int64 (n,)."""
        kept = {name: weights_of_pack(p.detach()[index]) for name, p in self.parameters.items()}
        self.parameters = {name: p.requires_grad_() for name, p in kept.items()}
        self.buffers = {name: b[index] for name, b in self.buffers.items()}

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Return ``parameters`` and ``buffers`` as copies in host memory, (P, ...) each."""
        return {
            "parameters": host_copies({name: p.detach() for name, p in self.parameters.items()}),
            "buffers": host_copies(self.buffers),
        }

    @torch.no_grad()
    def load_state_dict(self, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor]) -> None:
        """Copy in the tensors of ``state_dict``, (P, ...) each, from any device."""
        for present, saved in ((self.parameters, parameters), (self.buffers, buffers)):
            for name, tensor in present.items():
                tensor.copy_(saved[name])


@lru_cache(maxsize=8)
def _compiled(trainable: Trainable | OwnTrainable) -> PackedModel:
    """Return the compiled model, cached so that a worker compiles once and not for every pack."""
    # The limit counts all networks together; beyond it torch warns once and compiles no more.
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, COMPILED_FORMS)
    return pack_model(built_from(task_of(trainable), 0), compiled=True)


def _stacked(points: Sequence[Mapping[str, Tensor]], device: torch.device) -> dict[str, Tensor]:
    """Stack the tensors of all points, (P, ...) each, on ``device``."""
    return {name: torch.stack([tensors[name] for tensors in points]).to(device) for name in points[0]}


def _at(tensors: Mapping[str, Tensor], positions: Sequence[int]) -> Mapping[str, Tensor]:
    """Return the tensors of the points at ``positions``, (n, ...) each; views if these are neighbors in order."""
    if not tensors:
        return tensors
    first, count = positions[0], len(positions)
    if list(positions) == list(range(first, first + count)):
        whole = all(len(t) == count for t in tensors.values())
        return tensors if whole else {name: t[first : first + count] for name, t in tensors.items()}
    device = next(iter(tensors.values())).device
    index = on_device(np.array(positions), device)
    return {name: t[index] for name, t in tensors.items()}
