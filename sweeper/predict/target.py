"""What λ_pred needs to know of a grid: one set-up, its steps, and what sweeps like it have shown."""

from dataclasses import dataclass

import numpy as np

from results.analysis.regime import regime_of
from results.forecast.coefficient import horizon_share
from results.forecast.forecast import Predicted
from results.forecast.measured_kappas import Expected, expected
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

__all__ = ["Target", "target_of"]

MOST_FACTORS = 10_000  # of η_t/η, whose mean they give as well as those of all steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One set-up of a grid.

    Attributes:
        grid: the user's.
        eta: learning rate η.
        mu: momentum μ.
        per_lam: torch's weight decay for λ = 1.
        profile: steps of an epoch and of a budget.
        chance: test accuracy of guessing.
        normalized: number of weights whose scale a norm takes away.
        known: what sweeps with this optimizer, and with or without norms, have shown.
    """

    grid: Grid
    eta: float
    mu: float
    per_lam: float
    profile: Profile
    chance: float
    normalized: int
    known: Expected

    @property
    def title(self) -> str:
        """The set-up in words."""
        grid = self.grid
        batch = getattr(grid.trainable, "batch", "full")
        momentum = f", μ = {self.mu:g}" if self.mu else ""
        steps = f"{grid.optimizer.name}, η = {self.eta:g}{momentum}, schedule {grid.schedule.name}"
        return f"{grid.trainable.title}, batch {batch}, {steps}"

    def lam(self, rate: float) -> float:
        """The λ with ηλ/(1-μ) = ``rate`` a step, in torch's convention."""
        return rate * (1 - self.mu) / (self.eta * self.per_lam)

    def predicted(self, budget: float, kappa: tuple[float, float, float], factor: float) -> Predicted:
        """λ_pred with its interval.

        Args:
            budget: T, epochs.
            kappa: κ and both ends of its interval.
            factor: λ_pred is ``factor`` times that whose peak comes at the end.
        """
        horizon = self._horizon(budget)
        steps = self.profile.last_step(budget) * horizon
        lam, low, high = (self.lam(factor * k / steps) for k in kappa)
        epochs = steps / factor / self.profile.steps_per_epoch
        return Predicted(
            budget=budget,
            lam=lam,
            low=low,
            high=high,
            horizon=horizon,
            t_star=epochs,
            t_star_low=epochs * kappa[1] / kappa[0],
            t_star_high=epochs * kappa[2] / kappa[0],
            timescale=epochs / kappa[0],
        )

    def _horizon(self, budget: float) -> float:
        last = min(self.profile.last_step(budget), MOST_FACTORS)
        factors = learning_rate_factor(self.grid.schedule, np.arange(last), last)
        return horizon_share(factors, regime_of(self.grid).constant_share({}) or None)


def target_of(grid: Grid) -> Target:
    """The one set-up of a grid, whatever its λ and seeds are.

    Raises:
        InputError: it has several, chooses λ by itself, or is not trained by sweeper.
    """
    if isinstance(grid.trainable, OwnLoop | KernelTrainable):
        raise InputError(
            "trainable: predict is about a model that sweeper trains; a loop of one's own, and theory, it cannot."
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
    points = make_points(grid)
    (profile,) = profiles_of(grid, points).values()
    recipe = recipe_of(grid, points[0].variant)
    trainable = recipe.trainable
    assert not isinstance(trainable, OwnLoop | KernelTrainable)  # an axis does not change the kind
    normalized = len(scale_invariant_weights(trainable))
    return Target(
        grid=grid,
        eta=points[0].eta,
        mu=points[0].mu,
        per_lam=weight_decay_of(recipe.l2, 1.0, profile.train),
        profile=profile,
        chance=1 / task_of(trainable).data.classes,
        normalized=normalized,
        known=expected(recipe.optimizer.name, batch_norm=normalized > 0),
    )
