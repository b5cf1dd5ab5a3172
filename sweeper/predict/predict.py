"""``sweeper predict``: a weight decay for a budget, for the price of a short probe."""

import json
from collections.abc import Sequence
from dataclasses import replace

from results.figures.drawing import save
from results.figures.forecast import draw_forecast
from results.forecast.coefficient import interval_of_one
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
from sweeper.predict.probe import Run, run_probe
from sweeper.predict.target import Target, target_of


def guess(grid: Grid, budgets: Sequence[float], factor: float = 1.0) -> Forecast:
    """λ without any probe: κ of the measured sweeps with this optimizer, with or without batch norm as this network.

    Raises:
        InputError: the grid has several η, or no λ that torch would know.
    """
    return _guess(target_of(grid), budgets, factor)


def _guess(setting: Target, budgets: Sequence[float], factor: float, bound: float = 0.0) -> Forecast:
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
        warnings=(said, *optimizer_cautions(setting), *norm_cautions(setting)),
    )


def predict(
    grid: Grid, budgets: Sequence[float], share: float, out: AnyPath, run: Run, *, factor: float = 1.0
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
    setting = target_of(grid)
    probed = run_probe(setting, max(budgets), share, out, run)
    found = probed.found
    if found is None or probed.bound > found.high:
        forecast = _guess(setting, budgets, factor, probed.bound)
        forecast = replace(forecast, warnings=(no_peak_caution(share, probed), *forecast.warnings))
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
            warnings=(
                *cautions_of_probe(found, setting.known, predicted[0].lam),
                *optimizer_cautions(setting),
                *norm_cautions(setting),
            ),
        )
    forecast = replace(
        forecast,
        sweep=str(probed.sweep),
        cost=probed.cost,
        seeds=probed.seeds,
        lams=probed.lams,
        chance=setting.chance,
        setup=setting.title,
        warnings=(*forecast.warnings, *divergence_cautions(probed)),
    )
    write_forecast(forecast)
    return forecast


def write_forecast(forecast: Forecast) -> None:
    """Write ``analysis/forecast.json`` and ``prediction.html`` into the sweep of the probe."""
    directory = SweepDir(any_path(forecast.sweep))
    write_text(directory.forecast, json.dumps(forecast.to_json(), indent=2) + "\n")
    peaks = read_parquet(directory.analysis / "peaks.parquet").to_pandas()
    drawing = save(draw_forecast(peaks, forecast), directory.analysis / "figures")
    write_text(directory.prediction, render_forecast(directory.name, forecast, drawing))
