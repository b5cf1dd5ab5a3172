"""``sweeper predict``: a weight decay for a budget, for the price of a short probe."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from results.forecast import KAPPA, KAPPA_HIGH, KAPPA_LOW, Coefficient, coefficient, horizon_share
from results.setup import setup_of
from results.store import SweepDir, write_text
from search_spaces.errors import InputError
from search_spaces.grid import Grid
from search_spaces.load import load_grid
from search_spaces.points import make_points
from search_spaces.recipe import recipe_of
from search_spaces.schedule import learning_rate_factor
from search_spaces.trainable import KernelTrainable, OwnLoop
from sweeper.conclude import Account
from sweeper.run import profiles_of, to_yaml
from trainables.l2 import weight_decay_of

# λ of the probe over the λ expected for the longest budget, round by round. A point ends at decay time 1.25 where κ is
# 0.5, so that one at f times λ_pred costs 2.5/f of a run: the first round 6 %.
ROUNDS = ((128.0, 64.0), (32.0,), (16.0,), (8.0,), (4.0,), (2.0,))
COST = 2.5
NEAR = 3.0  # factor to the neighbours of λ_pred that --verify trains too
MOST_FACTORS = 10_000  # of η_t/η, whose mean they give as well as those of all steps

Run = Callable[[Grid], Account]


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """λ for one budget.

    Attributes:
        budget: T, epochs.
        lam: λ_pred, in the grid's convention.
        low: end of its 95 % interval; of a guess without a probe, the range seen.
        high: the other end.
        horizon: share of the steps that counts: 1 for constant η, T₁/T for a piecewise schedule.
    """

    budget: float
    lam: float
    low: float
    high: float
    horizon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What ``sweeper predict`` found.

    Attributes:
        sweep: folder of the probe; empty for a guess without one.
        probe: κ and where it comes from; None for a guess.
        budgets: in the order asked for.
        cost: steps of the probe over those of one run at the longest budget.
        warnings: what would make it wrong, a sentence each.
    """

    sweep: str
    probe: Coefficient | None
    budgets: tuple[Predicted, ...]
    cost: float
    warnings: tuple[str, ...]

    @property
    def lam(self) -> float:
        """λ_pred for the first budget.

        Raises:
            ValueError: the probe has found none.
        """
        if not self.budgets:
            raise ValueError("; ".join(self.warnings))
        return self.budgets[0].lam

    def __str__(self) -> str:
        from sweeper.show_forecast import forecast_text  # noqa: PLC0415 - which imports this module

        return forecast_text(self)

    def _repr_pretty_(self, printer: "_Printer", _cycle: bool) -> None:
        """What IPython and notebooks show."""
        printer.text(str(self))

    def to_json(self) -> dict[str, object]:
        """A dict for ``json.dumps``."""
        return asdict(self)


