"""Forecast of λ for a budget from a short probe: λ_pred = κ(1-μ)/(η·steps). Claim 5 of the paper."""

from dataclasses import asdict, dataclass, field
from typing import Protocol

from results.analysis.segments import ROUNDING
from results.claims.prediction import MAX_PREDICTION_GAP
from results.forecast.coefficient import Coefficient

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
        budget: T, epochs.
        lam: λ_pred, in the grid's convention.
        low: low end of its 95 % interval; for a guess without a probe, of the range seen.
        high: high end of that interval or range.
        horizon: share of the steps that counts: 1 for constant η, T₁/T for a piecewise schedule.
        t_star: epochs at which test accuracy is expected to be best at λ_pred and constant η.
        t_star_low: the same at the low end of the interval of κ.
        t_star_high: the same at the high end of the interval of κ.
        timescale: (1-μ)/(ηλ), over which weights are averaged, in epochs (Wang & Aitchison 2024).
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

    def cells(self) -> tuple[str, ...]:
        """Return budget, λ_pred, its interval, the interval of t*, and the timescale as text."""
        return (
            f"{self.budget:,g}",
            f"{self.lam:.3g}",
            f"{self.low:.2g} … {self.high:.2g}",
            f"{_epochs(self.t_star_low)} … {_epochs(self.t_star_high)}",
            _epochs(self.timescale),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Comparison of a predicted λ with its neighbors, all trained for the whole budget.

    Attributes:
        budget: T, epochs.
        lams: a third of λ_pred, λ_pred, three times λ_pred.
        accuracies: best test accuracy within T at each of them, a mean over seeds.
        finals: test accuracy after T at each of them, likewise.
    """

    budget: float
    lams: tuple[float, float, float]
    accuracies: tuple[float, float, float]
    finals: tuple[float, float, float]

    @property
    def gap(self) -> float:
        """Accuracy by which the better neighbor is ahead; negative where λ_pred is ahead."""
        low, mid, high = self.accuracies
        return max(low, high) - mid

    @property
    def held(self) -> bool:
        """True if no neighbor is better by more than the paper's 0.4 %."""
        return self.gap <= MAX_PREDICTION_GAP + ROUNDING

    def __str__(self) -> str:
        low, mid, high = self.accuracies
        said = f"T = {self.budget:g}: accuracy {mid:.4f} at λ_pred, {low:.4f} at a third and {high:.4f} at three times"
        low, mid, high = self.finals
        said += f" (after T: {mid:.4f}, {low:.4f}, {high:.4f})"
        return said if self.held else f"{said}: {self.gap:.4f} better"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Result of ``sweeper predict``.

    Attributes:
        sweep: folder of the probe; empty for a guess without one.
        probe: κ of the probe and where it comes from; None for a guess.
        kappa: κ behind λ_pred: of the probe and of measured sweeps together; for a guess, of these sweeps alone.
        low: low end of its 95 % interval; for a guess, of the range seen.
        high: high end of that interval or range.
        sweeps: number of measured sweeps that κ rests on too.
        factor: factor on c/T.
        budgets: predictions, in the order asked for.
        checks: comparisons of the budgets that were verified.
        cost: steps of the probe over those of one run at the longest budget, for each seed.
        seconds: time that the probe took, with its measurements and its analysis.
        run_seconds: time that one run at the longest budget will take, as the probe measured it; 0 if unknown.
        seeds: number of seeds that the probe trained.
        lams: all λ of the probe.
        chance: test accuracy of guessing.
        setup: what the forecast is about, in words.
        warnings: reasons to doubt the forecast, a sentence each.
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
    seconds: float = field(default=0.0, compare=False)
    run_seconds: float = field(default=0.0, compare=False)
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
        """Return a dict for ``json.dumps``."""
        return asdict(self) | {"checks": [asdict(c) | {"gap": c.gap, "held": c.held} for c in self.checks]}

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table of budgets as text: headings first, then one row a budget."""
        headings = ("T (epochs)", "λ_pred", "95 %" if self.probe else "range", "t* expected", "1/(ηλ)")
        return [headings, *(predicted.cells() for predicted in self.budgets)]

    @property
    def rule(self) -> str:
        """Formula of λ_pred where it is not c/T; else empty."""
        horizons = {predicted.horizon for predicted in self.budgets}
        times = "" if self.factor == 1 else f"{self.factor:g} "
        if horizons == {1.0}:
            return f"λ_pred = {times}c/T" if times else ""
        share = ", ".join(f"{h:.3g}" for h in sorted(horizons))
        return f"λ_pred = {times}c/({share} T): η changes along the run, and so much of it counts"

    def facts(self) -> list[tuple[str, str]]:
        """Return κ and the cost of the probe, each as a label and a sentence; none for a guess."""
        facts = []
        if probe := self.probe:
            lams = ", ".join(f"{lam:g}" for lam in probe.lams)
            facts.append(("κ", f"{probe.kappa:.2f} [{probe.low:.2f}, {probe.high:.2f}] in the probe, at λ = {lams}"))
            pooled = f"{self.kappa:.2f} [{self.low:.2f}, {self.high:.2f}]"
            facts.append(("", f"{pooled} with what {self.sweeps} measured sweeps like it show; λ_pred counts with it"))
        if self.cost:
            longest = max(predicted.budget for predicted in self.budgets)
            seeds = f" for each of {self.seeds} seeds" if self.seeds > 1 else ""
            one_run = f"{self.cost:.1%} of one run at T = {longest:g}{seeds}: {1 + self.cost:.2f} runs with the run "
            facts.append(("cost", f"{one_run}itself, where a grid of {GRID_RUNS} λ takes {GRID_RUNS}"))
            if self.run_seconds:
                took = f"the probe took {_time(self.seconds)} with its measurements and its analysis"
                facts.append(("", f"{took}; one run takes about {_time(self.run_seconds)}"))
        return facts

    def __str__(self) -> str:
        rows = self.rows()
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        table = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        labelled = [
            *(("held" if check.held else "not held", str(check)) for check in self.checks),
            *(("careful:", warning) for warning in self.warnings),
            *([("report", f"{self.sweep}/prediction.html")] if self.sweep else []),
        ]
        lines = [f"{label:8} {text}" for label, text in (*self.facts(), *labelled)]
        return "\n".join([*table, *([self.rule] if self.rule else []), *lines])

    def _repr_pretty_(self, printer: "_Printer", _cycle: bool) -> None:
        """Print the forecast in IPython and notebooks."""
        printer.text(str(self))


class _Printer(Protocol):
    """Pretty printer of IPython."""

    def text(self, text: str) -> None:
        """Print a text."""
