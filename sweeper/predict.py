"""``sweeper predict``: a weight decay for a budget, for the price of a short probe."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from results.conclude import Account
from results.figures.drawing import save
from results.figures.forecast import draw_forecast
from results.forecast.coefficient import STEADY, Coefficient, coefficient, interval_of_one, kappa_bound
from results.forecast.forecast import Check, Forecast
from results.forecast.measured_kappas import Expected
from results.pages.forecast import render_forecast
from results.store.files import read_parquet, write_text
from results.store.place import Place, place
from results.store.sweep_dir import SweepDir
from results.store.tables import read_rows
from search_spaces.dump import to_yaml
from search_spaces.grid import Grid
from search_spaces.load import load_grid
from search_spaces.outcome import Outcome
from search_spaces.points import make_points
from sweeper.setting import Setting, setting_of
from trainables.peaked import SURE

# λ of a probe begin at so many times the λ expected for the longest budget: a point ends at decay time 1.25 where κ is
# 0.5, so that one at f times λ_pred costs 2.5/f of a run, and these two 1 %.
FIRST = (1024.0, 256.0)
STAGE = 0.1  # of a run, that may be spent by the end of the second round; twice that of the third, up to the share
AIM = 0.85  # of that; what a point costs is known only when its maximum has been seen
CLOSEST = 1.5  # factor between neighbouring λ, at least
NEARBY = 10.0  # factor from λ_pred, below which a λ should fit the training set as λ_pred would
NEAR = 3.0  # factor to the neighbours of λ_pred that --verify trains too
SLOPE_OFF = 0.35  # from -1, of t* ∝ λ^slope in a probe: κ changes by 1.5 or more over the three λ of the first round

Run = Callable[[Grid], Account]


class PointsFailedError(Exception):
    """Points of a probe, or of what verifies a prediction, could not be trained; the message says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probed:
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

    sweep: Place
    found: Coefficient | None
    bound: float
    ended: float
    lams: tuple[float, ...]
    diverged: int
    cost: float
    seeds: int


def guess(grid: Grid, budgets: Sequence[float], factor: float = 1.0) -> Forecast:
    """λ without any probe: κ of the measured sweeps with this optimizer, with or without batch norm as this network.

    Raises:
        InputError: the grid has several η, or no λ that torch would know.
    """
    return _guess(setting_of(grid), budgets, factor)


def _guess(setting: Setting, budgets: Sequence[float], factor: float, bound: float = 0.0) -> Forecast:
    """λ_pred with κ of the measured sweeps.

    A lower bound from the probe above it counts as an estimate, as of one λ: on a plateau with noise t* may come late.
    """
    known = setting.known
    middle, low, high = known.kappa, known.low, known.high
    shown = ""
    if bound > middle:
        middle, _, above = known.pooled(bound, *interval_of_one(bound))
        high, shown = max(high, above), f", weighed with a lower bound of {bound:.2g} from the probe"
    said = (
        f"κ = {middle:.2g} and its range, {low:.2g} to {high:.2g}, are those of {len(known.sweeps)} measured sweeps, "
        f"not of this network{shown}"
    )
    return Forecast(
        kappa=middle,
        low=low,
        high=high,
        sweeps=len(known.sweeps),
        factor=factor,
        budgets=tuple(setting.predicted(b, (middle, low, high), factor) for b in budgets),
        warnings=(said, *_of_optimizer(setting), *_of_norms(setting)),
    )


