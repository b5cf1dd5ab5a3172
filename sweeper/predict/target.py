"""The training set-up that a λ is predicted for: one set-up of a grid, its steps, and the λ that is typical for it."""

from dataclasses import dataclass

import numpy as np

from search_spaces.cost import Profile
from search_spaces.errors import InputError
from search_spaces.laws.schedule import learning_rate_factor
from search_spaces.points import make_points
from search_spaces.recipe import recipe_of
from search_spaces.sections.grid import Grid
from search_spaces.sections.trainable import KernelTrainable, OwnLoop
from trainables.profile import profiles_of
from trainables.step.l2 import weight_decay_of
from trainables.task import scale_invariant_weights, task_of

MAX_SCHEDULE_FACTORS = 10_000  # values of η_t/η along a run, whose mean is as good as that over all steps
# Decay time Σ ηλ/(1-μ) of a whole run at the best λ. It was 0.5 to 1.5 with SGD on fully connected networks and CNNs of
# digits and MNIST, with and without momentum and batch norm, and 0.3 to 0.5 with AdamW.
TYPICAL_DECAY_TIME = {"sgd": 1.25, "adamw": 0.42, "adam": 0.42}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One training set-up of a grid.

    Attributes:
        grid: grid of the user.
        eta: learning rate η.
        mu: momentum μ.
        weight_decay_per_lam: torch's weight decay for λ = 1.
        profile: steps of an epoch and of a budget.
        chance: test accuracy of guessing.
        normalized_weights: number of weights whose scale a norm takes away.
    """

    grid: Grid
    eta: float
    mu: float
    weight_decay_per_lam: float
    profile: Profile
    chance: float
    normalized_weights: int

    @property
    def title(self) -> str:
        """The set-up in words."""
        grid = self.grid
        batch = getattr(grid.trainable, "batch", "full")
        momentum = f", μ = {self.mu:g}" if self.mu else ""
        steps = f"{grid.optimizer.name}, η = {self.eta:g}{momentum}, schedule {grid.schedule.name}"
        return f"{grid.trainable.title}, batch {batch}, {steps}"

    def typical_lam(self, budget: float) -> float:
        """Return the λ of the grid that is expected to be best for a budget, before any trial.

        Args:
            budget: T, in epochs.
        """
        last_step = self.profile.last_step(budget)
        sampled = min(last_step, MAX_SCHEDULE_FACTORS)
        mean_eta = float(np.mean(learning_rate_factor(self.grid.schedule, np.arange(sampled), sampled)))
        eta = self.eta * self.weight_decay_per_lam
        return typical_lam(self.grid.optimizer.name, eta, self.mu, last_step * mean_eta)

    @property
    def timescale_at_one(self) -> float:
        """Epochs (1-μ)/(ηλ) for λ = 1, over which the weights are averaged."""
        return (1 - self.mu) / (self.eta * self.weight_decay_per_lam) / self.profile.steps_per_epoch


def typical_lam(optimizer: str, eta: float, mu: float, steps: float) -> float:
    """Return the λ with which a run has the typical decay time.

    Args:
        optimizer: name of the optimizer, a key of ``TYPICAL_DECAY_TIME``.
        eta: η > 0, times torch's weight decay for λ = 1.
        mu: momentum μ.
        steps: steps of the run, times the mean of η_t/η.
    """
    return TYPICAL_DECAY_TIME[optimizer] * (1 - mu) / (eta * steps)


def target_of(grid: Grid) -> Target:
    """Return the one set-up of a grid, whatever its λ and seeds are.

    Raises:
        InputError: the grid has several set-ups, chooses λ by itself, or is not trained by sweeper.
    """
    _check_one_set_up(grid)
    points = make_points(grid)
    (profile,) = profiles_of(grid, points).values()
    recipe = recipe_of(grid, points[0].variant)
    trainable = recipe.trainable
    assert not isinstance(trainable, OwnLoop | KernelTrainable)  # an axis does not change the kind
    return Target(
        grid=grid,
        eta=points[0].eta,
        mu=points[0].mu,
        weight_decay_per_lam=weight_decay_of(recipe.l2, 1.0, profile.train),
        profile=profile,
        chance=1 / task_of(trainable).data.classes,
        normalized_weights=len(scale_invariant_weights(trainable)),
    )


def _check_one_set_up(grid: Grid) -> None:
    """Refuse a grid that has no single set-up to predict λ for."""
    if isinstance(grid.trainable, OwnLoop | KernelTrainable):
        raise InputError(
            "trainable: predict needs a model that sweeper trains, not a loop of your own or theory. In Python, "
            "predict_lambda_for_loop takes a loop."
        )
    if not grid.metric.is_accuracy:
        raise InputError(
            f"metric: predict judges its trials by test_acc and not by {grid.metric.name}. In Python, "
            "predict_lambda_for_loop takes a loop that reports any loss."
        )
    if grid.l2.auto is not None:
        raise InputError("l2.auto: AutoL2 chooses λ along the run by itself; there is nothing to predict. Remove it.")
    for name, values in grid.axes.items():
        if name not in {"lam", "seed"} and len(values) > 1:
            raise InputError(
                f"axes.{name}: predict is about one set-up, but this axis has {len(values)} values. Choose one, e.g. "
                f"--set axes.{name}=[{values[0]}]."
            )
        if name.startswith("schedule."):  # a probe trains one schedule
            raise InputError(f"axes.{name}: write the schedule in its section, {name}: {values[0]}, to predict.")
