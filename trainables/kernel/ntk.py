"""The empirical neural tangent kernel, Θ₀(x, x′) = Σ_μ ∂f(x)/∂θ_μ ∂f(x′)/∂θ_μ.

Axis letters: N samples, C outputs. A kernel of C outputs is a matrix whose index n·C + c is sample n, output c.

Three ways, tested to agree. In a stack of linear layers the derivatives of a layer are products of its input h and the
derivatives δ by its output, so that its part of the kernel is (δ·δ′)(h·h′): no derivative by a weight is ever written
down (784-5000-1 with 1,200 samples: 6 s on a core, where 37 GB of derivatives would have to be made). Any other network
is differentiated sample by sample, so many at a time as ``MAX_BLOCK_BYTES`` hold. With batch norm an output depends on
the whole set, which then is differentiated as one batch.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.nn.modules.batchnorm import _NormBase

from trainables.models.ntk_linear import NtkLinear
from trainables.step.packed import is_matrix_stack

MAX_BLOCK_BYTES = 2**28  # of derivatives in memory at a time; two blocks are held
State = Mapping[str, Tensor]

Factors = list[tuple[Tensor, Tensor]]
"""Pairs whose Gram matrices multiply: (N·C, width) and (N, width) of each layer."""


def empirical_kernel(module: nn.Module, state: State, x: Tensor, y: Tensor | None = None) -> Tensor:
    """Θ₀ between two sets of samples, of the type and on the device of ``state``.

    Args:
        module: the network; its own values are not used.
        state: parameters (those that require grad are differentiated) and buffers, by name.
        x: samples (N, …).
        y: samples (M, …); ``x`` if None.

    Returns:
        (N·C, M·C).
    """
    if is_matrix_stack(module):
        return _by_factors(module, state, x, y)
    return _by_rows(module, state, x, x if y is None else y)


def outputs_of(module: nn.Module, state: State, x: Tensor) -> Tensor:
    """Outputs (N, C) of the network; with batch norm by the statistics of ``x``."""
    with torch.no_grad():
        outputs: Tensor = _call(module, state, x)
    return outputs


def _call(module: nn.Module, state: State, x: Tensor) -> Tensor:
    """In training mode; running statistics are those of a copy, so that nothing remembers the call."""
    fresh = {name: t if t.requires_grad else t.clone() for name, t in state.items()}
    outputs: Tensor = functional_call(module.train(), fresh, (x,))
    return outputs


def _by_factors(module: nn.Module, state: State, x: Tensor, y: Tensor | None) -> Tensor:
    factors = _factors(module, state, x)
    if y is None:
        return _kernel_of_factors(factors, factors)
    # as many at a time as there are in x: memory is bounded by what x needs
    return torch.cat(
        [_kernel_of_factors(factors, _factors(module, state, part)) for part in torch.split(y, len(x))], dim=1
    )


def _factors(module: nn.Module, state: State, x: Tensor) -> Factors:
    """Of each linear layer (δ of all outputs, h); a bias counts as an input that is 1."""
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
            h_NF = h_NF * (state[f"{name}.sigma_w"] / layer.in_features**0.5)  # noqa: PLW2901 - the input that W sees
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


def _derivatives(module: nn.Module, state: State, x: Tensor) -> tuple[Callable[[int, int], list[Tensor]], list[int]]:
    """A function that gives rows ``start`` to ``end`` of ∂f/∂θ, one tensor a parameter, and the ends of blocks."""
    coupled = any(isinstance(part, _NormBase) for part in module.modules())
    outputs = outputs_of(module, state, x if coupled else x[:1])
    classes = outputs.shape[1]
    parameters = {name: t for name, t in state.items() if t.requires_grad}
    row_bytes = sum(p.numel() for p in parameters.values()) * x.element_size()
    unit = 1 if coupled else classes
    step = max(1, MAX_BLOCK_BYTES // (row_bytes * unit)) * unit
    ends = [*range(0, len(x) * classes, step), len(x) * classes]
    if coupled:
        flat = _call(module, state, x).flatten()

        def rows(start: int, end: int) -> list[Tensor]:
            gradients = [torch.autograd.grad(f, list(parameters.values()), retain_graph=True) for f in flat[start:end]]
            return [torch.stack([g[i].flatten() for g in gradients]) for i in range(len(parameters))]

    else:
        fixed = {name: t for name, t in state.items() if not t.requires_grad}

        def one(values: dict[str, Tensor], sample: Tensor) -> Tensor:
            out: Tensor = functional_call(module.train(), {**values, **fixed}, (sample.unsqueeze(0),)).squeeze(0)
            return out

        jacobian = vmap(jacrev(one), in_dims=(None, 0))

        def rows(start: int, end: int) -> list[Tensor]:
            derivatives = jacobian({k: p.detach() for k, p in parameters.items()}, x[start // classes : end // classes])
            return [derivatives[k].flatten(2).flatten(0, 1) for k in parameters]

    return rows, ends
