"""Forecast of λ for a budget, from trials of a part of it."""

import math
from dataclasses import asdict, dataclass, field
from typing import Protocol

from results.analysis.segments import ROUNDING
from results.claims.prediction import MAX_PREDICTION_GAP
from results.forecast.posterior import Posterior, Trial, posterior_of

GRID_RUNS = 8  # number of λ in the grid over two decades that one would search otherwise


def _epochs(value: float) -> str:
    """Format epochs with two digits, without an exponent.

    >>> _epochs(2834.2), _epochs(0.0312)
    ('2,800', '0.031')
    """
    return f"{float(f'{value:.2g}'):,.10g}"


def _time(seconds: float) -> str:
    """Format a time in the largest unit of which it holds two.

    >>> _time(7.25), _time(150), _time(7200)
    ('7.2 s', '2.5 min', '2.0 h')
    """
    unit, size = next(((u, s) for u, s in (("h", 3600.0), ("min", 60.0)) if seconds >= 2 * s), ("s", 1.0))
    return f"{seconds / size:.1f} {unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """λ for one budget.

    Attributes:
        budget: T, in epochs or steps.
        lam: λ_pred, in the grid's convention.
        weight_decay: the same as torch's ``weight_decay``.
        low: low end of the 95 % interval of the best λ.
        high: high end of that interval.
        typical: λ that was expected to be best before any trial.
        timescale: (1-μ)/(ηλ), over which weights are averaged, in the unit of the budget (Wang & Aitchison 2024).
        loss: accuracy (or loss) by which λ_pred is expected to be worse than the best λ; None without a trial.
    """

    budget: float
    lam: float
    weight_decay: float
    low: float
    high: float
    typical: float
    timescale: float
    loss: float | None

    def posterior(self, trials: tuple[Trial, ...]) -> Posterior:
        """Return the posterior that the prediction was read off, from the same trials."""
        return posterior_of(trials, self.typical, self.budget)

    def cells(self) -> tuple[str, ...]:
        """Return budget, λ_pred, its interval, the expected loss and the timescale as text."""
        return (
            f"{self.budget:,g}",
            f"{self.lam:.3g}",
            f"{self.low:.2g} … {self.high:.2g}",
            "–" if self.loss is None else f"{self.loss:.2g}",
            _epochs(self.timescale),
        )


def predicted(
    budget: float, typical: float, trials: tuple[Trial, ...], *, timescale_at_one: float, weight_decay_per_lam: float
) -> Predicted:
    """Return λ_pred for a budget.

    Args:
        budget: T, in epochs or steps.
        typical: λ > 0 that is expected to be best before any trial.
        trials: trials of a probe; none for a guess.
        timescale_at_one: timescale at λ = 1, in the unit of the budget.
        weight_decay_per_lam: torch's weight decay for λ = 1.
    """
    posterior = posterior_of(trials, typical, budget)
    low, high = posterior.interval
    error = math.exp(min(trial.log_error for trial in trials)) if trials else None
    return Predicted(
        budget=budget,
        lam=posterior.best,
        weight_decay=posterior.best * weight_decay_per_lam,
        low=low,
        high=high,
        typical=typical,
        timescale=timescale_at_one / posterior.best,
        loss=None if error is None else error * posterior.excess,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Comparison of a predicted λ with its neighbors and with λ = 0, all trained for the whole budget.

    Attributes:
        budget: T, epochs.
        lams: 0, a third of λ_pred, λ_pred, three times λ_pred.
        accuracies: best test accuracy within T at each of them, a mean over seeds.
        finals: test accuracy after T at each of them, likewise.
    """

    budget: float
    lams: tuple[float, float, float, float]
    accuracies: tuple[float, float, float, float]
    finals: tuple[float, float, float, float]

    @property
    def gap(self) -> float:
        """Accuracy by which the best of the others is ahead; negative where λ_pred is ahead."""
        zero, low, mid, high = self.accuracies
        return max(zero, low, high) - mid

    @property
    def held(self) -> bool:
        """True if none of the others is better by more than the paper's 0.4 %."""
        return self.gap <= MAX_PREDICTION_GAP + ROUNDING

    def __str__(self) -> str:
        said = f"T = {self.budget:g}: best accuracy {_compared(self.accuracies)} (after T: {_compared(self.finals)})"
        return said if self.held else f"{said}: {self.gap:.4f} better"


