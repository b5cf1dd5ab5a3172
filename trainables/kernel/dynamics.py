"""Theorem 1: the outputs of an infinitely wide network along gradient flow, on training and test samples together.

    df/dt (x) = -e^{-2(k-1)λt} Σ_{x′ ∈ S} Θ₀(x, x′) ∂L/∂f(x′) - λ k f(x),    with L as the grid scales it.

On all samples f(t) = e^{-kλt} f(0) + Θ₀(·, S) b(t) with one number b for each output on a training sample, for which

    db/dt = -e^{-2(k-1)λt} ∂L/∂f - kλ b,    b(0) = 0.

MSE is solved mode by mode (Theorem 2; its functional form (S10) for training samples, and the same b for test samples),
any other loss by a stiff integrator.

Axis letters: N training samples, T test samples, C outputs, M rows of the kernel: N·C, or N where all outputs have the
same kernel and share nothing. Everything is float64.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from trainables.kernel.chebyshev import Chebyshev
from trainables.kernel.modes import propagator, response, unforced
from trainables.step.losses import CrossEntropy, Loss, SignSquaredError, SquaredError

TOLERANCE = 1e-7  # of an output in a step of the integrator, relative to 1 + |f|; all steps together err by up to 1e-4

KernelLoss = CrossEntropy | SquaredError | SignSquaredError


@dataclass(frozen=True, slots=True, eq=False)
class InitialState:
    """Infinitely wide networks at t = 0.

    Attributes:
        train: Θ₀ between training samples, (M, M).
        test: Θ₀ between test and training samples, (T·C, M) or (T, M).
        f_train: outputs (N, C).
        f_test: outputs (T, C).
        labels: of the training samples, (N,).
    """

    train: Tensor
    test: Tensor
    f_train: Tensor
    f_test: Tensor
    labels: Tensor

    def rows(self, outputs: Tensor) -> Tensor:
        """Outputs (N, C) or (T, C) as the kernel multiplies them: (M, C) where outputs share it, else (M, 1)."""
        return outputs.reshape(-1, self.f_train.numel() // len(self.train))


class Flow(Protocol):
    """One point in training."""

    def at(self, t: float) -> tuple[Tensor, Tensor]:
        """Outputs (N, C) on training and (T, C) on test samples at time ``t``, not before the time asked for last."""


class Modes:
    """A start under MSE, taken apart into modes; points with any λ and k share it."""

    def __init__(self, start: InitialState, loss: SquaredError | SignSquaredError) -> None:
        """Takes some 9 M³ FLOP for the eigenvectors."""
        self._start, self._scale = start, loss.factor(len(start.labels))
        gamma, vectors = torch.linalg.eigh(start.train)
        self._device = gamma.device
        self._gamma = (gamma.clamp(min=0) * self._scale).cpu().numpy()  # rounding leaves some below 0
        self._vectors, self._across = vectors, start.test @ vectors
        self._f = vectors.T @ start.rows(start.f_train)
        zero = torch.zeros_like(start.f_train)
        self._y = vectors.T @ start.rows(-_gradient(loss, zero, start.labels) / self._scale)  # ∂L/∂f = scale (f - y)

    def flow(self, lam: float, k: float) -> "ModeFlow":
        """The point with these coefficients."""
        return ModeFlow(self, lam, k)

    def at(self, t: float, lam: float, k: float) -> tuple[Tensor, Tensor]:
        """As ``Flow.at``."""
        kept, g, moved = (self._column(f(self._gamma, t, lam, k)) for f in (propagator, response, unforced))
        gamma = self._column(self._gamma)
        train = self._vectors @ (kept * self._f + gamma * g * self._y)
        test = self._across @ (g * self._y + moved * self._f) * self._scale
        rest = math.exp(-k * lam * t) * self._start.f_test
        return train.reshape(self._start.f_train.shape), test.reshape(rest.shape) + rest

    def _column(self, values: object) -> Tensor:
        return torch.as_tensor(values, device=self._device).unsqueeze(1)


@dataclass(frozen=True, slots=True)
class ModeFlow:
    """A point under MSE: exact at any time."""

    modes: Modes
    lam: float
    k: float

    def at(self, t: float) -> tuple[Tensor, Tensor]:
        """As in ``Flow``."""
        return self.modes.at(t, self.lam, self.k)


class IntegratedFlow:
    """A point under any loss, integrated with a tolerance of ``TOLERANCE`` a step."""

    def __init__(self, start: InitialState, loss: Loss, curvature: float, lam: float, k: float) -> None:
        """At t = 0; ``curvature`` bounds the second derivatives of the loss by the outputs."""
        self._start, self._loss, self._decay, self._shrink = start, loss, k * lam, 2 * (k - 1) * lam
        # Gershgorin's bound of the largest eigenvalue: near it where all entries are positive
        largest = float(start.train.abs().sum(1).max()) * curvature
        self.integrator = Chebyshev(
            self._slope,
            lambda t: largest * math.exp(-self._shrink * t) + self._decay,
            self._error,
            start.rows(torch.zeros_like(start.f_train)),
        )

    def at(self, t: float) -> tuple[Tensor, Tensor]:
        """As in ``Flow``."""
        b = self.integrator.at(t)
        rest = math.exp(-self._decay * t)
        train, test = self._start.train @ b, self._start.test @ b
        f_train, f_test = rest * self._start.f_train, rest * self._start.f_test
        return f_train + train.reshape(f_train.shape), f_test + test.reshape(f_test.shape)

    def _slope(self, t: float, b: Tensor) -> Tensor:
        f_train = self._start.f_train
        f = math.exp(-self._decay * t) * f_train + (self._start.train @ b).reshape(f_train.shape)
        gradient = self._start.rows(_gradient(self._loss, f, self._start.labels))
        return -math.exp(-self._shrink * t) * gradient - self._decay * b

    def _error(self, error: Tensor, b: Tensor) -> float:
        """Of the outputs, which the kernel makes of b."""
        f, df = self._start.train @ b, self._start.train @ error
        return float((df / (TOLERANCE * (1 + f.abs()))).square().mean().sqrt())


def make_flow(start: InitialState, loss: KernelLoss, modes: Modes | None, lam: float, k: float) -> Flow:
    """The point with λ (as torch's ``weight_decay``) and degree of homogeneity k."""
    if modes is not None:
        return modes.flow(lam, k)
    # the Hessian of -log p is diag(p) - ppᵀ, with eigenvalues of at most ½
    return IntegratedFlow(start, loss, 0.5 * loss.factor(len(start.labels)), lam, k)


def modes_of(start: InitialState, loss: KernelLoss) -> Modes | None:
    """What all points of one start share under MSE; None for other losses."""
    return None if isinstance(loss, CrossEntropy) else Modes(start, loss)


def _gradient(loss: Loss, outputs_NC: Tensor, labels: Tensor) -> Tensor:
    """∂L/∂f, (N, C)."""
    with torch.enable_grad():
        f = outputs_NC.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(loss.objective(f.unsqueeze(0), labels).sum(), f)
    return gradient
