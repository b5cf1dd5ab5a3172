"""The empirical neural tangent kernel, Θ₀(x, x′) = Σ_μ ∂f(x)/∂θ_μ ∂f(x′)/∂θ_μ.

Axis letters: N and M samples, C outputs, F features. A kernel of C outputs is a matrix whose index n·C + c is sample n,
output c.

There are three ways, tested to agree. In a stack of linear layers the derivatives of a layer are products of its input
h and the derivatives δ by its output. Its part of the kernel is then (δ·δ′)(h·h′), and no derivative by a weight is
ever stored. 784-5000-1 with 1,200 samples takes 6 s on a core this way, where 37 GB of derivatives would have to be
made. Any other network is differentiated sample by sample, as many at a time as ``MAX_BLOCK_BYTES`` hold. With batch
norm an output depends on the whole set, which is then differentiated as one batch.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.nn.modules.batchnorm import _NormBase

from trainables.models.ntk_linear import NtkLinear
from trainables.step.packed import is_matrix_stack

MAX_BLOCK_BYTES = 2**28  # derivatives in memory at a time; two blocks are held
State = Mapping[str, Tensor]

Factors = list[tuple[Tensor, Tensor]]
"""Pairs whose Gram matrices multiply: (N·C, width) and (N, width) of each layer."""


_Rows = Callable[[int, int], list[Tensor]]
"""(start, end) → rows of ∂f/∂θ, (end - start, numbers of the parameter) for each parameter."""


class _Derivatives(NamedTuple):
    """Derivatives ∂f/∂θ of a set of samples, computed block by block.

    Attributes:
        rows: computes the rows from one index to another.
        ends: the indices between blocks, from 0 to N·C.
    """

    rows: _Rows
    ends: list[int]


def empirical_kernel(module: nn.Module, state: State, x: Tensor, y: Tensor | None = None) -> Tensor:
    """Return Θ₀ between two sets of samples, (N·C, M·C), of the type and on the device of ``state``.

    Args:
        module: the network; its own values are not used.
        state: parameters and buffers by name; those that require grad are differentiated.
        x: samples (N, …).
        y: samples (M, …); ``x`` if None.
    """
    if is_matrix_stack(module):
        return _by_factors(module, state, x, y)
    return _by_rows(module, state, x, x if y is None else y)


def outputs_of(module: nn.Module, state: State, x: Tensor) -> Tensor:
    """Return the outputs (N, C) of the network; batch norm uses the statistics of ``x``.

    Args:
        module: the network; its own values are not used.
        state: parameters and buffers by name.
        x: samples (N, …).
    """
    with torch.no_grad():
        outputs: Tensor = _call(module, state, x)
    return outputs


def _call(module: nn.Module, state: State, x: Tensor) -> Tensor:
    """Run the network in training mode; running statistics are those of a copy, so that the call leaves no trace."""
    fresh = {name: t if t.requires_grad else t.clone() for name, t in state.items()}
    outputs: Tensor = functional_call(module.train(), fresh, (x,))
    return outputs


def _by_factors(module: nn.Module, state: State, x: Tensor, y: Tensor | None) -> Tensor:
    factors = _factors(module, state, x)
    if y is None:
        return _kernel_of_factors(factors, factors)
    # blocks are as large as x: memory is bounded by what x needs
    return torch.cat(
        [_kernel_of_factors(factors, _factors(module, state, part)) for part in torch.split(y, len(x))], dim=1
    )


def _factors(module: nn.Module, state: State, x: Tensor) -> Factors:
    """Return (δ of all outputs, h) of each linear layer; a bias counts as an input that is 1."""
    calls: list[tuple[nn.Linear, Tensor, Tensor]] = []

    def record(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        assert isinstance(layer, nn.Linear)
        calls.append((layer, inputs[0].detach(), output))

    layers = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, nn.Linear)]
    hooks = [layer.register_forward_hook(record) for _, layer in layers]
    try:
        outputs_NC = _call(module, state, x)
    finally:
        for hook in hooks:
            hook.remove()
    z = [output for _, _, output in calls]
    gradients_by_output = [torch.autograd.grad(f_N.sum(), z, retain_graph=True) for f_N in outputs_NC.unbind(1)]
    factors = []
    for i, ((name, _), (layer, h_NF, _)) in enumerate(zip(layers, calls, strict=True)):
        delta = torch.stack([gradients[i] for gradients in gradients_by_output], dim=1).flatten(0, 1)
        if isinstance(layer, NtkLinear):
            h_NF = h_NF * (state[f"{name}.sigma_w"] / layer.in_features**0.5)  # noqa: PLW2901 - the input of W
        if layer.bias is not None:
            h_NF = torch.cat([h_NF, h_NF.new_ones(len(h_NF), 1)], dim=1)  # noqa: PLW2901
        factors.append((delta, h_NF))
    return factors


def _kernel_of_factors(a: Factors, b: Factors) -> Tensor:
    total: Tensor | None = None
    for (delta_a, h_a), (delta_b, h_b) in zip(a, b, strict=True):
        outputs = len(delta_a) // len(h_a)
        inputs = (h_a @ h_b.T).repeat_interleave(outputs, 0).repeat_interleave(outputs, 1)
        part = (delta_a @ delta_b.T).mul_(inputs)
        total = part if total is None else total.add_(part)
    assert total is not None
    return total


def _by_rows(module: nn.Module, state: State, x: Tensor, y: Tensor) -> Tensor:
    rows_x, ends_x = _derivatives(module, state, x)
    rows_y, ends_y = (rows_x, ends_x) if y is x else _derivatives(module, state, y)
    kernel = torch.empty(ends_x[-1], ends_y[-1], dtype=x.dtype, device=x.device)
    for start, end in pairwise(ends_x):
        block = rows_x(start, end)
        for from_, to in pairwise(ends_y):
            if y is x and to <= start:  # the kernel is symmetric
                kernel[start:end, from_:to] = kernel[from_:to, start:end].T
                continue
            other = block if y is x and from_ == start else rows_y(from_, to)
            kernel[start:end, from_:to] = sum(a @ b.T for a, b in zip(block, other, strict=True))
    return kernel


def _derivatives(module: nn.Module, state: State, x: Tensor) -> _Derivatives:
    """Return ∂f/∂θ of the samples ``x`` (N, …), to be computed block by block."""
    coupled = any(isinstance(part, _NormBase) for part in module.modules())
    outputs = outputs_of(module, state, x if coupled else x[:1])
    classes = outputs.shape[1]
    row_bytes = sum(t.numel() for t in state.values() if t.requires_grad) * x.element_size()
    unit = 1 if coupled else classes
    step = max(1, MAX_BLOCK_BYTES // (row_bytes * unit)) * unit
    ends = [*range(0, len(x) * classes, step), len(x) * classes]
    rows = _rows_of_batch(module, state, x) if coupled else _rows_of_samples(module, state, x, classes)
    return _Derivatives(rows, ends)


def _rows_of_batch(module: nn.Module, state: State, x: Tensor) -> _Rows:
    """Return rows of ∂f/∂θ, computed with ``x`` as one batch."""
    parameters = [t for t in state.values() if t.requires_grad]
    flat = _call(module, state, x).flatten()

    def rows(start: int, end: int) -> list[Tensor]:
        gradients = [torch.autograd.grad(f, parameters, retain_graph=True) for f in flat[start:end]]
        return [torch.stack([g[i].flatten() for g in gradients]) for i in range(len(parameters))]

    return rows


def _rows_of_samples(module: nn.Module, state: State, x: Tensor, classes: int) -> _Rows:
    """Return rows of ∂f/∂θ, computed sample by sample; ``start`` and ``end`` must be multiples of ``classes``."""
    parameters = {name: t.detach() for name, t in state.items() if t.requires_grad}
    fixed = {name: t for name, t in state.items() if not t.requires_grad}

    def outputs(values: dict[str, Tensor], sample: Tensor) -> Tensor:
        f_C: Tensor = functional_call(module.train(), {**values, **fixed}, (sample.unsqueeze(0),)).squeeze(0)
        return f_C

    jacobian = vmap(jacrev(outputs), in_dims=(None, 0))

    def rows(start: int, end: int) -> list[Tensor]:
        derivatives = jacobian(parameters, x[start // classes : end // classes])
        return [derivatives[name].flatten(2).flatten(0, 1) for name in parameters]

    return rows
