"""The check of a forecast: training at λ_pred and its neighbors."""

from dataclasses import replace

from results.forecast.forecast import Check, Forecast
from results.store.paths import AnyPath
from results.store.sweep_dir import SweepDir
from results.store.tables import read_rows
from search_spaces.outcome import Outcome
from search_spaces.sections.grid import Grid
from sweeper.predict.predict import write_forecast
from sweeper.predict.probe import Run, changed_grid, trained_peaks

NEAR = 3.0  # factor to the neighbours of λ_pred that --verify trains too


def verify_forecast(grid: Grid, forecast: Forecast, out: AnyPath, run: Run) -> Forecast:
    """Train at each λ_pred and its neighbours for the whole budget, a sweep NAME-verify-T: the forecast with checks.

    Raises:
        PointsFailedError: points could not be trained.
    """
    checks, warnings = [], []
    for predicted in forecast.budgets:
        lams = [float(f"{predicted.lam * factor:.3g}") for factor in (1 / NEAR, 1, NEAR)]
        chosen = changed_grid(
            grid,
            f"name={grid.name}-verify-{predicted.budget:.10g}",
            f"axes.lam={lams}",
            f"budget={{rule: fixed, constant: {predicted.budget!r}}}",
            "stop=budget",
        )
        peaks = trained_peaks(chosen, out, run)
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
