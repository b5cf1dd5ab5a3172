"""Gradients and weights as an optimizer takes them: dense, and complex numbers as pairs of real ones, as torch does."""

from collections.abc import Mapping

import torch
from torch import Tensor


def real_view(t: Tensor) -> Tensor:
    """Return a detached view of complex numbers (...) as pairs (..., 2); real numbers (...) as they are."""
    return torch.view_as_real(t.detach().resolve_conj()) if t.is_complex() else t


def real_views(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return ``real_view`` of each tensor, (P, ...) each."""
    return {name: real_view(t) for name, t in tensors.items()}


def dense_gradient(p: Tensor) -> Tensor:
    """Return the gradient of a parameter, (...) as the parameter; zeros where there is none."""
    if p.grad is None:
        return torch.zeros_like(p, requires_grad=False)
    return (p.grad.to_dense() if p.grad.layout != torch.strided else p.grad).detach()
