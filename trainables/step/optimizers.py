"""Optimizer steps of a pack, each point with its present learning rate η and weight decay λ.

Axis letters: P pack; ``...`` the shape of a parameter. λ here is torch's ``weight_decay``; ``trainables.step.l2`` says
which λ of a grid that is, and which parameters it acts on.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from search_spaces.sections.optimizer import Adam, AdamW, Sgd
from trainables.step.layout import weights_of_pack
from trainables.step.real import real_views


class PackedOptimizer(Protocol):
    """One kind of optimizer for every point of a pack."""

    def step(
        self, parameters: Mapping[str, Tensor], gradients: Sequence[Tensor], eta_P: Tensor, decay_P: Tensor
    ) -> None:
        """Take one step, in place and without waiting for the device.

        Args:
            parameters: name to tensor, (P, ...) each, in the order of those that the optimizer was made for.
            gradients: (P, ...) each, in that order, without the L2 term; they are only read.
            eta_P: present learning rates, (P,).
            decay_P: present weight decays, (P,); 0 is no decay.
        """

    def keep(self, index: Tensor) -> None:
        """Keep only the points at ``index``, positions on the pack axis, int64 (n,)."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return all that the next step needs besides its arguments.

        These are the tensors themselves, (P, ...) each, which later steps change.
        """

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Copy in the tensors of ``state_dict``, (P, ...) each, from any device.

        Raises:
            ValueError: names or shapes are another optimizer's, or another number of points'.
        """


def make_optimizer(
    spec: Sgd | AdamW | Adam, parameters: Mapping[str, Tensor], *, mu: float, decayed: Collection[str]
) -> PackedOptimizer:
    """Return the optimizer that a grid asks for.

    Args:
        spec: section ``optimizer`` of the grid.
        parameters: name to tensor, (P, ...) each.
        mu: momentum of all points of the pack; it replaces the section's, and AdamW and Adam have none.
        decayed: names of the parameters that the weight decay acts on.

    Raises:
        ValueError: ``decayed`` names something that is not a parameter.
    """
    if unknown := sorted(set(decayed) - set(parameters)):
        raise ValueError(f"weight decay is to act on {unknown}, but the parameters are {list(parameters)}")
    if isinstance(spec, Sgd):
        return PackedSgd(parameters, mu=mu, nesterov=spec.nesterov, decayed=decayed)
    return PackedAdam(
        parameters,
        betas=(spec.beta1, spec.beta2),
        epsilon=spec.epsilon,
        coupled=isinstance(spec, Adam),
        decayed=decayed,
    )


