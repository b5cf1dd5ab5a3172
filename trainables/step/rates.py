"""Learning rate, L2 coefficient and decay time of each point of a pack, as they change during training.

Axis letters: P pack (the points still training).
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.laws.schedule import learning_rate_factor
from search_spaces.points import Point
from search_spaces.recipe import Recipe
from search_spaces.sections.optimizer import Constant
from trainables.auto_l2 import AutoL2State, observe
from trainables.data.transfer import on_device


class Rates:
    """Rates η_t and λ_t and decay time s = Σ η_t λ_t/(1-μ) of the points.

    They are plain numbers on the host, copied to the device when they change. λ_t is torch's ``weight_decay``, whatever
    the grid's convention.
    """

    def __init__(
        self,
        points: Sequence[Point],
        recipe: Recipe,
        weight_decay: float,
        last_step: NDArray[np.int64],
        device: torch.device,
    ) -> None:
        """Start before the first step.

        Args:
            points: the points of the pack.
            recipe: the grid's, with the points' variant applied.
            weight_decay: torch's ``weight_decay`` for λ = 1.
            last_step: the last optimizer step of each point's budget, (P,).
            device: device of the optimizer.
        """
        self._schedule, self._auto_l2, self._device = recipe.schedule, recipe.l2.auto, device
        self._weight_decay, self._last_step = weight_decay, last_step
        self._changes = self._schedule != Constant(name="constant")
        self._eta = np.array([p.eta for p in points])
        self._lam = np.array([p.lam for p in points])
        self._per_mu = 1 / (1 - np.array([p.mu for p in points]))
        self._auto = [AutoL2State(lam=p.lam) for p in points] if self._auto_l2 else []
        self._eta_t = self._eta
        self._decay_time = np.zeros(len(points))
        self._on_device: tuple[Tensor, Tensor] | None = None

    @property
    def signal(self) -> Literal["batch", "train"] | None:
        """The samples that AutoL2 looks at: the step's batch or the training set; None without AutoL2."""
        return self._auto_l2.signal if self._auto_l2 else None

    def observed_after(self, step: int) -> bool:
        """Return whether AutoL2 looks at the training signal after ``step`` steps."""
        return self._auto_l2 is not None and step > 0 and step % self._auto_l2.every == 0

    def observe(self, step: int, loss_P: Tensor, error_P: Tensor) -> None:
        """Pass each point's training loss and error to its AutoL2.

        Args:
            step: optimizer steps taken to the parameters measured.
            loss_P: training loss without the L2 term, (P,).
            error_P: share of samples misclassified, 0 to 1, (P,).
        """
        signals = zip(self._auto, loss_P.tolist(), error_P.tolist(), strict=True)
        self._auto = [observe(state, step, loss, error) for state, loss, error in signals]
        lam = np.array([state.lam for state in self._auto])
        if (lam != self._lam).any():
            self._lam, self._on_device = lam, None

    def advance(self, step: int) -> tuple[Tensor, Tensor]:
        """Return (η_t, λ_t), (P,) each, of the optimizer step taken after ``step`` steps, and add up its decay time."""
        if self._changes:
            eta_t = self._eta * learning_rate_factor(self._schedule, step, self._last_step)
            if (eta_t != self._eta_t).any():
                self._eta_t, self._on_device = eta_t, None
        lam_t = self._lam * self._weight_decay
        self._decay_time = self._decay_time + self._eta_t * lam_t * self._per_mu
        if self._on_device is None:
            eta_P, lam_P = on_device(np.stack([self._eta_t, lam_t]).astype(np.float32), self._device)
            self._on_device = eta_P, lam_P
        return self._on_device

    def columns(self, positions: Sequence[int]) -> dict[str, NDArray[np.float64]]:
        """Return rates of the latest step and decay time of the points at ``positions``, (n,) each."""
        i = list(positions)
        return {
            "eta_t": self._eta_t[i],
            "lam_t": self._lam[i] * self._weight_decay,
            "decay_time": self._decay_time[i],
        }

    def keep(self, index: Sequence[int]) -> None:
        """Keep only the points at ``index``, positions on the pack axis."""
        i = list(index)
        for name in ("_eta", "_lam", "_per_mu", "_eta_t", "_decay_time", "_last_step"):
            setattr(self, name, getattr(self, name)[i])
        self._auto = [self._auto[k] for k in i] if self._auto else []
        self._on_device = None

    def state_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists."""
        return {
            "eta_t": self._eta_t.tolist(),
            "decay_time": self._decay_time.tolist(),
            "auto_l2": [asdict(state) for state in self._auto],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a ``state_dict``."""
        self._eta_t, self._decay_time = np.array(state["eta_t"]), np.array(state["decay_time"])
        self._auto = [AutoL2State(**values) for values in state["auto_l2"]]
        if self._auto:
            self._lam = np.array([auto.lam for auto in self._auto])
        self._on_device = None
