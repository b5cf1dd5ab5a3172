"""Networks that train in modules of their own, as a plain loop of torch would train each.

This is the way for models that a pack cannot stand for: those that draw random numbers, as dropout does, those with
hooks, with attributes that depend on the seed, with a forward pass that looks at itself in the backward pass, or with
control flow that branches on values. Whatever torch does with a module, it does here.

Axis letters: P pack (the points still training), B batch, C outputs of the model; ``...`` the shape of a tensor of one
point.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from search_spaces.points import Point
from search_spaces.sections.trainable import OwnTrainable, Trainable
from trainables.admission import Admission
from trainables.models.logits import logits_of
from trainables.pack.network import Draw, SquaredNorms, host_copies, saved_names, squared_norms
from trainables.step.real import dense_gradient
from trainables.task import built_from, initial_weights, scale_invariant_weights, task_of
from trainables.torch_state import seeded


class SeparateNetwork:
    """One module for each point that still trains. The modules own all tensors.

    Attributes:
        running_statistics: names of the module's buffers that hold numbers, not booleans.
        device: the torch device of all tensors.
        precision: what the grid lets the model compute in: ``float32``, ``tf32`` or ``bfloat16``.
    """

    def __init__(
        self, points: Sequence[Point], trainable: Trainable | OwnTrainable, device: torch.device, admission: Admission
    ) -> None:
        """Build each point's module from its seed.

        Args:
            points: the points of the pack.
            trainable: the grid's ``trainable``, with the points' variant applied.
            device: the torch device to train on.
            admission: how the points of the task train.
        """
        self.device, self.precision = device, trainable.numerics.precision
        self._invariant = scale_invariant_weights(trainable)
        self._evaluation_changes = admission.evaluation_changes
        self._modules = [_at_start(trainable, point).to(device) for point in points]
        self._seeds = [point.seed for point in points] if admission.random else []
        module = self._modules[0]
        self.running_statistics = [name for name, b in module.named_buffers() if b.dtype != torch.bool]
        self._trained = [name for name, p in module.named_parameters() if p.requires_grad]
        self._saved_names = saved_names(module)

    @property
    def parameters(self) -> dict[str, Tensor]:
        """Name to the trained parameters of all points, (P, ...) each; of a single point they are views."""
        return _stacked([dict(m.named_parameters()) for m in self._modules], self._trained)

    @property
    def buffers(self) -> dict[str, Tensor]:
        """Name to the other tensors of all points, (P, ...) each; of a single point they are views."""
        everything = [_tensors(m) for m in self._modules]
        return _stacked(everything, [name for name in everything[0] if name not in set(self._trained)])

    def weights_at(self, positions: Sequence[int]) -> list[nn.Module]:
        """Return the modules of the points at ``positions`` on the pack axis, (n,)."""
        return [self._modules[i] for i in positions]

    def all_weights(self) -> list[nn.Module]:
        """Return the modules of all points."""
        return self._modules

    def points_of(self, weights: Sequence[nn.Module]) -> int:
        """Return the number of points that the modules ``weights`` belong to."""
        return len(weights)

    def views_at(self, position: int) -> dict[str, Tensor]:
        """Return the ``state_dict`` of one point, (...) each, as views."""
        tensors = _tensors(self._modules[position])
        return {key: tensors[name].detach() for key, name in self._saved_names.items()}

    def train_outputs(self, x: Tensor, draw: Draw, *, shared: bool) -> Tensor:
        """Return the outputs (P, B, C) in training mode, with their graph; running statistics are updated.

        Args:
            x: samples (B, ...) if ``shared``, else (P, B, ...).
            draw: where in training this is. Random numbers come from it and the seed of each point, so that a resumed
                run, another pack, and another number of processes draw the same.
            shared: whether all points see the same samples.
        """
        inputs = [x] * len(self._modules) if shared else list(x)
        modules = [m.train() for m in self._modules]
        if not self._seeds:
            return self._outputs(modules, inputs)
        outputs = []
        for module, one, seed in zip(modules, inputs, self._seeds, strict=True):
            with seeded(draw.seed_of(seed)):
                outputs.append(self._outputs([module], [one]))
        return torch.cat(outputs)

    def test_outputs(self, weights: Sequence[nn.Module], x: Tensor) -> Tensor:
        """Return the outputs (n, B, C) of the modules ``weights`` in evaluation mode on samples ``x`` (B, ...)."""
        before = self.buffer_values(self._evaluation_changes)  # what a measurement changes must not reach the next step
        outputs = self._outputs([m.eval() for m in weights], [x] * len(weights))
        self.set_buffers(before)
        return outputs

    def _outputs(self, modules: Sequence[nn.Module], inputs: Sequence[Tensor]) -> Tensor:
        """Return outputs (P, B, C) as float32, whatever the model computes in."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return torch.stack([logits_of(m(x)).float() for m, x in zip(modules, inputs, strict=True)])

    def gradients(self, loss: Tensor, weight: float) -> list[Tensor]:
        """Return the gradients of the sum of all points' losses, a scalar, times ``weight``: (P, ...) each.

        They are computed by ``backward``, since ``torch.autograd.grad`` leaves out hooks that act after accumulation
        and refuses reentrant checkpoints.
        """
        for module in self._modules:
            module.zero_grad()
        loss.backward(torch.full_like(loss, weight))  # type: ignore[no-untyped-call]
        gradients = [
            {name: dense_gradient(p) for name, p in m.named_parameters() if p.requires_grad} for m in self._modules
        ]
        return list(_stacked(gradients, self._trained).values())

    @torch.no_grad()
    def assign(self, parameters: Mapping[str, Tensor]) -> None:
        """Take over ``parameters``, (P, ...) each, which an optimizer has changed in place."""
        if len(self._modules) == 1:
            return  # those were views
        for i, module in enumerate(self._modules):
            for name, p in module.named_parameters():
                if name in parameters:
                    p.copy_(parameters[name][i])

    def buffer_values(self, names: Sequence[str]) -> dict[str, Tensor]:
        """Return copies of the tensors ``names``, (P, ...) each."""
        tensors = [_tensors(m) for m in self._modules] if names else []
        return {name: torch.stack([t[name].detach() for t in tensors]) for name in names}

    @torch.no_grad()
    def set_buffers(self, values: Mapping[str, Tensor]) -> None:
        """Copy ``values`` of ``buffer_values``, (P, ...) each, into the modules."""
        for i, module in enumerate(self._modules if values else []):
            tensors = _tensors(module)
            for name, value in values.items():
                tensors[name].copy_(value[i])

    def squared_norms(self, positions: Sequence[int]) -> SquaredNorms:
        """Return the squared norms of the parameters of the points at ``positions`` on the pack axis, (n,)."""
        parameters = _stacked([dict(self._modules[i].named_parameters()) for i in positions], self._trained)
        return squared_norms(parameters, self._invariant, len(positions), self.device)

    def keep(self, index: Tensor) -> None:
        """Keep only the points at ``index``, positions on the pack axis, int64 (n,)."""
        self._modules = [self._modules[i] for i in index.tolist()]
        self._seeds = [self._seeds[i] for i in index.tolist()] if self._seeds else []

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Return ``parameters`` and ``buffers`` as copies in host memory, (P, ...) each."""
        return {"parameters": host_copies(self.parameters), "buffers": host_copies(self.buffers)}

    @torch.no_grad()
    def load_state_dict(self, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor]) -> None:
        """Copy in the tensors of ``state_dict``, (P, ...) each, from any device."""
        saved = {**parameters, **buffers}
        for i, module in enumerate(self._modules):
            for name, tensor in _tensors(module).items():
                tensor.copy_(saved[name][i])


@torch.no_grad()
def _at_start(trainable: Trainable | OwnTrainable, point: Point) -> nn.Module:
    """Return the module of a point before its first step; frozen parameters keep the values that it gives them."""
    module = built_from(task_of(trainable), point.seed)
    parameters, buffers = initial_weights(trainable, module, point.seed, point.sigma_w)
    start = {**parameters, **buffers}
    for name, tensor in _tensors(module).items():
        tensor.copy_(start[name])
    return module


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers by name, (...) each."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _stacked(points: Sequence[Mapping[str, Tensor]], names: Sequence[str]) -> dict[str, Tensor]:
    """Stack the tensors ``names`` of all points, detached, (P, ...) each; those of a single point are views."""
    if len(points) == 1:
        return {name: points[0][name].detach().unsqueeze(0) for name in names}
    return {name: torch.stack([tensors[name].detach() for tensors in points]) for name in names}
