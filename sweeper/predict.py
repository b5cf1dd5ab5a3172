"""``sweeper predict``: a weight decay for a budget, for the price of a short probe."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from results.forecast import STEADY, Check, Coefficient, Forecast, coefficient
from results.forecast_page import draw_forecast, render_forecast
from results.kappa_library import Expected
from results.store import SweepDir, write_text
from results.style import save
from search_spaces.grid import Grid
from search_spaces.load import load_grid
from sweeper.conclude import Account
from sweeper.run import to_yaml
from sweeper.setting import Setting, setting_of

# λ of the probe over the λ expected for the longest budget, round by round. A point ends at decay time 1.25 where κ is
# 0.5, so that one at f times λ_pred costs 2.5/f of a run: the first round 3 %, with the second 9 %.
ROUNDS = ((256.0, 128.0), (40.0,), (20.0,), (10.0,), (5.0,), (2.5,))
COST = 2.5
NEAR = 3.0  # factor to the neighbours of λ_pred that --verify trains too
SLOPE_OFF = 0.35  # from -1, of t* ∝ λ^slope in a probe: κ changes by 1.5 or more over the three λ of the first round

Run = Callable[[Grid], Account]


def guess(grid: Grid, budgets: Sequence[float], factor: float = 1.0) -> Forecast:
    """λ without any probe: κ of the measured sweeps with this optimizer, with or without batch norm as this network.

    Raises:
        InputError: the grid has several η, or no λ that torch would know.
    """
    return _guess(setting_of(grid), budgets, factor)


def _guess(setting: Setting, budgets: Sequence[float], factor: float) -> Forecast:
    known = setting.known
    predicted = tuple(setting.predicted(b, (known.kappa, known.low, known.high), factor) for b in budgets)
    said = (
        f"κ = {known.kappa:.2g} and its range, {known.low:.2g} to {known.high:.2g}, are those of {len(known.sweeps)} "
        "measured sweeps, not of this network"
    )
    return Forecast(factor=factor, budgets=predicted, warnings=(said, *_of_optimizer(setting)))


def predict(
    grid: Grid, budgets: Sequence[float], share: float, out: Path, run: Run, *, factor: float = 1.0
) -> Forecast:
    """Train large λ until their peaks have been seen, and predict λ for each budget.

    Args:
        grid: the user's; its axis lam, budget and schedule are those of the run to come, not of the probe.
        budgets: T in epochs.
        share: of one run at the longest budget that the probe may cost.
        out: folder of sweeps; the probe is ``out/NAME-probe``, an ordinary sweep.
        run: trains a grid below ``out`` and analyzes it, or what is missing of it.
        factor: λ_pred = factor·c/T; the paper finds 2 as good as 1, or better, at small λ (Figure S4).

    Returns:
        The forecast; where no λ of the probe has seen its peak, the guess of ``guess``, which says so.

    Raises:
        InputError: the grid has several η or variants, or a λ that is not torch's.
    """
    setting = setting_of(grid)
    found, cost, seeds = _probe(setting, max(budgets), share, run)
    if found is None:
        forecast = _guess(setting, budgets, factor)
        forecast = replace(forecast, warnings=(_nothing(share), *forecast.warnings))
    else:
        kappa = found.kappa, found.low, found.high
        forecast = Forecast(
            probe=found,
            factor=factor,
            budgets=tuple(setting.predicted(b, kappa, factor) for b in budgets),
            warnings=(*_warnings(found, setting.known), *_of_optimizer(setting), *_of_norms(setting)),
        )
    forecast = replace(forecast, sweep=str(out / f"{grid.name}-probe"), cost=cost, seeds=seeds)
    write_forecast(forecast)
    return forecast


def _probe(setting: Setting, longest: float, share: float, run: Run) -> tuple[Coefficient | None, float, int]:
    """Rounds of ever smaller λ until κ has settled or ``share`` is spent: κ, cost for each seed, seeds."""
    first = setting.lam(setting.known.kappa / setting.steps(longest))
    lams: list[float] = []
    found: Coefficient | None = None
    cost = expected_cost = 0.0
    for factors in ROUNDS:
        more = sum(COST / factor for factor in factors)
        if lams and cost + more * cost / expected_cost > share:  # dearer than expected where κ is larger
            break
        expected_cost += more
        lams += [float(f"{first * factor:.3g}") for factor in factors]
        account = run(_probe_grid(setting.grid, lams, longest))
        peaks = account.analysis.findings.peaks
        seeds = max(1, peaks["seed"].nunique())
        cost = sum(end.steps for end in account.ends.values()) / seeds / setting.steps(longest)
        found = coefficient(peaks, setting.chance)
        if found is not None and found.settled:
            break
    return found, cost, seeds


def verify_forecast(grid: Grid, forecast: Forecast, run: Run) -> Forecast:
    """Train at each λ_pred and its neighbours for the whole budget, a sweep NAME-verify-T: the forecast with checks."""
    checks = []
    for predicted in forecast.budgets:
        lams = [float(f"{predicted.lam * factor:.3g}") for factor in (1 / NEAR, 1, NEAR)]
        chosen = _changed(
            grid,
            f"name={grid.name}-verify-{predicted.budget:.10g}",
            f"axes.lam={lams}",
            f"budget={{rule: fixed, constant: {predicted.budget!r}}}",
        )
        found = run(chosen).analysis.findings.peaks.groupby("lam", sort=True)["best_test_acc"].mean()
        low, mid, high = (float(found[lam]) for lam in lams)
        checks.append(Check(budget=predicted.budget, lams=(lams[0], lams[1], lams[2]), accuracies=(low, mid, high)))
    forecast = replace(forecast, checks=tuple(checks))
    write_forecast(forecast)
    return forecast


def write_forecast(forecast: Forecast) -> None:
    """Write ``analysis/forecast.json`` and ``prediction.html`` into the sweep of the probe."""
    directory = SweepDir(Path(forecast.sweep))
    write_text(directory.forecast, json.dumps(forecast.to_json(), indent=2) + "\n")
    drawing = save(
        draw_forecast(pd.read_parquet(directory.analysis / "peaks.parquet"), forecast), directory.analysis / "figures"
    )
    write_text(directory.prediction, render_forecast(directory.name, forecast, drawing))


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


def _warnings(found: Coefficient, known: Expected) -> list[str]:
    """What would make a prediction from a probe wrong."""
    text = []
    smallest = found.lams[0]
    if len(found.lams) < 2:
        text.append(f"only one λ of the probe has seen its peak ({smallest:g}): c is read off a single point")
    elif not found.steady:
        text.append(f"κ differs by more than {STEADY:g} between the smallest λ of the probe: it may go on changing")
    elif found.slope is not None and abs(found.slope + 1) > SLOPE_OFF:
        text.append(f"t* goes as λ to the power {found.slope:.2f} in the probe, not -1")
    if not found.fitted:
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
    known = setting.known
    return [
        f"{setting.grid.optimizer.name}: the law is of SGD. This λ averages weights over T/κ (the timescale of Wang & "
        f"Aitchison 2024). In {len(known.sweeps)} measured sweeps with AdamW t* goes as ηλ to the power "
        f"{known.exponent:.2f}, not -1, and the tuned λ hardly depends on T: --verify tells"
    ]


def _of_norms(setting: Setting) -> list[str]:
    """What a norm changes: λ acts on the effective learning rate of the weights before it."""
    if not setting.normalized:
        return []
    return [
        f"{setting.normalized} weights are followed by a norm: there λ sets the effective learning rate, accuracy "
        "depends on batch statistics, and κ of a short probe can be larger than that of a long run"
    ]


def _nothing(share: float) -> str:
    return (
        f"no λ of the probe has learned and then been seen past its peak within {share:.0%} of a run, so that this is "
        "a guess; allow more (--share, in code share=…)"
    )
