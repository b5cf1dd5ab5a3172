"""``sweeper predict``: a weight decay for a budget, for the price of half a run."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace

from results.figures.drawing import save
from results.figures.forecast import draw_forecast
from results.forecast.forecast import Forecast, Predicted, predicted
from results.forecast.posterior import Trial
from results.pages.forecast import render_forecast
from results.store.files import write_text
from results.store.paths import AnyPath, any_path
from results.store.sweep_dir import SweepDir
from search_spaces.sections.grid import Grid
from sweeper.predict.cautions import (
    divergence_cautions,
    guess_caution,
    has_learned,
    no_learning_caution,
    set_up_cautions,
    trial_cautions,
)
from sweeper.predict.probe import ProbeResult, SweepRunner, run_probe
from sweeper.predict.target import Target, target_of


def guess(grid: Grid, budgets: Sequence[float]) -> Forecast:
    """Predict λ without a probe, from the decay time that is typical of this optimizer.

    Args:
        grid: grid of the run to come; its axis lam and its budget do not matter.
        budgets: T in epochs, one prediction each.

    Raises:
        InputError: the grid has several set-ups, or chooses λ by itself.
    """
    target = target_of(grid)
    forecasts = tuple(_predicted(target, budget, ()) for budget in budgets)
    cautions = (guess_caution(), *set_up_cautions(target))
    return Forecast(budgets=forecasts, setup=target.title, warnings=cautions)


def predict(
    grid: Grid, budgets: Sequence[float], runs: float, out: AnyPath, run: SweepRunner, *, pages: bool = True
) -> Forecast:
    """Train a few λ for a part of the longest budget, and predict the best λ for each budget.

    Args:
        grid: grid of the user. Its axis lam and its budget do not matter.
        budgets: T in epochs, one prediction each.
        runs: steps that the probe and the run to come may take for each seed, over those of one run at the longest
            budget, in (1, MAX_RUNS].
        out: folder of sweeps. The probe is an ordinary sweep in it, ``NAME-probe-T-RUNS``.
        run: function that trains what is missing of a grid below ``out`` and analyzes it.
        pages: whether the sweep of the probe is kept, so that its report and the page of the forecast are drawn.

    Returns:
        The forecast. Where no λ of the probe has learned it is that of ``guess``, with a caution.

    Raises:
        InputError: the grid has several set-ups, or chooses λ by itself.
        PointsFailedError: points of the probe could not be trained.
    """
    target, began = target_of(grid), time.monotonic()
    probe = run_probe(target, max(budgets), runs, out, run)
    seconds = time.monotonic() - began
    forecast = replace(_from_probe(target, probe, budgets), seconds=seconds)
    if pages:
        run(probe.grid)
        write_forecast(forecast)
    return forecast


def write_forecast(forecast: Forecast) -> None:
    """Write ``analysis/forecast.json`` and ``prediction.html`` into the sweep of the probe."""
    directory = SweepDir(any_path(forecast.sweep))
    write_text(directory.forecast, json.dumps(forecast.to_json(), indent=2) + "\n")
    drawing = save(draw_forecast(forecast), directory.analysis / "figures")
    write_text(directory.prediction, render_forecast(directory.name, forecast, drawing))


def _from_probe(target: Target, probe: ProbeResult, budgets: Sequence[float]) -> Forecast:
    """Return the forecast of a probe: from its trials if these have learned, else the guess."""
    longest = max(budgets)
    trials = probe.trials if has_learned(probe.trials, target.chance) else ()
    forecasts = [_predicted(target, budget, trials) for budget in budgets]
    of_longest = forecasts[budgets.index(longest)]
    cautions = trial_cautions(trials, of_longest) if trials else [no_learning_caution(probe, target.chance)]
    return Forecast(
        sweep=str(probe.sweep),
        trials=trials,
        budgets=tuple(forecasts),
        cost=probe.cost,
        run_seconds=(probe.seconds_per_epoch or 0.0) * longest,
        seeds=probe.seeds,
        setup=target.title,
        warnings=(*cautions, *set_up_cautions(target), *divergence_cautions(probe)),
    )


def _predicted(target: Target, budget: float, trials: tuple[Trial, ...]) -> Predicted:
    """Return λ_pred for a budget of T epochs."""
    return predicted(
        budget,
        target.typical_lam(budget),
        trials,
        timescale_at_one=target.timescale_at_one,
        weight_decay_per_lam=target.weight_decay_per_lam,
    )