class PackedSgd:
    """SGD with momentum and L2, equal to ``torch.optim.SGD(lr=η, momentum=μ, nesterov=…, weight_decay=λ)``.

    v ← μv + g + λθ, θ ← θ - ηv (paper, SM A); with Nesterov's momentum θ ← θ - η(g + λθ + μv).
    """

    def __init__(
        self, parameters: Mapping[str, Tensor], *, mu: float, nesterov: bool = False, decayed: Collection[str]
    ) -> None:
        """Start with zero velocity.

        Args:
            parameters: name to tensor, (P, ...) each.
            mu: momentum μ, 0 to below 1.
            nesterov: whether the momentum is Nesterov's.
            decayed: names of the parameters that the weight decay acts on.
        """
        self.mu, self.nesterov, self.decayed = mu, nesterov, frozenset(decayed)
        self.velocity = _zeros(parameters) if mu else {}

    @torch.no_grad()
    def step(
        self, parameters: Mapping[str, Tensor], gradients: Sequence[Tensor], eta_P: Tensor, decay_P: Tensor
    ) -> None:
        """Take one step, in place and without waiting for the device.

        It makes two passes over memory without momentum, three or five with it.

        Args:
            parameters: name to tensor, (P, ...) each, in the order of those that the optimizer was made for.
            gradients: (P, ...) each, in that order, without the L2 term; they are only read.
            eta_P: present learning rates, (P,).
            decay_P: present weight decays, (P,); 0 is no decay.
        """
        minus_eta_P, minus_eta_mu_P = -eta_P, eta_P * -self.mu
        for (name, p), g in zip(parameters.items(), gradients, strict=True):
            decays = name in self.decayed
            if self.mu:
                v = self.velocity[name]
                torch.add(g, v, alpha=self.mu, out=v)
                if decays:
                    v.addcmul_(p, _per_point(p, decay_P))
            if self.mu and not self.nesterov:
                p.addcmul_(v, _per_point(p, minus_eta_P))
                continue
            if decays:  # not θ(1 - ηλ): float32 rounds 1 - 2.5e-8 to 1, and Figure 2 has such ηλ
                g = torch.addcmul(g, p, _per_point(p, decay_P))  # noqa: PLW2901 - g is the gradient with the L2 term
            p.addcmul_(g, _per_point(p, minus_eta_P))
            if self.mu:
                p.addcmul_(v, _per_point(p, minus_eta_mu_P))

    def keep(self, index: Tensor) -> None:
        """Keep only the points at ``index``, positions on the pack axis, int64 (n,)."""
        self.velocity = _kept(self.velocity, index)

    def state_dict(self) -> dict[str, Tensor]:
        """Return ``velocity.NAME``, (P, ...) each; nothing without momentum."""
        return {f"velocity.{name}": v for name, v in self.velocity.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Copy in the tensors of ``state_dict``, (P, ...) each, from any device.

        Raises:
            ValueError: names or shapes are another optimizer's, or another number of points'.
        """
        _copy_state(self.state_dict(), state)


class PackedAdam:
    """Adam, equal to ``torch.optim.AdamW``, or to ``torch.optim.Adam`` if ``coupled``, with ``weight_decay=λ``.

    m ← β₁m + (1-β₁)g, s ← β₂s + (1-β₂)g², θ ← θ - η m̂/(√ŝ + ε) with m̂ = m/(1-β₁ⁿ), ŝ = s/(1-β₂ⁿ) at step n (Kingma &
    Ba 2015). Decoupled: first θ ← (1-ηλ)θ (Loshchilov & Hutter 2019). Coupled: first g ← g + λθ.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        *,
        betas: tuple[float, float],
        epsilon: float,
        coupled: bool,
        decayed: Collection[str],
    ) -> None:
        """Start with zero moments.

        Args:
            parameters: name to tensor, (P, ...) each.
            betas: (β₁, β₂), decay rates of the moments.
            epsilon: ε of the denominator.
            coupled: whether λθ is added to the gradient.
            decayed: names of the parameters that the weight decay acts on.
        """
        self.betas, self.epsilon, self.coupled, self.decayed = betas, epsilon, coupled, frozenset(decayed)
        self.mean, self.square = _zeros(parameters), _zeros(parameters)
        self.steps = 0  # the same for all points of a pack, so that it needs no tensor

    @torch.no_grad()
    def step(
        self, parameters: Mapping[str, Tensor], gradients: Sequence[Tensor], eta_P: Tensor, decay_P: Tensor
    ) -> None:
        """Take one step, in place and without waiting for the device.

        Args:
            parameters: name to tensor, (P, ...) each, in the order of those that the optimizer was made for.
            gradients: (P, ...) each, in that order, without the L2 term; they are only read.
            eta_P: present learning rates, (P,).
            decay_P: present weight decays, (P,); 0 is no decay.
        """
        self.steps += 1
        beta1, beta2 = self.betas
        # m̂/(√ŝ + ε) = r/(1-β₁ⁿ) · m/(√s + rε) with r = √(1-β₂ⁿ): both corrections act on numbers, not on tensors.
        root = math.sqrt(1 - beta2**self.steps)
        shrink_P, minus_rate_P = 1 - eta_P * decay_P, eta_P * (-root / (1 - beta1**self.steps))
        for (name, p), g in zip(parameters.items(), gradients, strict=True):
            if name in self.decayed:
                if self.coupled:
                    g = torch.addcmul(g, p, _per_point(p, decay_P))  # noqa: PLW2901 - g is the gradient from here on
                else:
                    p.mul_(_per_point(p, shrink_P))
            m = self.mean[name].lerp_(g, 1 - beta1)
            s = self.square[name].mul_(beta2).addcmul_(g, g, value=1 - beta2)
            move = s.sqrt().add_(self.epsilon * root)
            p.addcmul_(torch.div(m, move, out=move), _per_point(p, minus_rate_P))

    def keep(self, index: Tensor) -> None:
        """Keep only the points at ``index``, positions on the pack axis, int64 (n,)."""
        self.mean, self.square = _kept(self.mean, index), _kept(self.square, index)

    def state_dict(self) -> dict[str, Tensor]:
        """Return ``mean.NAME``, ``square.NAME``, (P, ...) each, and the count ``steps``, ()."""
        return {**self._moments(), "steps": torch.tensor(self.steps)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Copy in the tensors of ``state_dict``, (P, ...) each, from any device.

        Raises:
            ValueError: names or shapes are another optimizer's, or another number of points'.
        """
        _copy_state(self._moments(), {name: value for name, value in state.items() if name != "steps"})
        self.steps = int(state["steps"])

    def _moments(self) -> dict[str, Tensor]:
        means = {f"mean.{name}": m for name, m in self.mean.items()}
        return means | {f"square.{name}": s for name, s in self.square.items()}


def _zeros(parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: torch.zeros_like(p, requires_grad=False) for name, p in parameters.items()}


def _kept(tensors: Mapping[str, Tensor], index: Tensor) -> dict[str, Tensor]:
    """Return the tensors of the points at ``index``, int64 (n,), in the layout of their parameters."""
    return {name: weights_of_pack(t[index]) for name, t in tensors.items()}


def _per_point(p: Tensor, values_P: Tensor) -> Tensor:
    """Return ``values_P`` (P,) as (P, 1, ...), to be multiplied with ``p``."""
    return values_P.view(-1, *[1] * (p.ndim - 1))


def _copy_state(present: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    state = real_views(state)  # earlier checkpoints hold complex numbers
    shapes, saved_shapes = ({name: tuple(t.shape) for name, t in tensors.items()} for tensors in (present, state))
    if shapes != saved_shapes:  # copy_ would broadcast one point's numbers over a pack
        raise ValueError(f"this optimizer's state has the shapes {shapes}, the one to load has {saved_shapes}")
    for name, tensor in present.items():
        tensor.copy_(state[name])