def predict(
    grid: Grid, budgets: Sequence[float], share: float, out: Place, run: Run, *, factor: float = 1.0
) -> Forecast:
    """Train large λ until their peaks have been seen, and predict λ for each budget.

    Args:
        grid: the user's; its axis lam, budget and schedule are those of the run to come, not of the probe.
        budgets: T in epochs.
        share: of one run at the longest budget that the probe may cost, about, for each seed; above 0 and at most 1.
        out: folder of sweeps; the probe is an ordinary sweep in it, ``NAME-probe-T-SHARE``.
        run: trains a grid below ``out`` and analyzes it, or what is missing of it.
        factor: λ_pred = factor·c/T; the paper shows 2 for small λ, whose κ is up to twice that of large (Figure S4).

    Returns:
        The forecast; where no λ of the probe has seen its peak, the guess of ``guess``, which says so.

    Raises:
        InputError: the grid has several η or variants, or a λ that is not torch's.
        PointsFailedError: points of the probe could not be trained.
    """
    setting = setting_of(grid)
    probed = _probe(setting, max(budgets), share, out, run)
    found = probed.found
    if found is None or probed.bound > found.high:
        forecast = _guess(setting, budgets, factor, probed.bound)
        forecast = replace(forecast, warnings=(_nothing(share, probed), *forecast.warnings))
    else:
        kappa, low, high = setting.known.pooled(found.kappa, found.low, found.high)
        predicted = tuple(setting.predicted(b, (kappa, low, high), factor) for b in budgets)
        forecast = Forecast(
            probe=found,
            kappa=kappa,
            low=low,
            high=high,
            sweeps=len(setting.known.sweeps),
            factor=factor,
            budgets=predicted,
            warnings=(*_warnings(found, setting.known, predicted[0].lam), *_of_optimizer(setting), *_of_norms(setting)),
        )
    forecast = replace(
        forecast,
        sweep=str(probed.sweep),
        cost=probed.cost,
        seeds=probed.seeds,
        lams=probed.lams,
        chance=setting.chance,
        setup=setting.title,
        warnings=(*forecast.warnings, *_of_divergence(probed)),
    )
    write_forecast(forecast)
    return forecast


def _probe(setting: Setting, longest: float, share: float, out: Place, run: Run) -> _Probed:
    """Ever smaller λ until κ has settled or ``share`` is spent, each as small as what may be spent by then allows."""
    factors = list(FIRST)
    probed = _round(setting, factors, longest, share, out, run)
    for spent in _stages(share):
        if probed.found is not None and probed.found.settled:
            break
        # At f times λ_pred a point that ends at decay time s takes s/(κ f) of a run. The last s is taken for the next;
        # where none has learned, at least that of a point with the κ expected.
        ended = probed.ended if probed.found else max(probed.ended, SURE * setting.known.kappa)
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


def _round(setting: Setting, factors: Sequence[float], longest: float, share: float, out: Place, run: Run) -> _Probed:
    """Train λ at so many times the λ expected, or what is missing of them, and read κ off."""
    first = setting.lam(setting.known.kappa / setting.profile.last_step(longest))
    lams = tuple(float(f"{first * factor:.3g}") for factor in factors)
    probe = _probe_grid(setting, lams, longest, share)
    peaks = _trained(probe, out, run)
    seeds = len(probe.axes.get("seed", (0,)))
    return _Probed(
        sweep=out / probe.name,
        found=coefficient(peaks, setting.chance),
        bound=kappa_bound(peaks, setting.chance),
        ended=float(peaks.loc[peaks["lam"] == lams[-1], "last_decay_time"].mean()),
        lams=lams,
        diverged=int(peaks["outcome"].eq(Outcome.DIVERGED).sum()),
        cost=float(peaks["last_step"].sum()) / seeds / setting.profile.last_step(longest),
        seeds=seeds,
    )


def _trained(grid: Grid, out: Place, run: Run) -> pd.DataFrame:
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


def verify_forecast(grid: Grid, forecast: Forecast, out: Place, run: Run) -> Forecast:
    """Train at each λ_pred and its neighbours for the whole budget, a sweep NAME-verify-T: the forecast with checks.

    Raises:
        PointsFailedError: points could not be trained.
    """
    checks, warnings = [], []
    for predicted in forecast.budgets:
        lams = [float(f"{predicted.lam * factor:.3g}") for factor in (1 / NEAR, 1, NEAR)]
        chosen = _changed(
            grid,
            f"name={grid.name}-verify-{predicted.budget:.10g}",
            f"axes.lam={lams}",
            f"budget={{rule: fixed, constant: {predicted.budget!r}}}",
            "stop=budget",
        )
        peaks = _trained(chosen, out, run)
        if peaks["outcome"].eq(Outcome.DIVERGED).any():
            warnings.append(f"T = {predicted.budget:g} was not verified: points diverged there, η is too large")
            continue
        rows = read_rows(SweepDir(out / chosen.name), ["point", "step", "test_acc"]).astype({"point": str})
        final = peaks["point"].astype(str).map(rows.dropna().groupby("point")["test_acc"].last())
        found = peaks.assign(final=final).groupby("lam")[["best_test_acc", "final"]].mean()
        best, last = (found.loc[lams, name].tolist() for name in ("best_test_acc", "final"))
        checks.append(
            Check(
                budget=predicted.budget,
                lams=(lams[0], lams[1], lams[2]),
                accuracies=(best[0], best[1], best[2]),
                finals=(last[0], last[1], last[2]),
            )
        )
    forecast = replace(forecast, checks=tuple(checks), warnings=(*forecast.warnings, *warnings))
    write_forecast(forecast)
    return forecast


