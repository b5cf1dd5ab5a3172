"""Theorem 1: outputs of an infinitely wide network along gradient flow, on training and test samples together.

    df/dt (x) = -e^{-2(k-1)λt} Σ_{x′ ∈ S} Θ₀(x, x′) ∂L/∂f(x′) - λ k f(x),    with L as the grid scales it.

On all samples f(t) = e^{-kλt} f(0) + Θ₀(·, S) b(t), with one number b for each output on a training sample, for which

    db/dt = -e^{-2(k-1)λt} ∂L/∂f - kλ b,    b(0) = 0.

MSE is solved mode by mode (Theorem 2). Its functional form (S10) serves training samples, and the same b test samples.
Any other loss is solved by a stiff integrator.

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

TOLERANCE = 1e-7  # error of an output in one step, relative to 1 + |f|; all steps together err by up to 1e-4

KernelLoss = CrossEntropy | SquaredError | SignSquaredError


@dataclass(frozen=True, slots=True, eq=False)
class InitialState:
    """Infinitely wide networks at t = 0.

    Attributes:
        train: Θ₀ between training samples, (M, M).
        test: Θ₀ between test and training samples, (T·C, M) or (T, M).
        f_train: outputs on training samples, (N, C).
        f_test: outputs on test samples, (T, C).
        labels: classes of the training samples, int64 (N,).
    """

    train: Tensor
    test: Tensor
    f_train: Tensor
    f_test: Tensor
    labels: Tensor

    def rows(self, outputs: Tensor) -> Tensor:
        """Return outputs (N, C) or (T, C) as the kernel multiplies them: (M, C) where outputs share it, else (M, 1)."""
        return outputs.reshape(-1, self.f_train.numel() // len(self.train))


class Flow(Protocol):
    """One point in training."""

    def at(self, t: float) -> tuple[Tensor, Tensor]:
        """Return outputs (N, C) on training and (T, C) on test samples at time ``t``.

        Times must not decrease from call to call.
        """


class Modes:
    """The modes of an initial state under MSE, shared by points with any λ and k."""

    def __init__(self, start: InitialState, loss: SquaredError | SignSquaredError) -> None:
        """Compute the eigenvectors, which takes some 9 M³ FLOP."""
        self._start, self._scale = start, loss.factor(len(start.labels))
        gamma, vectors = torch.linalg.eigh(start.train)
        self._device = gamma.device
        self._gamma = (gamma.clamp(min=0) * self._scale).cpu().numpy()  # rounding leaves some below 0
        self._vectors, self._across = vectors, start.test @ vectors
        self._f = vectors.T @ start.rows(start.f_train)
        zero = torch.zeros_like(start.f_train)
        self._y = vectors.T @ start.rows(-_gradient(loss, zero, start.labels) / self._scale)  # ∂L/∂f = scale (f - y)

    def flow(self, lam: float, k: float) -> "ModeFlow":
        """Return the point with these λ and k."""
        return ModeFlow(self, lam, k)

    def at(self, t: float, lam: float, k: float) -> tuple[Tensor, Tensor]:
        """Return outputs (N, C) on training and (T, C) on test samples.

        Args:
            t: time nη ≥ 0.
            lam: λ ≥ 0, as torch's ``weight_decay``.
            k: degree of homogeneity ≥ 1.
        """
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
    """A point under MSE, exact at any time.

    Attributes:
        modes: the modes that its pack shares.
        lam: λ ≥ 0, as torch's ``weight_decay``.
        k: degree of homogeneity ≥ 1.
    """

    modes: Modes
    lam: float
    k: float

    def at(self, t: float) -> tuple[Tensor, Tensor]:
        """Return outputs (N, C) on training and (T, C) on test samples at time ``t``."""
        return self.modes.at(t, self.lam, self.k)


class IntegratedFlow:
    """A point under any loss, integrated with a tolerance of ``TOLERANCE`` a step.

    Attributes:
        integrator: the integrator of b.
    """

    def __init__(self, start: InitialState, loss: Loss, curvature: float, lam: float, k: float) -> None:
        """Start at t = 0.

        Args:
            start: kernels and outputs at t = 0.
            loss: the loss that is minimized.
            curvature: a bound of the second derivatives of the loss by the outputs.
            lam: λ ≥ 0, as torch's ``weight_decay``.
            k: degree of homogeneity ≥ 1.
        """
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
        """Return outputs (N, C) on training and (T, C) on test samples at time ``t``.

        Times must not decrease from call to call.
        """
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
        """Return the norm of the error of the outputs, which the kernel computes from b."""
        f, df = self._start.train @ b, self._start.train @ error
        return float((df / (TOLERANCE * (1 + f.abs()))).square().mean().sqrt())


def make_flow(start: InitialState, loss: KernelLoss, modes: Modes | None, lam: float, k: float) -> Flow:
    """Return one point in training.

    Args:
        start: kernels and outputs at t = 0.
        loss: the loss that is minimized.
        modes: ``modes_of`` for the same start and loss.
        lam: λ ≥ 0, as torch's ``weight_decay``.
        k: degree of homogeneity ≥ 1.
    """
    if modes is not None:
        return modes.flow(lam, k)
    # the Hessian of -log p is diag(p) - ppᵀ, with eigenvalues of at most ½
    return IntegratedFlow(start, loss, 0.5 * loss.factor(len(start.labels)), lam, k)


def modes_of(start: InitialState, loss: KernelLoss) -> Modes | None:
    """Return the modes that all points of one start share under MSE; None for other losses."""
    return None if isinstance(loss, CrossEntropy) else Modes(start, loss)


def _gradient(loss: Loss, outputs_NC: Tensor, labels: Tensor) -> Tensor:
    """Return ∂L/∂f, (N, C)."""
    with torch.enable_grad():
        f = outputs_NC.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(loss.objective(f.unsqueeze(0), labels).sum(), f)
    return gradient
