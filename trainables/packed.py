"""One forward pass for a whole pack: the same module with P sets of parameters.

Axis letters: P pack, B batch, F features in, G features out, C classes.

Two ways, chosen by the module and tested to agree. A stack of linear layers and ReLUs becomes batched matrix products
(``bmm``), in which every point's product is computed on its own: on a CPU a point's numbers are then the same bit for
bit in any pack. Any other module without running buffers goes through ``torch.func.vmap``. For FC-64 on digits in
a pack of 4 on one core the first takes 0.59 ms a point and step, the second 0.93 ms, a plain loop 0.98 ms.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

Parameters = Mapping[str, Tensor]
PackedModel = Callable[[Parameters, Tensor, bool], Tensor]
"""(parameters (P, ...), input, shared) → logits (P, B, C); input is (B, ...) if shared, else (P, B, ...)."""

_Layer = Callable[[Parameters, Tensor], Tensor]


def pack_model(module: nn.Module) -> PackedModel:
    """The packed forward pass of ``module``.

    Raises:
        ValueError: the module has buffers (running statistics), which the points of a pack cannot share.
    """
    if buffers := [name for name, _ in module.named_buffers()]:
        raise ValueError(f"a module with buffers cannot be packed, but this one has {', '.join(buffers)}")
    layers = _matrix_layers(module)
    return _vmapped(module) if layers is None else _batched_matrices(layers)


def _vmapped(module: nn.Module) -> PackedModel:
    def forward(parameters: dict[str, Tensor], x: Tensor) -> Any:
        return functional_call(module, parameters, (x,))

    def packed(parameters: Parameters, x: Tensor, shared: bool) -> Tensor:
        logits: Tensor = vmap(forward, in_dims=(0, None if shared else 0))(dict(parameters), x)
        return logits

    return packed


def _batched_matrices(layers: list[_Layer]) -> PackedModel:
    def packed(parameters: Parameters, x: Tensor, shared: bool) -> Tensor:
        if shared:
            count = next(iter(parameters.values())).shape[0]
            x = x.unsqueeze(0).expand(count, *x.shape)
        h_PBF = x.flatten(2)
        for layer in layers:
            h_PBF = layer(parameters, h_PBF)
        return h_PBF

    return packed


def _matrix_layers(module: nn.Module) -> list[_Layer] | None:
    """The layers of a Sequential of Flatten, Linear and ReLU as batched functions; None for any other module."""
    if not isinstance(module, nn.Sequential):
        return None
    children = [(name, child) for name, child in module.named_children() if not isinstance(child, nn.Flatten)]
    layers: list[_Layer] = []
    for i, (name, child) in enumerate(children):
        if isinstance(child, nn.Linear):
            relu = i + 1 < len(children) and isinstance(children[i + 1][1], nn.ReLU)
            layers.append(_linear(name, child.bias is not None, relu))
        elif not (isinstance(child, nn.ReLU) and i > 0 and isinstance(children[i - 1][1], nn.Linear)):
            return None
    return layers


def _linear(name: str, bias: bool, relu: bool) -> _Layer:
    def layer(parameters: Parameters, h_PBF: Tensor) -> Tensor:
        b_PG = parameters[f"{name}.bias"] if bias else None
        out: Tensor = _BatchedLinear.apply(h_PBF, parameters[f"{name}.weight"], b_PG, relu)
        return out

    return layer


class _BatchedLinear(torch.autograd.Function):
    """P linear layers and their ReLUs as one node, in place where autograd's own would copy (1.3 times faster)."""

    @staticmethod
    def forward(ctx: Any, h_PBF: Tensor, w_PGF: Tensor, b_PG: Tensor | None, relu: bool) -> Tensor:
        w_PFG = w_PGF.transpose(1, 2)
        z_PBG = torch.bmm(h_PBF, w_PFG) if b_PG is None else torch.baddbmm(b_PG.unsqueeze(1), h_PBF, w_PFG)
        if relu:
            z_PBG.relu_()
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