class _Printer(Protocol):
    """IPython's."""

    def text(self, text: str) -> None:
        """Print."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """What λ_pred needs to know of a grid."""

    eta: float
    mu: float
    per_lam: float  # torch's weight_decay for λ = 1
    steps_per_epoch: int

    def lam(self, kappa: float, steps: float) -> float:
        """The λ whose decay time is ``kappa`` after so many steps at full η."""
        return kappa * (1 - self.mu) / (self.eta * steps * self.per_lam)


def guess(grid: Grid, budgets: Sequence[float]) -> Forecast:
    """λ without any probe: κ from the measured sweeps.

    Raises:
        InputError: the grid has several η, or no λ that torch would know.
    """
    setting = _setting_of(grid)
    predicted = tuple(_predicted(grid, setting, b, KAPPA, KAPPA_LOW, KAPPA_HIGH) for b in budgets)
    warning = (
        f"no probe was run: κ = {KAPPA:g} and its range, {KAPPA_LOW:g} to {KAPPA_HIGH:g}, are those of other sweeps"
    )
    return Forecast(sweep="", probe=None, budgets=predicted, cost=0.0, warnings=(warning,))


def predict(grid: Grid, budgets: Sequence[float], share: float, out: Path, run: Run) -> Forecast:
    """Train large λ until their peaks have been seen, and predict λ for each budget.

    Args:
        grid: the user's; its axis lam, budget and schedule are those of the run to come, not of the probe.
        budgets: T in epochs.
        share: of one run at the longest budget that the probe may cost.
        out: folder of sweeps; the probe is ``out/NAME-probe``, an ordinary sweep.
        run: trains a grid below ``out`` and analyzes it, or what is missing of it.

    Raises:
        InputError: the grid has several η or variants, or a λ that is not torch's.
    """
    setting, longest = _setting_of(grid), max(budgets)
    first = setting.lam(KAPPA, longest * setting.steps_per_epoch)
    lams: list[float] = []
    found: Coefficient | None = None
    cost = expected = 0.0
    for factors in ROUNDS:
        more = sum(COST / factor for factor in factors)
        if lams and cost + more * cost / expected > share:  # dearer than expected where κ is larger
            break
        expected += more
        lams += [float(f"{first * factor:.3g}") for factor in factors]
        probe = _probe_grid(grid, lams, longest)
        account = run(probe)
        peaks = account.analysis.findings.peaks
        cost = _steps(account) / (longest * setting.steps_per_epoch)
        found = coefficient(peaks)
        if found is not None and found.steady and found.fitted:
            break
    directory = SweepDir(out / f"{grid.name}-probe")
    if found is None:
        return Forecast(sweep=str(directory.root), probe=None, budgets=(), cost=cost, warnings=(_nothing(share),))
    predicted = tuple(_predicted(grid, setting, b, found.kappa, found.low, found.high) for b in budgets)
    forecast = Forecast(
        sweep=str(directory.root), probe=found, budgets=predicted, cost=cost, warnings=tuple(_warnings(found))
    )
    write_text(directory.analysis / "forecast.json", json.dumps(forecast.to_json(), indent=2) + "\n")
    return forecast


def verify_forecast(grid: Grid, predicted: Predicted, run: Run) -> pd.Series:
    """Train at λ_pred and its neighbours for the whole budget, a sweep NAME-verify-T; mean best test accuracy by λ."""
    lams = [float(f"{predicted.lam * factor:.3g}") for factor in (1 / NEAR, 1, NEAR)]
    chosen = _changed(
        grid,
        f"name={grid.name}-verify-{predicted.budget:.10g}",
        f"axes.lam={lams}",
        f"budget={{rule: fixed, constant: {predicted.budget!r}}}",
    )
    peaks = run(chosen).analysis.findings.peaks
    return peaks.groupby("lam")["best_test_acc"].mean()


def _setting_of(grid: Grid) -> _Setting:
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
    points = make_points(grid)
    (profile,) = profiles_of(grid, points).values()
    recipe = recipe_of(grid, points[0].variant)
    return _Setting(
        eta=points[0].eta,
        mu=points[0].mu,
        per_lam=weight_decay_of(recipe.l2, 1.0, profile.train),
        steps_per_epoch=profile.steps_per_epoch,
    )


def _probe_grid(grid: Grid, lams: Sequence[float], longest: float) -> Grid:
    """Large λ at constant η until they have peaked, none longer than one run."""
    return _changed(
        grid,
        f"name={grid.name}-probe",
        f"axes.lam={list(lams)}",
        f"budget={{rule: predicted, max: {longest!r}}}",
        "stop=peaked",
        "schedule={name: constant}",
        "measure={log: 60}",
        "analysis.budgets=[]",
    )


def _changed(grid: Grid, *settings: str) -> Grid:
    return load_grid(to_yaml(grid), grid.name, settings)


def _steps(account: Account) -> float:
    """Steps of all points, a mean over seeds: what one seed of the probe costs."""
    peaks = account.analysis.findings.peaks
    seeds = max(1, peaks["seed"].nunique())
    return float(sum(end.steps for end in account.ends.values())) / seeds


def _predicted(grid: Grid, setting: _Setting, budget: float, kappa: float, low: float, high: float) -> Predicted:
    steps = max(1, math.ceil(budget * setting.steps_per_epoch))
    last = min(steps, MOST_FACTORS)
    factors = learning_rate_factor(grid.schedule, np.arange(last), last)
    share = horizon_share(factors, setup_of(grid).constant_share({}) or None)
    lam = [setting.lam(k, steps * share) for k in (kappa, low, high)]
    return Predicted(budget=budget, lam=lam[0], low=lam[1], high=lam[2], horizon=share)


def _warnings(found: Coefficient) -> list[str]:
    text = []
    if len(found.lams) < 2:
        text.append(f"only one λ of the probe has seen its peak ({found.lams[0]:g}): c is read off a single point")
    elif not found.steady:
        text.append("κ differs by more than 1.5 between the two smallest λ of the probe: it may go on changing")
    if not found.fitted:
        text.append(
            f"at λ = {found.lams[0]:g} the training set is not fitted: the law is of networks that can fit it, and a "
            "smaller λ may show another κ"
        )
    if not KAPPA_LOW <= found.kappa <= KAPPA_HIGH:
        text.append(f"κ = {found.kappa:.2g} lies outside what other sweeps show, {KAPPA_LOW:g} to {KAPPA_HIGH:g}")
    return text


def _nothing(share: float) -> str:
    return (
        f"no λ of the probe has learned and then been seen past its peak within {share:.0%} of a run; allow more "
        "(--share, in code share=…), or take the guess without a probe (--dry, in code share=0)"
    )
