"""λ for a budget from a short probe: κ from the peaks of large λ, λ_pred = κ(1-μ)/(η·steps). Claim 5 of the paper."""

from dataclasses import asdict, dataclass, field
from typing import Protocol

from results.analysis.segments import ROUNDING
from results.claims.prediction import PRED_GAP
from results.forecast.coefficient import Coefficient

GRID_RUNS = 8  # λ of the grid that people search otherwise, over two decades


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """λ for one budget.

    Attributes:
        budget: T, epochs.
        lam: λ_pred, in the grid's convention.
        low: end of its 95 % interval; of a guess without a probe, the range seen.
        high: the other end.
        horizon: share of the steps that counts: 1 for constant η, T₁/T for a piecewise schedule.
        t_star: when test accuracy is expected to be best at λ_pred and constant η, epochs.
        t_star_low, t_star_high: the same at both ends of the interval of κ.
        timescale: (1-μ)/(ηλ), that over which weights are averaged, epochs (Wang & Aitchison 2024).
    """

    budget: float
    lam: float
    low: float
    high: float
    horizon: float
    t_star: float
    t_star_low: float
    t_star_high: float
    timescale: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A prediction beside its neighbours, all trained for the whole budget.

    Attributes:
        budget: T, epochs.
        lams: a third of λ_pred, λ_pred, three times that.
        accuracies: best test accuracy within T at each, a mean over seeds.
        finals: test accuracy after T, likewise.
    """

    budget: float
    lams: tuple[float, float, float]
    accuracies: tuple[float, float, float]
    finals: tuple[float, float, float]

    @property
    def gap(self) -> float:
        """Accuracy that the better neighbour is ahead; negative where λ_pred is."""
        low, mid, high = self.accuracies
        return max(low, high) - mid

    @property
    def held(self) -> bool:
        """Whether no neighbour is better by more than the paper's 0.4 %."""
        return self.gap <= PRED_GAP + ROUNDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What ``sweeper predict`` found.

    Attributes:
        sweep: folder of the probe; empty for a guess without one.
        probe: κ of the probe and where it comes from; None for a guess.
        kappa: κ that λ_pred counts with: of the probe and of measured sweeps together; of a guess, of these alone.
        low: end of its 95 % interval; of a guess, of the range seen.
        high: the other end.
        sweeps: number of measured sweeps it rests on too.
        factor: by which c/T was multiplied.
        budgets: in the order asked for.
        checks: of the budgets that were verified.
        cost: steps of the probe over those of one run at the longest budget, for each seed.
        seeds: how many the probe trained.
        lams: all λ of the probe.
        chance: test accuracy of guessing.
        setup: what it is about, in words.
        warnings: what would make it wrong, a sentence each.
    """

    sweep: str = ""
    probe: Coefficient | None = None
    kappa: float
    low: float
    high: float
    sweeps: int
    factor: float = 1.0
    budgets: tuple[Predicted, ...]
    checks: tuple[Check, ...] = ()
    cost: float = 0.0
    seeds: int = 1
    lams: tuple[float, ...] = ()
    chance: float = 0.0
    setup: str = field(default="", compare=False)
    warnings: tuple[str, ...]

    @property
    def lam(self) -> float:
        """λ_pred for the first budget."""
        return self.budgets[0].lam

    @property
    def saved(self) -> float:
        """Runs at the longest budget that a search over a grid of ``GRID_RUNS`` λ would have cost more, in all."""
        return GRID_RUNS - 1 - self.cost

    def to_json(self) -> dict[str, object]:
        """A dict for ``json.dumps``."""
        return asdict(self) | {"checks": [asdict(c) | {"gap": c.gap, "held": c.held} for c in self.checks]}

    def __str__(self) -> str:
        from results.forecast_text import forecast_text  # noqa: PLC0415 - which imports this module

        return forecast_text(self)

    def _repr_pretty_(self, printer: "_Printer", _cycle: bool) -> None:
        """What IPython and notebooks show."""
        printer.text(str(self))


class _Printer(Protocol):
    """IPython's."""

    def text(self, text: str) -> None:
        """Print."""
