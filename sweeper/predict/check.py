"""The check of a forecast: training at λ_pred, its neighbors and λ = 0."""

from dataclasses import replace

import pandas as pd

from results.forecast.forecast import Check, Forecast
from results.store.paths import AnyPath
from results.store.sweep_dir import SweepDir
from results.store.tables import read_rows
from search_spaces.outcome import Outcome
from search_spaces.sections.grid import Grid
from sweeper.predict.predict import write_forecast
from sweeper.predict.probe import SweepRunner, changed_grid, peaks_of, trained

NEIGHBOR_FACTOR = 3.0  # from λ_pred to the neighbors that --verify trains too


def verify_forecast(grid: Grid, forecast: Forecast, out: AnyPath, run: SweepRunner) -> Forecast:
    """Train at each λ_pred, its neighbors and λ = 0 for the whole budget, as a sweep NAME-verify-T for each budget.

    Args:
        grid: grid of the forecast.
        forecast: forecast to check; the files in the sweep of its probe are written anew.
        out: folder of sweeps.
        run: function that trains what is missing of a grid below ``out`` and analyzes it.

    Returns:
        The forecast with its checks.

    Raises:
        PointsFailedError: points could not be trained.
    """
    checks, warnings = [], []
    for predicted in forecast.budgets:
        lams = [float(f"{predicted.lam * factor:.3g}") for factor in (0, 1 / NEIGHBOR_FACTOR, 1, NEIGHBOR_FACTOR)]
        chosen = changed_grid(
            grid,
            f"name={grid.name}-verify-{predicted.budget:.10g}",
            f"axes.lam={lams}",
            f"budget={{rule: fixed, constant: {predicted.budget!r}}}",
            "stop=budget",
        )
        peaks = peaks_of(chosen, trained(chosen, out, run))
        if peaks["outcome"].eq(Outcome.DIVERGED).any():
            warnings.append(f"T = {predicted.budget:g} was not verified: points diverged there, η is too large")
        else:
            checks.append(_check(predicted.budget, lams, peaks, SweepDir(out / chosen.name)))
    forecast = replace(forecast, checks=tuple(checks), warnings=(*forecast.warnings, *warnings))
    write_forecast(forecast)
    return forecast


def _check(budget: float, lams: list[float], peaks: pd.DataFrame, directory: SweepDir) -> Check:
    """Return the best and the final test accuracy of four λ, as means over seeds."""
    rows = read_rows(directory, ["point", "step", "test_acc"]).astype({"point": str})
    final = peaks["point"].astype(str).map(rows.dropna().groupby("point")["test_acc"].last())
    means = peaks.assign(final=final).groupby("lam")[["best_test_acc", "final"]].mean()
    best, last = (means.loc[lams, name].tolist() for name in ("best_test_acc", "final"))
    return Check(
        budget=budget,
        lams=(lams[0], lams[1], lams[2], lams[3]),
        accuracies=(best[0], best[1], best[2], best[3]),
        finals=(last[0], last[1], last[2], last[3]),
    )
