"""Optimizer steps of a pack, each point with its own η and λ.

Axis letters: P pack; ``...`` the shape of a parameter.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


class PackedSgd:
    """SGD with momentum and L2, equal to ``torch.optim.SGD(lr=eta, momentum=mu, weight_decay=lam)`` of every point.

    v ← μv + g + λθ, θ ← θ - ηv, over all parameters of the loss + ½λ‖θ‖² (paper, SM A).
    """

    def __init__(self, parameters: Mapping[str, Tensor], eta_P: Tensor, lam_P: Tensor, mu: float) -> None:
        self.eta_P, self.lam_P, self.mu = eta_P, lam_P, mu
        self.velocity = {name: torch.zeros_like(p) for name, p in parameters.items()} if mu else {}

    @torch.no_grad()
    def step(self, parameters: Mapping[str, Tensor], gradients: Sequence[Tensor]) -> None:
        """Update ``parameters`` (P, ...) in place; ``gradients`` are in their order, without the L2 term."""
        for (name, p), g in zip(parameters.items(), gradients, strict=True):
            eta, lam = (v.view(-1, *[1] * (p.ndim - 1)) for v in (self.eta_P, self.lam_P))
            if self.mu:
                v = self.velocity[name].mul_(self.mu).add_(g).addcmul_(p, lam)
                p.addcmul_(v, -eta)
            else:
                p.mul_(1 - eta * lam).addcmul_(g, -eta)

    def keep(self, index: Tensor) -> None:
        """Keep only the points at ``index``."""
        self.eta_P, self.lam_P = self.eta_P[index], self.lam_P[index]
        self.velocity = {name: v[index] for name, v in self.velocity.items()}