def _compared(accuracies: tuple[float, float, float, float]) -> str:
    """Name the accuracies of a check."""
    zero, low, mid, high = accuracies
    return f"{mid:.4f} at λ_pred, {low:.4f} at a third, {high:.4f} at three times, {zero:.4f} at λ = 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Result of ``sweeper predict``.

    Attributes:
        unit: unit of budgets and lengths.
        measure: name of what a trial ends with.
        sweep: folder of the probe; empty for a guess without one, and where nothing is kept.
        trials: runs of the probe that the prediction rests on, by λ; none for a guess.
        budgets: predictions, in the order asked for.
        checks: comparisons of the budgets that were verified.
        cost: steps of the probe over those of one run at the longest budget, for each seed.
        seconds: time that the probe took, with its measurements and its analysis.
        run_seconds: time that one run at the longest budget will take, as the probe measured it; 0 if unknown.
        seeds: number of seeds that the probe trained.
        setup: subject of the forecast, in words.
        warnings: reasons to doubt the forecast, a sentence each.
    """

    unit: str = "epochs"
    measure: str = "accuracy"
    sweep: str = ""
    trials: tuple[Trial, ...] = ()
    budgets: tuple[Predicted, ...]
    checks: tuple[Check, ...] = ()
    cost: float = 0.0
    seconds: float = field(default=0.0, compare=False)
    run_seconds: float = field(default=0.0, compare=False)
    seeds: int = 1
    setup: str = field(default="", compare=False)
    warnings: tuple[str, ...]

    @property
    def lam(self) -> float:
        """λ_pred for the first budget."""
        return self.budgets[0].lam

    def to_json(self) -> dict[str, object]:
        """Return a dict for ``json.dumps``."""
        return asdict(self) | {"checks": [asdict(c) | {"gap": c.gap, "held": c.held} for c in self.checks]}

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table of budgets as text: headings first, then one row a budget."""
        headings = (f"T ({self.unit})", "λ_pred", "95 %", f"{self.measure} to lose", "1/(ηλ)")
        return [headings, *(predicted.cells() for predicted in self.budgets)]

    def facts(self) -> list[tuple[str, str]]:
        """Return λ_pred to paste, the trials and the cost of the probe, each as a label and a sentence."""
        facts = [("paste", self.line_to_paste)]
        if self.trials:
            tried = ", ".join(f"{trial.value:.4f} at λ = {trial.lam:g}" for trial in self.trials)
            facts.append(("trials", f"of {self.trials[0].length:g} {self.unit} ended with {self.measure} {tried}"))
        if self.cost:
            longest = max(predicted.budget for predicted in self.budgets)
            seeds = f" for each of {self.seeds} seeds" if self.seeds > 1 else ""
            one_run = (
                f"{self.cost:.0%} of the steps of one run at T = {longest:g}{seeds}: {1 + self.cost:.2f} runs with "
            )
            facts.append(("cost", f"{one_run}the run itself, where a grid of {GRID_RUNS} λ takes {GRID_RUNS}"))
            if self.run_seconds:
                took = f"the probe took {_time(self.seconds)} with its measurements and its analysis"
                facts.append(("", f"{took}; one run takes about {_time(self.run_seconds)}"))
        return facts

    @property
    def line_to_paste(self) -> str:
        """λ_pred of the first budget as an argument of an optimizer of torch."""
        return f"weight_decay={self.budgets[0].weight_decay:.3g}"

    def __str__(self) -> str:
        rows = self.rows()
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        table = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        labelled = [
            *(("held" if check.held else "not held", str(check)) for check in self.checks),
            *(("careful:", warning) for warning in self.warnings),
            *([("report", f"{self.sweep}/prediction.html")] if self.sweep else []),
        ]
        return "\n".join([*table, *(f"{label:8} {text}" for label, text in (*self.facts(), *labelled))])

    def _repr_pretty_(self, printer: "_Printer", _cycle: bool) -> None:
        """Print the forecast in IPython and notebooks."""
        printer.text(str(self))


class _Printer(Protocol):
    """Pretty printer of IPython."""

    def text(self, text: str) -> None:
        """Print a text."""
