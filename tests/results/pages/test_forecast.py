"""The page of a forecast: what its figure shows, and what is said with and without a probe."""

import pytest

from results.figures.drawing import render
from results.figures.forecast import draw_forecast
from results.forecast.forecast import Check, Forecast, predicted
from results.forecast.posterior import accuracy_trial
from results.pages.forecast import render_forecast

TRIALS = tuple(accuracy_trial(lam, 40.0, accuracy, 500) for lam, accuracy in ((1e-3, 0.8), (4e-3, 0.9), (0.016, 0.7)))
CHECK = Check(
    budget=300.0, lams=(0, 7e-4, 2e-3, 6e-3), accuracies=(0.8, 0.9, 0.91, 0.87), finals=(0.8, 0.9, 0.91, 0.86)
)


def of_run(trials):
    return predicted(300.0, 2e-3, trials, timescale_at_one=1.0, weight_decay_per_lam=1.0)


def page(forecast):
    return render_forecast("own-probe", forecast, render(draw_forecast(forecast)))


def test_the_figure_shows_the_trials_the_curve_and_its_minimum():
    forecast = Forecast(trials=TRIALS, budgets=(of_run(TRIALS),), checks=(CHECK,), warnings=())
    data = draw_forecast(forecast).data
    trials = data[data["mark"] == "trial"]
    assert dict(zip(trials["lam"], trials["y"], strict=True)) == pytest.approx({1e-3: 0.2, 4e-3: 0.1, 0.016: 0.3})
    curve = data[data["mark"] == "expected"]
    (lowest,) = data[data["mark"] == "predicted"].itertuples()
    assert curve.loc[curve["y"].idxmin(), "lam"] == pytest.approx(forecast.lam)
    assert lowest.y == pytest.approx(curve["y"].min())
    assert (lowest.low, lowest.high) == (forecast.budgets[0].low, forecast.budgets[0].high)
    checked = data[data["mark"] == "checked"]
    assert dict(zip(checked["lam"], checked["y"], strict=True)) == {0: 0.8, 7e-4: 0.9, 2e-3: 0.91, 6e-3: 0.87}


def test_the_page_says_what_was_found_and_whether_it_held():
    forecast = Forecast(
        trials=TRIALS, budgets=(of_run(TRIALS),), checks=(CHECK,), cost=0.5, warnings=("λ <may> change",)
    )
    said = page(forecast)
    assert "for T = 300 epochs." in said
    assert "Trials of 40 epochs ended with accuracy 0.8000 at λ = 0.001" in said
    assert "took 50% of the steps" in said
    assert "λ &lt;may&gt; change." in said
    assert "✓</span> held" in said


def test_a_guess_is_called_one():
    said = page(Forecast(budgets=(of_run(()),), warnings=()))
    assert "this is a guess" in said
    assert "Not trained yet" in said
