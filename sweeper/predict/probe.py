"""The probe: large λ, trained until their peaks have been seen."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from results.conclude import SweepResult
from results.forecast.coefficient import Coefficient, coefficient, kappa_bound
from results.store.paths import AnyPath
from search_spaces.outcome import Outcome
from search_spaces.points import make_points
from search_spaces.reading.dump import to_yaml
from search_spaces.reading.load import load_grid
from search_spaces.sections.grid import Grid
from sweeper.predict.target import Target
from trainables.peaked import STOPPING_FACTOR

# λ of a probe begin at so many times the λ expected for the longest budget: a point ends at decay time 1.25 where κ is
# 0.5, so that one at f times λ_pred costs 2.5/f of a run, and these two 1 %.
FIRST = (1024.0, 256.0)
STAGE = 0.1  # of a run, that may be spent by the end of the second round; twice that of the third, up to the share
AIM = 0.85  # of that; what a point costs is known only when its maximum has been seen
CLOSEST = 1.5  # factor between neighbouring λ, at least
Run = Callable[[Grid], SweepResult]


class PointsFailedError(Exception):
    """Points of a probe, or of what verifies a prediction, could not be trained; the message says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What the probe has shown so far.

    Attributes:
        sweep: its folder.
        found: κ, if a maximum was seen.
        bound: the largest lower bound of κ, of a λ whose maximum was not seen; 0 without one.
        ended: decay time at which its smallest λ ended.
        lams: all its λ.
        diverged: number of its points whose numbers were no longer finite.
        cost: steps over those of one run at the longest budget, for each seed.
        seeds: how many it trained.
    """

    sweep: AnyPath
    found: Coefficient | None
    bound: float
    ended: float
    lams: tuple[float, ...]
    diverged: int
    cost: float
    seeds: int


def run_probe(setting: Target, longest: float, share: float, out: AnyPath, run: Run) -> Probed:
    """Ever smaller λ until κ has settled or ``share`` is spent, each as small as what may be spent by then allows."""
    factors = list(FIRST)
    probed = _round(setting, factors, longest, share, out, run)
    for spent in _stages(share):
        if probed.found is not None and probed.found.settled:
            break
        # At f times λ_pred a point that ends at decay time s takes s/(κ f) of a run. The last s is taken for the next;
        # where none has learned, at least that of a point with the κ expected.
        ended = probed.ended if probed.found else max(probed.ended, STOPPING_FACTOR * setting.known.kappa)
        following = ended / setting.known.kappa / max(AIM * spent - probed.cost, 1e-9)
        if following <= factors[-1] / CLOSEST:
            factors.append(following)
            probed = _round(setting, factors, longest, share, out, run)
    return probed


def _stages(share: float) -> Iterator[float]:
    """What may be spent by the end of each round, of a run."""
    spent = STAGE
    while spent < share:
        yield spent
        spent *= 2
    yield share


def _round(setting: Target, factors: Sequence[float], longest: float, share: float, out: AnyPath, run: Run) -> Probed:
    """Train λ at so many times the λ expected, or what is missing of them, and read κ off."""
    first = setting.lam(setting.known.kappa / setting.profile.last_step(longest))
    lams = tuple(float(f"{first * factor:.3g}") for factor in factors)
    probe = _probe_grid(setting, lams, longest, share)
    peaks = trained_peaks(probe, out, run)
    seeds = len(probe.axes.get("seed", (0,)))
    return Probed(
        sweep=out / probe.name,
        found=coefficient(peaks, setting.chance),
        bound=kappa_bound(peaks, setting.chance),
        ended=float(peaks.loc[peaks["lam"] == lams[-1], "last_decay_time"].mean()),
        lams=lams,
        diverged=int(peaks["outcome"].eq(Outcome.DIVERGED).sum()),
        cost=float(peaks["last_step"].sum()) / seeds / setting.profile.last_step(longest),
        seeds=seeds,
    )


def trained_peaks(grid: Grid, out: AnyPath, run: Run) -> pd.DataFrame:
    """The peaks of a grid's points, which could all be trained; the sweep may hold those of another η, say."""
    account, sweep = run(grid), out / grid.name
    failed = [end.why for end in account.ends.values() if end.outcome is Outcome.FAILED]
    if failed or account.missing:
        why = f": {failed[0]}" if failed else ""
        raise PointsFailedError(
            f"{sweep}: {len(failed) + account.missing} points could not be trained{why}. See 'sweeper status {sweep}'; "
            "the same command tries them again."
        )
    peaks = account.analysis.findings.peaks
    own: pd.DataFrame = peaks[peaks["point"].isin([point.id for point in make_points(grid)])]
    return own


def _probe_grid(setting: Target, lams: Sequence[float], longest: float, share: float) -> Grid:
    """Large λ at constant η until they have peaked, none longer than ``share`` of a run."""
    most = max(share * longest, 1 / setting.profile.steps_per_epoch)
    return changed_grid(
        setting.grid,
        f"name={setting.grid.name}-probe-{longest:.10g}-{share:.10g}",
        f"axes.lam={list(lams)}",
        f"budget={{rule: predicted, max: {most!r}}}",
        "stop=peaked",
        "schedule={name: constant}",
        "measure={log: 60}",
        "analysis.budgets=[]",
    )


def changed_grid(grid: Grid, *settings: str) -> Grid:
    """A grid with keys replaced, as ``--set`` replaces them."""
    return load_grid(to_yaml(grid), grid.name, settings)
