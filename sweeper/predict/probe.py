"""The probe: a few λ around the typical one, each trained for the same part of the budget."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from results.analysis.peaks import TAIL_START
from results.conclude import SweepResult
from results.forecast.posterior import Trial, accuracy_trial
from results.store.paths import AnyPath
from results.store.sweep_dir import SweepDir
from results.store.tables import read_rows
from search_spaces.cost import Profile
from search_spaces.errors import command, counted
from search_spaces.outcome import Outcome
from search_spaces.points import make_points
from search_spaces.reading.dump import to_yaml
from search_spaces.reading.load import load_grid
from search_spaces.sections.grid import Grid
from sweeper.predict.target import Target

# λ of the trials over the λ that is typical of the whole run: a shorter run has its best λ at a larger one.
FACTORS = (0.5, 2.0, 8.0, 32.0)
MAX_RUNS = 5.0  # trials as long as the run to come, and that run
# Samples that measurements may run through the network, over those of training. A pass forward and backward costs three
# passes forward, so that this is a fifth of the arithmetic.
MEASURED_SHARE = 0.6
MEASUREMENTS = (10, 50)  # of a trial, at least and at most; one in ten of them lies in the tail
MOST_TRAIN_SAMPLES = 512  # whose accuracy is measured too; no forecast rests on it


class SweepRunner(Protocol):
    """A function that trains what is missing of a grid, and analyzes it."""

    def __call__(self, grid: Grid, *, report: bool = True) -> SweepResult:
        """Run ``grid``, and draw its report unless ``report`` is false."""


class PointsFailedError(Exception):
    """Points of a probe or of a verification could not be trained; the message says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """Findings and cost of a probe.

    Attributes:
        sweep: folder of its sweep.
        grid: the grid of that sweep.
        trials: runs of the same length, by λ, as means over seeds.
        diverged: number of its points whose numbers were no longer finite.
        cost: steps for each seed, over those of one run at the longest budget.
        seconds_per_epoch: training time of an epoch of one of its points, measurements included; None if unknown.
        seeds: number of seeds that it trained.
    """

    sweep: AnyPath
    grid: Grid
    trials: tuple[Trial, ...]
    diverged: int
    cost: float
    seconds_per_epoch: float | None
    seeds: int


def run_probe(target: Target, longest: float, runs: float, out: AnyPath, run: SweepRunner) -> ProbeResult:
    """Train ``FACTORS`` times the typical λ for an equal part of the budget each.

    Args:
        target: set-up to probe.
        longest: longest budget T to predict for, in epochs.
        runs: steps that probe and run to come may take, over those of one run at that budget, in (1, MAX_RUNS].
        out: folder of sweeps.
        run: function that trains what is missing of a grid below ``out`` and analyzes it.

    Raises:
        PointsFailedError: points of the probe could not be trained.
    """
    grid = _probe_grid(target, longest, runs)
    result = trained(grid, out, run, report=False)
    peaks = peaks_of(grid, result)
    seeds = len(grid.axes.get("seed", (0,)))
    accuracies = _tail_accuracies(SweepDir(out / grid.name))
    return ProbeResult(
        sweep=out / grid.name,
        grid=grid,
        trials=_trials(peaks, accuracies, target.profile.test),
        diverged=int(peaks["outcome"].eq(Outcome.DIVERGED).sum()),
        cost=float(peaks["last_step"].sum()) / seeds / target.profile.last_step(longest),
        seconds_per_epoch=result.analysis.seconds_per_epoch,
        seeds=seeds,
    )


def trial_lams(typical: float) -> list[float]:
    """Return the λ of the trials, ascending, in numbers that can be read.

    >>> trial_lams(0.0012345)
    [0.000617, 0.00247, 0.00988, 0.0395]
    """
    return [float(f"{typical * factor:.3g}") for factor in FACTORS]


def trial_share(runs: float) -> float:
    """Return the length of a trial over that of the run, where ``runs`` pay for all trials and the run.

    >>> trial_share(1.5)
    0.125
    """
    return (runs - 1) / len(FACTORS)


def _probe_grid(target: Target, longest: float, runs: float) -> Grid:
    """Return the grid of the probe: the schedule of the run to come over a shorter budget."""
    grid = target.grid
    epochs = max(trial_share(runs) * longest, 1 / target.profile.steps_per_epoch)
    return changed_grid(
        grid,
        f"name={grid.name}-probe-{longest:.10g}-{runs:.10g}",
        f"axes.lam={trial_lams(target.typical_lam(longest))}",
        f"budget={{rule: fixed, constant: {epochs!r}}}",
        "stop=budget",
        f"measure={_measure(target.profile, epochs)}",
        "analysis.budgets=[]",
    )


def _measure(profile: Profile, epochs: float) -> str:
    """Return the section ``measure`` of a trial, whose cost is a bounded share of that of training."""
    steps, train = profile.last_step(epochs), min(profile.train, MOST_TRAIN_SAMPLES)
    affordable = MEASURED_SHARE * steps * profile.batch / (profile.test + train)
    number = int(np.clip(affordable, *MEASUREMENTS))
    return f"{{every: {{steps: {max(1, steps // number)}}}, train: {train}}}"


def _tail_accuracies(directory: SweepDir) -> pd.Series:
    """Return the mean test accuracy over the last tenth of each point; NaN of a point that diverged."""
    rows = read_rows(directory, ["point", "step", "test_acc"]).astype({"point": str})
    last = rows.groupby("point")["step"].transform("max")
    tail = rows[rows["step"] >= TAIL_START * last]
    return tail.groupby("point")["test_acc"].agg(lambda values: float(values.mean(skipna=False)))


def _trials(peaks: pd.DataFrame, accuracies: pd.Series, samples: int) -> tuple[Trial, ...]:
    """Return one trial a λ, ascending, as a mean over seeds; a λ with a point that diverged is left out."""
    accuracy = peaks["point"].astype(str).map(accuracies)
    finite = peaks.assign(accuracy=accuracy).groupby("lam", sort=True).filter(lambda own: own["accuracy"].notna().all())
    return tuple(
        accuracy_trial(float(lam), float(own["budget"].iloc[0]), float(own["accuracy"].mean()), samples * len(own))  # type: ignore[arg-type]  # pandas types a group key as any hashable
        for lam, own in finite.groupby("lam", sort=True)
    )


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
