"""Forward pass of a whole pack: one module with P sets of parameters and buffers.

Axis letters: P pack, B batch, F features in, G features out, C classes; ``...`` the shape of a tensor of one point.

There are three ways, chosen by module and pack, and tested to agree. A stack of linear layers and ReLUs becomes batched
matrix products (``bmm``), in which every point's product is computed on its own. On a CPU a point's numbers are then
the same bit for bit in any pack. For FC-64 on digits in a pack of 4 on one core it takes 0.59 ms a point and step, vmap
0.93 ms, a plain loop 0.98 ms. Of any other module, a pack of several goes through ``torch.func.vmap``, and a single
point through the module itself. On a core vmap saves time on small images (a CNN of 16 channels on 32 images of 8×8:
1.01 ms a point in packs of 8, 1.84 ms alone). It loses time where activations outgrow the cache (128 images of 28×28:
200 ms and 118 ms).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from search_spaces.errors import InputError
from trainables.models.logits import logits_of
from trainables.models.ntk_linear import NtkLinear
from trainables.step.layout import channels_last
from trainables.torch_state import drawn_from, generator_states

Parameters = Mapping[str, Tensor]
Buffers = Mapping[str, Tensor]
_Layer = Callable[[Parameters, Buffers, Tensor], Tensor]


class PackedModel(Protocol):
    """The forward pass of P points."""

    def __call__(self, parameters: Parameters, buffers: Buffers, x: Tensor, *, shared: bool, training: bool) -> Tensor:
        """Return the outputs (P, B, C).

        Args:
            parameters: name to tensor, (P, ...) each.
            buffers: name to tensor, (P, ...) each, such as running statistics. Training updates them in place.
            x: samples (B, ...) if ``shared``, else (P, B, ...).
            shared: whether all points see the same samples.
            training: whether the module is in its training mode.

        Raises:
            InputError: the module draws random numbers in training.
        """
        ...


def pack_model(module: nn.Module, *, compiled: bool = False) -> PackedModel:
    """Return the packed forward pass of ``module``; its own parameters and buffers are not used and may be on ``meta``.

    If ``compiled``, torch compiles it when it is first called for a single point. A pack that shrinks would be compiled
    again for each of its sizes.
    """
    layers = _matrix_layers(module)
    if layers is None:
        return _PackedModule(module, compiled=compiled)
    matrices = _batched_matrices(layers)
    return _compiled_alone(matrices) if compiled else matrices


def is_matrix_stack(module: nn.Module) -> bool:
    """Return whether ``module`` is a stack of linear layers and ReLUs, which runs as batched matrix products."""
    return _matrix_layers(module) is not None


class _PackedModule:
    """The module itself for one point, vmapped for several."""

    def __init__(self, module: nn.Module, *, compiled: bool = False) -> None:
        self._module = module
        self._alone = torch.compile(self._run_single) if compiled else self._run_single
        self._deterministic = False  # set by the first training pass

    def __call__(self, parameters: Parameters, buffers: Buffers, x: Tensor, *, shared: bool, training: bool) -> Tensor:
        if self._module.training != training:
            self._module.train(training)
        if training and not self._deterministic:
            return self._run_watched(parameters, buffers, x, shared)
        return self._run(parameters, buffers, x, shared)

    def _run(self, parameters: Parameters, buffers: Buffers, x: Tensor, shared: bool) -> Tensor:
        return (self._alone if _count(parameters) == 1 else self._run_vmapped)(parameters, buffers, x, shared)

    def _run_watched(self, parameters: Parameters, buffers: Buffers, x: Tensor, shared: bool) -> Tensor:
        """Run the forward pass; detect undeclared randomness, which changes the state of a generator."""
        before = generator_states(x.device)
        outputs = self._run(parameters, buffers, x, shared)
        if drawn_from(before, generator_states(x.device)):
            raise InputError(
                f"trainable.function: {type(self._module).__name__} draws random numbers in training now, which it did "
                "not when it was tried, so that its points share a program; such a run could not be repeated. Let it "
                "draw from the first pass on, and its points train one by one."
            )
        self._deterministic = True
        return outputs

    def _run_single(self, parameters: Parameters, buffers: Buffers, x: Tensor, shared: bool) -> Tensor:
        # squeeze replaces [0], whose backward pass fills a tensor of zeros for each parameter.
        x = x if shared else x.squeeze(0)
        if x.is_cuda and x.ndim == 4:  # images
            x = channels_last(x)
        outputs, reassigned = self._call(
            {name: p.squeeze(0) for name, p in parameters.items()},
            {name: b.squeeze(0) for name, b in buffers.items()},
            x,
        )
        for name, b in reassigned.items():
            buffers[name].copy_(b.unsqueeze(0))
        return outputs.unsqueeze(0)

    def _run_vmapped(self, parameters: Parameters, buffers: Buffers, x: Tensor, shared: bool) -> Tensor:
        # with "different", random models reach _run_watched, which reports them
        call = vmap(self._call, in_dims=(0, 0, None if shared else 0), randomness="different")
        outputs, reassigned = call(dict(parameters), dict(buffers), x)
        for name, b in reassigned.items():
            buffers[name].copy_(b)
        return outputs

    def _call(self, parameters: Parameters, buffers: Buffers, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return outputs, and the buffers that the module did not update in place but set to new tensors."""
        state = {**parameters, **buffers}
        outputs = logits_of(functional_call(self._module, state, (x,)))
        return outputs, {name: state[name].detach() for name, b in buffers.items() if state[name] is not b}


