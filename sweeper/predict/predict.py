"""``sweeper predict``: a weight decay for a budget, for the price of a short probe."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace

from results.figures.drawing import save
from results.figures.forecast import draw_forecast
from results.forecast.coefficient import Coefficient, interval_of_one
from results.forecast.forecast import Forecast
from results.pages.forecast import render_forecast
from results.store.files import read_parquet, write_text
from results.store.paths import AnyPath, any_path
from results.store.sweep_dir import SweepDir
from search_spaces.sections.grid import Grid
from sweeper.predict.cautions import (
    cautions_of_probe,
    divergence_cautions,
    no_peak_caution,
    norm_cautions,
    optimizer_cautions,
)
from sweeper.predict.probe import ProbeResult, SweepRunner, run_probe
from sweeper.predict.target import KappaInterval, Target, target_of


def guess(grid: Grid, budgets: Sequence[float], factor: float = 1.0) -> Forecast:
    """Predict λ without a probe, from the measured sweeps with this optimizer, with or without batch norm.

    Args:
        grid: grid of the run to come; its axis lam and its budget do not matter.
        budgets: T in epochs, one prediction each.
        factor: λ_pred over c/T.

    Raises:
        InputError: the grid has several set-ups, or chooses λ by itself.
    """
    return _guess(target_of(grid), budgets, factor)


def predict(
    grid: Grid,
    budgets: Sequence[float],
    share: float,
    out: AnyPath,
    run: SweepRunner,
    *,
    factor: float = 1.0,
    pages: bool = True,
) -> Forecast:
    """Train large λ until their peaks have been seen, and predict λ for each budget.

    Args:
        grid: grid of the user. Its axis lam, budget and schedule are those of the run to come, not of the probe.
        budgets: T in epochs, one prediction each.
        share: share of one run at the longest budget that the probe may cost for each seed, about, in (0, 1].
        out: folder of sweeps. The probe is an ordinary sweep in it, ``NAME-probe-T-SHARE``.
        run: function that trains what is missing of a grid below ``out`` and analyzes it.
        factor: λ_pred = factor·c/T. The paper shows 2 for small λ, whose κ is up to twice that of large (Figure S4).
        pages: whether the sweep of the probe is kept, so that its report and the page of the forecast are drawn.

    Returns:
        The forecast. Where no λ of the probe has seen its peak it is that of ``guess``, with a caution.

    Raises:
        InputError: the grid has several set-ups, or chooses λ by itself.
        PointsFailedError: points of the probe could not be trained.
    """
    target, began = target_of(grid), time.monotonic()
    probe = run_probe(target, max(budgets), share, out, run)
    seconds = time.monotonic() - began
    if probe.coefficient is None or probe.bound > probe.coefficient.high:
        forecast = _guess(target, budgets, factor, probe.bound)
        forecast = replace(forecast, warnings=(no_peak_caution(share, probe), *forecast.warnings))
    else:
        forecast = _from_coefficient(target, probe.coefficient, budgets, factor)
    forecast = replace(_with_probe(forecast, target, probe), seconds=seconds)
    if pages:
        run(probe.grid)
        write_forecast(forecast)
    return forecast


def write_forecast(forecast: Forecast) -> None:
    """Write ``analysis/forecast.json`` and ``prediction.html`` into the sweep of the probe."""
    directory = SweepDir(any_path(forecast.sweep))
    write_text(directory.forecast, json.dumps(forecast.to_json(), indent=2) + "\n")
    peaks = read_parquet(directory.analysis / "peaks.parquet").to_pandas()
    drawing = save(draw_forecast(peaks, forecast), directory.analysis / "figures")
    write_text(directory.prediction, render_forecast(directory.name, forecast, drawing))


def _guess(target: Target, budgets: Sequence[float], factor: float, bound: float = 0.0) -> Forecast:
    """Predict λ with κ of the measured sweeps.

    A lower bound from the probe above that κ counts as an estimate from one λ: on a plateau with noise t* may come
    late.
    """
    expected = target.expected
    interval, weighed = KappaInterval(expected.kappa, expected.low, expected.high), ""
    if bound > expected.kappa:
        kappa, _, high = expected.pooled(bound, *interval_of_one(bound))
        interval = KappaInterval(kappa, expected.low, max(expected.high, high))
        weighed = f", weighed with a lower bound of {bound:.2g} from the probe"
    source = (
        f"κ = {interval.kappa:.2g} and its range, {interval.low:.2g} to {interval.high:.2g}, are those of "
        f"{len(expected.sweeps)} measured sweeps, not of this network{weighed}"
    )
    return _forecast(target, interval, budgets, factor, cautions=[source])


def _from_coefficient(target: Target, coefficient: Coefficient, budgets: Sequence[float], factor: float) -> Forecast:
    """Predict λ with κ of the probe, pooled with that of the measured sweeps."""
    interval = KappaInterval(*target.expected.pooled(coefficient.kappa, coefficient.low, coefficient.high))
    lam = target.predicted(budgets[0], interval, factor).lam
    cautions = cautions_of_probe(coefficient, target.expected, lam)
    return replace(_forecast(target, interval, budgets, factor, cautions), probe=coefficient)


def _forecast(
    target: Target, interval: KappaInterval, budgets: Sequence[float], factor: float, cautions: Sequence[str]
) -> Forecast:
    """Return the forecast for a κ, with the cautions of its source and of the set-up."""
    return Forecast(
        kappa=interval.kappa,
        low=interval.low,
        high=interval.high,
        sweeps=len(target.expected.sweeps),
        factor=factor,
        budgets=tuple(target.predicted(budget, interval, factor) for budget in budgets),
        warnings=(*cautions, *optimizer_cautions(target), *norm_cautions(target)),
    )


def _with_probe(forecast: Forecast, target: Target, probe: ProbeResult) -> Forecast:
    """Return the forecast with what its probe was and cost."""
    return replace(
        forecast,
        sweep=str(probe.sweep),
        cost=probe.cost,
        run_seconds=(probe.seconds_per_epoch or 0.0) * max(predicted.budget for predicted in forecast.budgets),
        seeds=probe.seeds,
        lams=probe.lams,
        chance=target.chance,
        setup=target.title,
        warnings=(*forecast.warnings, *divergence_cautions(probe)),
    )
