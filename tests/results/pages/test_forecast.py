"""The page of a forecast: what its figure shows, and what is said with and without a probe."""

import pandas as pd
import pytest

from results.figures.drawing import render
from results.figures.forecast import draw_forecast
from results.forecast.coefficient import Coefficient
from results.forecast.forecast import Check, Forecast, Predicted
from results.pages.forecast import render_forecast

PREDICTED = Predicted(
    budget=300.0, lam=2e-3, low=1e-3, high=4e-3, horizon=1.0, t_star=300.0, t_star_low=150.0, t_star_high=600.0,
    timescale=500.0,
)  # fmt: skip
PROBE = Coefficient(
    kappa=0.6, low=0.3, high=1.2, lams=(0.02, 0.04), steady=True, fitted=False, slope=None
)  # fmt: skip
KAPPA = {"kappa": 0.7, "low": 0.4, "high": 1.1, "sweeps": 7, "chance": 0.1, "lams": (0.02, 0.04, 0.01, 0.5)}
CHECK = Check(budget=300.0, lams=(7e-4, 2e-3, 6e-3), accuracies=(0.9, 0.91, 0.87), finals=(0.9, 0.91, 0.87))


@pytest.fixture
def peaks():
    rows = [
        (0.02, 30.0, 0.8, "stopped"),
        (0.04, 15.0, 0.7, "stopped"),
        (0.01, 50.0, 0.85, "completed"),
        (0.5, 1.0, 0.1, "stopped"),
    ]
    rows.append((0.08, 7.0, 0.6, "stopped"))  # of another probe in this sweep
    table = pd.DataFrame(rows, columns=["lam", "t_star", "best_test_acc", "outcome"])
    return table.assign(censored=False, kappa=0.6, t_star_step=table["t_star"], best_train_acc=1.0)


def page(forecast, peaks):
    return render_forecast("own-probe", forecast, render(draw_forecast(peaks, forecast)))


def test_the_figure_shows_the_probe_the_prediction_and_what_was_checked(peaks):
    forecast = Forecast(**KAPPA, probe=PROBE, budgets=(PREDICTED,), checks=(CHECK,), warnings=())
    data = draw_forecast(peaks, forecast).data
    times = data[data["panel"] == "t_star"].set_index("lam")
    assert times["mark"].to_dict() == {
        0.02: "observed", 0.04: "observed", 0.01: "censored", 0.5: "outside", 2e-3: "predicted",
    }  # fmt: skip
    assert times.loc[2e-3, ["low", "high", "y"]].tolist() == [1e-3, 4e-3, 300]
    checked = data[data["mark"] == "checked"]
    assert dict(zip(checked["lam"], checked["y"], strict=True)) == {7e-4: 0.9, 2e-3: 0.91, 6e-3: 0.87}


def test_the_page_says_what_was_found_and_whether_it_held(peaks):
    forecast = Forecast(
        **KAPPA, probe=PROBE, budgets=(PREDICTED,), checks=(CHECK,), cost=0.06, warnings=("κ <may> change",)
    )
    said = page(forecast, peaks)
    assert "λ = 0.00200 [0.00100, 0.00400] for T = 300 epochs." in said
    assert "κ = 0.60 [0.30, 1.20] from t* at λ = 0.02, 0.04; 0.70 [0.40, 1.10] together with 7" in said
    assert "took 6% of the steps" in said
    assert "6.9 runs more" in said
    assert "κ &lt;may&gt; change." in said
    assert "✓</span> held" in said


def test_a_guess_is_called_one(peaks):
    said = page(Forecast(**KAPPA, budgets=(PREDICTED,), warnings=()), peaks)
    assert "this is a guess" in said
    assert "Not trained yet" in said
    assert "range" in said
