"""Comparison of a packed model with the plain modules that it stands for.

Axis letters: P pack, B batch, C outputs of the model; ``...`` the shape of a tensor of one point.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainables.admission.passes import Pass, Samples, close, trained
from trainables.step.losses import Loss, OwnLoss, at_least_float32
from trainables.step.packed import PackedModel, pack_model
from trainables.user_code import UserCodeError, user_code

# Relative. In float32 four samples behind a few norms differ by 1e-4, a lost hook by its whole effect. ResNet-50 on
# small images differs by more than its gradients, and agrees to 1e-9 in float64.
_TOLERANCE = 1e-3
OTHER_NUMBERS = "it gives other numbers in a pack"


class Member(NamedTuple):
    """One point of a trial pack.

    Attributes:
        tensors: its parameters and buffers by name, (...) each.
        done: the pass of the plain module with these weights.
        evaluated: outputs of the plain module in evaluation mode, (B, C).
    """

    tensors: Mapping[str, Tensor]
    done: Pass
    evaluated: Tensor


def differs_together(module: nn.Module, loss: Loss, samples: Samples, members: Sequence[Member]) -> str:
    """Return how a pack differs from its points alone, in words; empty if it does not.

    Args:
        module: a network; it is used for its structure only.
        loss: the loss of the task.
        samples: the samples of the members' passes, B of them.
        members: points of different weights.
    """
    model, names = pack_model(module), list(trained(module))
    images = samples.x.ndim == 4  # a GPU gives a point alone its images channels last
    single = samples.x.contiguous(memory_format=torch.channels_last) if images else samples.x
    try:
        with user_code():
            same = _agrees(model, names, loss, Samples(single, samples.labels), members[-1:], shared=True) and all(
                _agrees(model, names, loss, samples, members, shared=shared) for shared in (True, False)
            )
    except UserCodeError as raised:
        return f"it does not run in a pack ({type(raised.error).__name__})"
    return "" if same else OTHER_NUMBERS


def _agrees(
    model: PackedModel, names: list[str], loss: Loss, samples: Samples, members: Sequence[Member], *, shared: bool
) -> bool:
    """Return whether outputs, gradients, buffers and outputs in evaluation mode are those of the members alone."""
    stacked = {n: torch.stack([m.tensors[n] for m in members]) for n in members[0].tensors}
    parameters = {n: stacked[n].requires_grad_() for n in names}
    buffers = {n: b for n, b in stacked.items() if n not in parameters}
    x = samples.x if shared else samples.x.expand(len(members), *samples.x.shape)
    outputs_PBC = model(parameters, buffers, x, shared=shared, training=True)
    total = loss.objective(at_least_float32(outputs_PBC), samples.labels).sum()
    gradients = torch.autograd.grad(total, list(parameters.values()), materialize_grads=True)
    with torch.no_grad():
        start = {n: torch.stack([m.tensors[n] for m in members]) for n in buffers}
        evaluated_PBC = model(parameters, start, samples.x, shared=True, training=False)
    return all(
        close({"": outputs_PBC[i].detach()}, {"": m.done.outputs}, _TOLERANCE)
        and close({"": evaluated_PBC[i]}, {"": m.evaluated}, _TOLERANCE)
        and close({n: g[i] for n, g in zip(names, gradients, strict=True)}, m.done.gradients, _TOLERANCE)
        and close({n: buffers[n][i] for n in m.done.buffers}, m.done.buffers, _TOLERANCE)
        for i, m in enumerate(members)
    )


def loss_agrees_together(loss: OwnLoss, outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> bool:
    """Return whether a user's loss gives a pack the numbers and gradients of its points alone.

    Args:
        loss: the loss, point by point.
        outputs: outputs of each point, (B, C) or (B, L, C) each.
        targets: kinds of targets to try: those of the data, and soft labels (B, k).
    """
    together = replace(loss, together=True)
    try:
        with user_code():
            return all(_same_loss(together, loss, torch.stack(list(outputs)), target) for target in targets)
    except UserCodeError:
        return False


def _same_loss(together: OwnLoss, alone: OwnLoss, outputs_PBC: Tensor, target: Tensor) -> bool:
    results: list[dict[str, Tensor]] = []
    for loss in (together, alone):
        leaf = outputs_PBC.detach().clone().requires_grad_()
        value = loss.objective(leaf, target)
        (gradient,) = torch.autograd.grad(value.sum(), [leaf])
        results.append({"value": value.detach(), "gradient": gradient})
    return close(results[0], results[1], _TOLERANCE)