def write_forecast(forecast: Forecast) -> None:
    """Write ``analysis/forecast.json`` and ``prediction.html`` into the sweep of the probe."""
    directory = SweepDir(place(forecast.sweep))
    write_text(directory.forecast, json.dumps(forecast.to_json(), indent=2) + "\n")
    peaks = read_parquet(directory.analysis / "peaks.parquet").to_pandas()
    drawing = save(draw_forecast(peaks, forecast), directory.analysis / "figures")
    write_text(directory.prediction, render_forecast(directory.name, forecast, drawing))


def _probe_grid(setting: Setting, lams: Sequence[float], longest: float, share: float) -> Grid:
    """Large λ at constant η until they have peaked, none longer than ``share`` of a run."""
    most = max(share * longest, 1 / setting.profile.steps_per_epoch)
    return _changed(
        setting.grid,
        f"name={setting.grid.name}-probe-{longest:.10g}-{share:.10g}",
        f"axes.lam={list(lams)}",
        f"budget={{rule: predicted, max: {most!r}}}",
        "stop=peaked",
        "schedule={name: constant}",
        "measure={log: 60}",
        "analysis.budgets=[]",
    )


def _changed(grid: Grid, *settings: str) -> Grid:
    return load_grid(to_yaml(grid), grid.name, settings)


def _warnings(found: Coefficient, known: Expected, lam: float) -> list[str]:
    """What would make a prediction from a probe wrong."""
    text = []
    smallest = found.lams[0]
    if len(found.lams) > 1 and not found.steady:
        text.append(f"κ differs by more than {STEADY:g} between the smallest λ of the probe: it may go on changing")
    elif found.slope is not None and abs(found.slope + 1) > SLOPE_OFF:
        text.append(f"t* goes as λ to the power {found.slope:.2f} in the probe, not -1")
    if not found.fitted and smallest < NEARBY * lam:
        text.append(
            f"at λ = {smallest:g} the training set is not fitted: the law is of networks that can fit it, and a "
            "smaller λ may show another κ"
        )
    if not known.low <= found.kappa <= known.high:
        text.append(
            f"κ = {found.kappa:.2g} lies outside what {len(known.sweeps)} measured sweeps of its kind show, "
            f"{known.low:.2g} to {known.high:.2g}"
        )
    return text


def _of_optimizer(setting: Setting) -> list[str]:
    """What the law is not about."""
    if setting.grid.optimizer.name == "sgd":
        return []
    return [
        f"{setting.grid.optimizer.name}: the law is of SGD. With AdamW t* goes about as 1/η and hardly with λ in the "
        "measured sweeps, and the tuned λ hardly changes with T. This λ makes the timescale 1/(ηλ) a share of the run: "
        "--verify tells"
    ]


def _of_norms(setting: Setting) -> list[str]:
    """What a norm changes: λ acts on the effective learning rate of the weights before it."""
    if not setting.normalized:
        return []
    return [
        f"{setting.normalized} weights are followed by a norm: there λ sets the effective learning rate, accuracy "
        "depends on batch statistics, and κ of a short probe can be larger than that of a long run"
    ]


def _nothing(share: float, probed: _Probed) -> str:
    if probed.found is not None:
        seen = f"κ = {probed.found.kappa:.2g} of the probe's larger λ is far below what its smallest shows"
    else:
        seen = f"no λ of the probe has learned and then been seen past its peak within {share:.0%} of a run"
    return f"{seen}, so that this is a guess; allow more (--share, in code share=…)"


def _of_divergence(probed: _Probed) -> list[str]:
    return [f"{probed.diverged} points of the probe diverged: η is too large"] if probed.diverged else []
