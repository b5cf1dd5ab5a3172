"""The probe: large λ, trained until their peaks have been seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from results.conclude import SweepResult
from results.forecast.coefficient import Coefficient, coefficient, kappa_bound
from results.store.paths import AnyPath
from search_spaces.errors import command, counted
from search_spaces.outcome import Outcome
from search_spaces.points import make_points
from search_spaces.reading.dump import to_yaml
from search_spaces.reading.load import load_grid
from search_spaces.sections.grid import Grid
from sweeper.predict.target import Target
from trainables.peaked import STOPPING_FACTOR

# The λ of the first round, over the λ expected for the longest budget. A point ends at decay time 1.25 where κ is 0.5,
# so that one at f times λ_pred costs 2.5/f of a run, and these two together cost 1 %.
FIRST_PROBE_FACTORS = (1024.0, 256.0)
# Share of a run that may be spent by the end of the second round; twice that of the third, and so on up to the share.
FIRST_STAGE_SHARE = 0.1
# Part of that share that a round plans to spend: what a point costs is known only when its maximum has been seen.
PLANNED_PART = 0.85
MINIMUM_LAM_RATIO = 1.5  # between neighboring λ


class SweepRunner(Protocol):
    """A function that trains what is missing of a grid, and analyzes it."""

    def __call__(self, grid: Grid, *, report: bool = True) -> SweepResult:
        """Run ``grid``, and draw its report unless ``report`` is false."""


class PointsFailedError(Exception):
    """Points of a probe or of a verification could not be trained; the message says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """Findings and cost of a probe so far.

    Attributes:
        sweep: folder of its sweep.
        grid: the grid of that sweep.
        coefficient: κ, or None where no maximum was seen.
        bound: largest lower bound of κ, from a λ whose maximum was not seen; 0 without one.
        end_decay_time: decay time s at which its smallest λ ended, as a mean over seeds.
        lams: all its λ, as the grid writes them.
        diverged: number of its points whose numbers were no longer finite.
        cost: steps for each seed, over those of one run at the longest budget.
        seconds_per_epoch: training time of an epoch of one of its points, measurements included; None if unknown.
        seeds: number of seeds that it trained.
    """

    sweep: AnyPath
    grid: Grid
    coefficient: Coefficient | None
    bound: float
    end_decay_time: float
    lams: tuple[float, ...]
    diverged: int
    cost: float
    seconds_per_epoch: float | None
    seeds: int


@dataclass(frozen=True, slots=True)
class _Probe:
    """A probe to be trained, with the limits of ``run_probe``."""

    target: Target
    longest: float
    share: float
    out: AnyPath
    run: SweepRunner

    def train(self, factors: Sequence[float]) -> ProbeResult:
        """Train λ at ``factors`` times the λ expected, or what is missing of them, and read κ off."""
        last_step = self.target.profile.last_step(self.longest)
        expected_lam = self.target.lam(self.target.expected.kappa / last_step)
        lams = tuple(float(f"{expected_lam * factor:.3g}") for factor in factors)
        grid = self._grid(lams)
        result = trained(grid, self.out, self.run, report=False)
        peaks = peaks_of(grid, result)
        seeds = len(grid.axes.get("seed", (0,)))
        return ProbeResult(
            sweep=self.out / grid.name,
            grid=grid,
            coefficient=coefficient(peaks, self.target.chance),
            bound=kappa_bound(peaks, self.target.chance),
            end_decay_time=float(peaks.loc[peaks["lam"] == lams[-1], "last_decay_time"].mean()),
            lams=lams,
            diverged=int(peaks["outcome"].eq(Outcome.DIVERGED).sum()),
            cost=float(peaks["last_step"].sum()) / seeds / last_step,
            seconds_per_epoch=result.analysis.seconds_per_epoch,
            seeds=seeds,
        )

    def smallest_factor(self, result: ProbeResult, allowed: float) -> float:
        """Return the smallest factor whose point fits into what is left of ``allowed``, a share of a run."""
        kappa = self.target.expected.kappa
        # At f times λ_pred a point that ends at decay time s takes s/(κ f) of a run. The last s is taken for the next;
        # where none has learned, at least that of a point with the κ expected.
        end = result.end_decay_time if result.coefficient else max(result.end_decay_time, STOPPING_FACTOR * kappa)
        return end / kappa / max(PLANNED_PART * allowed - result.cost, 1e-9)

    def stages(self) -> Iterator[float]:
        """Yield the share of a run that may be spent by the end of each round after the first."""
        allowed = FIRST_STAGE_SHARE
        while allowed < self.share:
            yield allowed
            allowed *= 2
        yield self.share

    def _grid(self, lams: Sequence[float]) -> Grid:
        """Return the grid of the probe: constant η, until the points have peaked, none longer than the share."""
        grid = self.target.grid
        max_epochs = max(self.share * self.longest, 1 / self.target.profile.steps_per_epoch)
        return changed_grid(
            grid,
            f"name={grid.name}-probe-{self.longest:.10g}-{self.share:.10g}",
            f"axes.lam={list(lams)}",
            f"budget={{rule: predicted, max: {max_epochs!r}}}",
            "stop=peaked",
            "schedule={name: constant}",
            "measure={log: 60}",
            "analysis.budgets=[]",
        )


def run_probe(target: Target, longest: float, share: float, out: AnyPath, run: SweepRunner) -> ProbeResult:
    """Train ever smaller λ until κ has settled or ``share`` is spent.

    Each λ is as small as the share that may be spent by the end of its round allows.

    Args:
        target: set-up to probe.
        longest: longest budget T to predict for, in epochs.
        share: share of one run at that budget that the probe may cost for each seed, about, in (0, 1].
        out: folder of sweeps.
        run: function that trains what is missing of a grid below ``out`` and analyzes it.

    Raises:
        PointsFailedError: points of the probe could not be trained.
    """
    probe = _Probe(target, longest, share, out, run)
    factors = list(FIRST_PROBE_FACTORS)
    result = probe.train(factors)
    for allowed in probe.stages():
        if result.coefficient is not None and result.coefficient.settled:
            break
        factor = probe.smallest_factor(result, allowed)
        if factor <= factors[-1] / MINIMUM_LAM_RATIO:
            factors.append(factor)
            result = probe.train(factors)
    return result


def trained(grid: Grid, out: AnyPath, run: SweepRunner, *, report: bool = True) -> SweepResult:
    """Train a grid.

    Args:
        grid: grid to train.
        out: folder of sweeps.
        run: function that trains what is missing of a grid below ``out`` and analyzes it.
        report: whether to draw its report.

    Raises:
        PointsFailedError: points of the sweep could not be trained.
    """
    result, sweep = run(grid, report=report), out / grid.name
    failures = [end.why for end in result.ends.values() if end.outcome is Outcome.FAILED]
    if failures or result.missing:
        why = f": {failures[0]}" if failures else ""
        raise PointsFailedError(
            f"{sweep}: {counted(len(failures) + result.missing, 'point')} could not be trained{why}. See "
            f"{command('sweeper', 'status', sweep)}; the same command tries them again."
        )
    return result


def peaks_of(grid: Grid, result: SweepResult) -> pd.DataFrame:
    """Return the peaks of the points of a grid; its sweep may also hold points of another η, say."""
    peaks = result.analysis.findings.peaks
    of_grid: pd.DataFrame = peaks[peaks["point"].isin([point.id for point in make_points(grid)])]
    return of_grid


def changed_grid(grid: Grid, *settings: str) -> Grid:
    """Return a grid with keys replaced, as ``--set`` replaces them."""
    return load_grid(to_yaml(grid), grid.name, settings)