def _compiled_alone(model: PackedModel) -> PackedModel:
    compiled = torch.compile(model)

    def packed(parameters: Parameters, buffers: Buffers, x: Tensor, *, shared: bool, training: bool) -> Tensor:
        run = compiled if _count(parameters) == 1 else model
        return run(parameters, buffers, x, shared=shared, training=training)

    return packed


def _count(parameters: Parameters) -> int:
    """Return the number of points, P."""
    return next(iter(parameters.values())).shape[0]


def _batched_matrices(layers: list[_Layer]) -> PackedModel:
    def packed(parameters: Parameters, buffers: Buffers, x: Tensor, *, shared: bool, training: bool) -> Tensor:
        if shared:
            x = x.unsqueeze(0).expand(_count(parameters), *x.shape)
        h_PBF = x.flatten(2)
        for layer in layers:
            h_PBF = layer(parameters, buffers, h_PBF)
        return h_PBF

    return packed


def _matrix_layers(module: nn.Module) -> list[_Layer] | None:
    """Return the layers of a Sequential of Flatten, Linear and ReLU as batched functions; None for any other module."""
    if type(module) is not nn.Sequential or not _is_plain(module):
        return None
    # named_children would leave out a layer that occurs twice.
    children = [(name, child) for name, child in module._modules.items() if not isinstance(child, nn.Flatten)]
    layers: list[_Layer] = []
    for i, (name, child) in enumerate(children):
        if isinstance(child, nn.Linear):
            relu = i + 1 < len(children) and isinstance(children[i + 1][1], nn.ReLU)
            layers.append(_linear(name, child, relu))
        elif not (isinstance(child, nn.ReLU) and i > 0 and isinstance(children[i - 1][1], nn.Linear)):
            return None
    return layers


def _is_plain(module: nn.Sequential) -> bool:
    """Return whether no layer has a subclass, hook, forward pass, sharing or freezing that products would ignore."""
    plain_types = all(type(child) in {nn.Flatten, nn.Linear, NtkLinear, nn.ReLU} for child in module)
    flat = all(child.start_dim == 1 for child in module if isinstance(child, nn.Flatten))
    parameters = [p for child in module for p in child.parameters()]
    hooked = any(
        getattr(child, hooks)
        for child in [module, *module]
        for hooks in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    ) or any(p._backward_hooks or getattr(p, "_post_accumulate_grad_hooks", None) for p in parameters)
    replaced = any("forward" in vars(child) for child in [module, *module])
    return (
        plain_types
        and flat
        and not hooked
        and not replaced
        and len({id(p) for p in parameters}) == len(parameters)
        and all(p.requires_grad for p in parameters)
    )


def _autocast(x: Tensor) -> Tensor:
    """Return ``x`` as autocast would pass it to a matrix product, since it does not act inside an autograd node."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


def _linear(name: str, linear: nn.Linear, relu: bool) -> _Layer:
    bias, ntk, root = linear.bias is not None, isinstance(linear, NtkLinear), math.sqrt(linear.in_features)

    def layer(parameters: Parameters, buffers: Buffers, h_PBF: Tensor) -> Tensor:
        if ntk:
            h_PBF = h_PBF * (buffers[f"{name}.sigma_w"] / root).view(-1, 1, 1)
        b_PG = _autocast(parameters[f"{name}.bias"]) if bias else None
        out: Tensor = _BatchedLinear.apply(_autocast(h_PBF), _autocast(parameters[f"{name}.weight"]), b_PG, relu)
        return out

    return layer


class _BatchedLinear(torch.autograd.Function):
    """P linear layers and their ReLUs as one node, in place where autograd's own would copy (1.3 times faster)."""

    @staticmethod
    def forward(ctx: Any, h_PBF: Tensor, w_PGF: Tensor, b_PG: Tensor | None, relu: bool) -> Tensor:
        w_PFG = w_PGF.transpose(1, 2)
        z_PBG = torch.bmm(h_PBF, w_PFG) if b_PG is None else torch.baddbmm(b_PG.unsqueeze(1), h_PBF, w_PFG)
        if relu:
            # The compiler of torch 2.11 loses track of a tensor that is changed in place and saved: gradients become 0.
            z_PBG = torch.relu(z_PBG) if torch.compiler.is_compiling() else z_PBG.relu_()
        ctx.save_for_backward(h_PBF, w_PGF, z_PBG if relu else None)
        return z_PBG

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None, None]:
        (dz_PBG,) = grads
        h_PBF, w_PGF, z_PBG = ctx.saved_tensors
        if z_PBG is not None:
            dz_PBG = torch.ops.aten.threshold_backward(dz_PBG, z_PBG, 0)
        dw_PGF = torch.bmm(dz_PBG.transpose(1, 2), h_PBF)
        db_PG = dz_PBG.sum(1) if ctx.needs_input_grad[2] else None
        dh_PBF = torch.bmm(dz_PBG, w_PGF) if ctx.needs_input_grad[0] else None
        return dh_PBF, dw_PGF, db_PG, None
