"""AutoL2: λ falls to a tenth whenever training no longer improves (paper, section 3 and SM E, Algorithm 1).

``AutoL2State`` and ``observe`` are the algorithm, in pure numbers. ``AutoL2`` applies it to a torch optimizer in
anyone's training loop, as a learning-rate scheduler is applied. The paper finds it faster and better than constant λ at
a constant learning rate (Figure S9). At the end of a learning-rate schedule it is behind the best of them (Figure S10).
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal

import torch
from torch import Tensor

REFRACTORY_TIME = Decimal("0.1")  # after a fall λ stays for 0.1/λ steps (SM E: 1/λ is the time scale of the system)
_COUPLED_BY_DEFAULT = (
    torch.optim.Adadelta,
    torch.optim.Adagrad,
    torch.optim.Adam,
    torch.optim.Adamax,
    torch.optim.NAdam,
    torch.optim.RAdam,
    torch.optim.RMSprop,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoL2State:
    """State of Algorithm 1 between two measurements; ``AutoL2State(lam=0.1)`` is the paper's start.

    Attributes:
        lam: present λ, > 0.
        min_step: λ falls only after this step.
        best_loss: smallest loss before the last measurement (MINLOSS), without the L2 term.
        best_error: smallest error before the last measurement (MINERROR).
        last_loss: loss of the last measurement; infinite before the first, so that it is never the best.
        last_error: error of the last measurement.

    Raises:
        ValueError: λ is not a positive number: from 0 it could not fall.
    """

    lam: float
    min_step: float = 0.0
    best_loss: float = math.inf
    best_error: float = math.inf
    last_loss: float = math.inf
    last_error: float = math.inf

    def __post_init__(self) -> None:
        if not 0 < self.lam < math.inf:
            raise ValueError(f"lam {self.lam} is not allowed: AutoL2 starts at a positive number (paper: 0.1)")


def observe(state: AutoL2State, step: int, loss: float, error: float) -> AutoL2State:
    """Apply one measurement of Algorithm 1, and return the new state.

    λ falls if ``step`` > ``min_step`` and either the loss or the error is above its best for the second time in a row.
    Then ``min_step`` becomes ``step`` + 0.1/λ. If λ does not fall, the previous measurement joins the bests, which a
    fall neither resets nor changes.

    Above means >, as in Algorithm 1: a training error that stays at its best, 0, is no deterioration. With ≥ it would
    lower λ at the end of each refractory period. (Algorithm 1 prints "ERROR > ERROR"; the right one is MINERROR.) A NaN
    is no evidence: it is neither above nor below anything, so that λ stays and the bests are unharmed.

    Args:
        state: state before the measurement.
        step: optimizer steps taken.
        loss: loss of a training batch or the training set, without the L2 term.
        error: share of samples misclassified there, 0 to 1.

    >>> state = AutoL2State(lam=0.1)
    >>> for step, loss in [(5, 1.0), (10, 1.5), (15, 1.25)]:
    ...     state = observe(state, step, loss, error=0.0)
    >>> state.lam, state.min_step
    (0.01, 25.0)
    """
    last = {"last_loss": loss, "last_error": error}
    loss_rose = loss > state.best_loss and state.last_loss > state.best_loss
    error_rose = error > state.best_error and state.last_error > state.best_error
    if step > state.min_step and (loss_rose or error_rose):
        # Decimals keep 1e-05 as people write it, and 0.1/λ steps a whole number where it should be.
        lam = Decimal(repr(float(state.lam))) / 10
        return replace(state, lam=float(lam), min_step=step + float(REFRACTORY_TIME / lam), **last)
    # This order of arguments keeps the best where the last is NaN.
    best_loss, best_error = min(state.best_loss, state.last_loss), min(state.best_error, state.last_error)
    return replace(state, best_loss=best_loss, best_error=best_error, **last)


class AutoL2:
    """Algorithm 1 for a torch optimizer: sets ``weight_decay`` of its parameter groups.

    ::

        auto = AutoL2(optimizer)
        for x, y in batches:
            outputs = model(x)
            loss = cross_entropy(outputs, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            auto.step(loss, (outputs.argmax(1) != y).float().mean())

    It leaves out the groups that were given ``weight_decay=0``, such as one of biases. A group that was given none has
    torch's default, 0 for SGD, and is set, unless other groups have a weight decay above 0. Where several processes
    train one model, give all of them the same loss and error; otherwise their λ diverge.

    Args:
        optimizer: its ``weight_decay`` is set to λ, the coefficient of ½λ‖θ‖², at once and at each fall.
        lam: λ at the start (paper: 0.1).
        every: steps between two looks at loss and error (paper: 10 in Figure 1c, 5 in SM E).

    Raises:
        ValueError: ``lam`` or ``every`` is not positive, the optimizer has no weight decay, or every group was given 0.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, lam: float = 0.1, every: int = 10) -> None:
        if every < 1:
            raise ValueError(f"every {every} is not allowed: give a number of steps >= 1 (paper: 10)")
        if any("weight_decay" not in group for group in optimizer.param_groups):
            raise ValueError(f"{type(optimizer).__name__} has no weight_decay that AutoL2 could set")
        _warn_if_coupled(optimizer)
        self.optimizer, self.every, self.steps = optimizer, every, 0
        self.state = AutoL2State(lam=float(lam))
        # Positions are kept, not the groups: optimizer.load_state_dict replaces those.
        groups = optimizer.param_groups
        self._groups = [i for i, group in enumerate(groups) if group["weight_decay"]] or [
            i for i, group in enumerate(groups) if not _was_given(group, optimizer.defaults, "weight_decay")
        ]
        if not self._groups:
            raise ValueError(
                "every parameter group was given weight_decay=0, so that AutoL2 has none to set; leave it out of the "
                "groups that are to decay"
            )
        self._apply()

    @property
    def lam(self) -> float:
        """The present λ."""
        return self.state.lam

    def step(self, loss: float | Tensor, error: float | Tensor) -> None:
        """Count an optimizer step; to be called after each.

        Args:
            loss: training loss without the L2 term, a number or a scalar tensor. It is read every ``every`` steps only,
                which waits for the device.
            error: share of samples misclassified, 0 to 1, a number or a scalar tensor, read likewise.
        """
        self.steps += 1
        if self.steps % self.every == 0:
            self.state = observe(self.state, self.steps, _number(loss), _number(error))
            self._apply()

    def state_dict(self) -> dict[str, float]:
        """Return plain numbers, which ``torch.load`` reads with ``weights_only=True``; ``every`` is not among them."""
        return {"steps": self.steps, **asdict(self.state)}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Continue from a ``state_dict``, and set the optimizer's ``weight_decay`` too."""
        self.steps = int(state["steps"])
        self.state = AutoL2State(**{name: value for name, value in state.items() if name != "steps"})
        self._apply()

    def _apply(self) -> None:
        for i in self._groups:
            self.optimizer.param_groups[i]["weight_decay"] = self.lam


def _was_given(group: Mapping[str, object], defaults: Mapping[str, object], key: str) -> bool:
    """Return whether ``key`` stood in a parameter group, and was not filled in from the optimizer's defaults.

    Torch adds the defaults that a group lacks behind the keys that it has, in the order of the defaults. The keys in
    front of the first such run are those that were given.
    """
    keys = [name for name in group if name in defaults]
    order = list(defaults)
    count = next(n for n in range(len(keys) + 1) if keys[n:] == [name for name in order if name not in keys[:n]])
    return key in keys[:count]


def _number(value: float | Tensor) -> float:
    return float(value.item() if isinstance(value, Tensor) else value)


def _warn_if_coupled(optimizer: torch.optim.Optimizer) -> None:
    # torch.optim.AdamW is an Adam whose groups have decoupled_weight_decay.
    decoupled = all(group.get("decoupled_weight_decay", False) for group in optimizer.param_groups)
    if isinstance(optimizer, _COUPLED_BY_DEFAULT) and not decoupled:
        warnings.warn(
            f"{type(optimizer).__name__} divides λθ by the size of each weight's gradients, so its weight_decay is not "
            "L2 regularization; AutoL2 is meant for SGD or AdamW",
            stacklevel=3,
        )
