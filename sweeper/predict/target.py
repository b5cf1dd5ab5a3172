"""The training set-up that a λ is predicted for: one set-up of a grid, its steps, and κ of similar sweeps."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from results.analysis.regime import regime_of
from results.forecast.coefficient import horizon_share
from results.forecast.forecast import Predicted
from results.forecast.measured_kappas import ExpectedKappa, expected_kappa
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


class KappaInterval(NamedTuple):
    """κ with the ends of its 95 % interval.

    Attributes:
        kappa: decay time s at t*.
        low: lower end.
        high: upper end.
    """

    kappa: float
    low: float
    high: float


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
        expected: κ of the measured sweeps with this optimizer, with or without norms as this network.
    """

    grid: Grid
    eta: float
    mu: float
    weight_decay_per_lam: float
    profile: Profile
    chance: float
    normalized_weights: int
    expected: ExpectedKappa

    @property
    def title(self) -> str:
        """The set-up in words."""
        grid = self.grid
        batch = getattr(grid.trainable, "batch", "full")
        momentum = f", μ = {self.mu:g}" if self.mu else ""
        steps = f"{grid.optimizer.name}, η = {self.eta:g}{momentum}, schedule {grid.schedule.name}"
        return f"{grid.trainable.title}, batch {batch}, {steps}"

    def lam(self, rate: float) -> float:
        """Return the λ of the grid with which ηλ/(1-μ) is ``rate`` a step, λ being torch's weight decay there."""
        return rate * (1 - self.mu) / (self.eta * self.weight_decay_per_lam)

    def predicted(self, budget: float, interval: KappaInterval, factor: float) -> Predicted:
        """Return λ_pred for a budget, with its interval.

        Args:
            budget: T, in epochs.
            interval: κ and the ends of its interval.
            factor: λ_pred over the λ whose peak comes at the end of the run.
        """
        horizon = self._horizon(budget)
        steps = self.profile.last_step(budget) * horizon
        lam, low, high = (self.lam(factor * kappa / steps) for kappa in interval)
        epochs = steps / factor / self.profile.steps_per_epoch
        return Predicted(
            budget=budget,
            lam=lam,
            low=low,
            high=high,
            horizon=horizon,
            t_star=epochs,
            t_star_low=epochs * interval.low / interval.kappa,
            t_star_high=epochs * interval.high / interval.kappa,
            timescale=epochs / interval.kappa,
        )

    def _horizon(self, budget: float) -> float:
        """Return the share of a run, in steps at the initial η, by whose end the peak should come."""
        last_step = min(self.profile.last_step(budget), MAX_SCHEDULE_FACTORS)
        factors = learning_rate_factor(self.grid.schedule, np.arange(last_step), last_step)
        return horizon_share(factors, regime_of(self.grid).constant_share({}) or None)


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
    normalized_weights = len(scale_invariant_weights(trainable))
    return Target(
        grid=grid,
        eta=points[0].eta,
        mu=points[0].mu,
        weight_decay_per_lam=weight_decay_of(recipe.l2, 1.0, profile.train),
        profile=profile,
        chance=1 / task_of(trainable).data.classes,
        normalized_weights=normalized_weights,
        expected=expected_kappa(recipe.optimizer.name, batch_norm=normalized_weights > 0),
    )


def _check_one_set_up(grid: Grid) -> None:
    """Refuse a grid that has no single set-up to predict λ for."""
    if isinstance(grid.trainable, OwnLoop | KernelTrainable):
        raise InputError("trainable: predict needs a model that sweeper trains, not a loop of your own or theory.")
    if not grid.metric.is_accuracy:
        raise InputError(
            f"metric: predict judges its probe by test_acc and not by {grid.metric.name}. Train a grid over λ, whose "
            "best setting is judged by it."
        )
    if grid.l2.auto is not None:
        raise InputError("l2.auto: AutoL2 chooses λ along the run by itself; there is nothing to predict. Remove it.")
    for name, values in grid.axes.items():
        if name not in {"lam", "seed"} and len(values) > 1:
            raise InputError(
                f"axes.{name}: predict is about one set-up, but this axis has {len(values)} values. Choose one, e.g. "
                f"--set axes.{name}=[{values[0]}]."
            )
        if name.startswith("schedule."):  # the probe trains at constant η
            raise InputError(f"axes.{name}: write the schedule in its section, {name}: {values[0]}, to predict.")
