"""What a forecast says: λ to paste, its trials, its cost, and whether a check held."""

import json

import pytest

from results.forecast.forecast import Check, Forecast, predicted
from results.forecast.posterior import accuracy_trial

TRIALS = tuple(accuracy_trial(lam, 10.0, accuracy, 400) for lam, accuracy in ((0.01, 0.8), (0.04, 0.9), (0.16, 0.7)))


def forecast(**changes):
    of_run = predicted(80.0, 0.02, TRIALS, timescale_at_one=0.5, weight_decay_per_lam=2.0)
    return Forecast(**{"budgets": (of_run,), "trials": TRIALS, "cost": 0.5, "warnings": ()} | changes)


def test_a_prediction_has_the_units_of_the_grid_and_of_torch():
    (of_run,) = forecast().budgets
    assert of_run.low < of_run.lam < of_run.high
    assert of_run.weight_decay == 2 * of_run.lam
    assert of_run.timescale == pytest.approx(0.5 / of_run.lam)
    assert 0 < of_run.loss < 0.1
    assert predicted(80.0, 0.02, (), timescale_at_one=0.5, weight_decay_per_lam=1.0).loss is None


def test_a_forecast_says_lam_to_paste_its_trials_and_its_cost():
    found = forecast(seconds=200.0, run_seconds=400.0, warnings=("it may rain",))
    said = str(found)
    assert f"weight_decay={2 * found.lam:.3g}" in said
    assert "of 10 epochs ended with accuracy 0.8000 at λ = 0.01, 0.9000 at λ = 0.04" in said
    assert "50% of the steps of one run at T = 80: 1.50 runs with the run itself" in said
    assert "the probe took 3.3 min with its measurements and its analysis; one run takes about 6.7 min" in said
    assert "careful: it may rain" in said
    assert json.loads(json.dumps(found.to_json()))["budgets"][0]["lam"] == found.lam


def test_a_prediction_holds_where_no_other_lam_is_better_by_more_than_the_papers_gap():
    def check(*accuracies):
        return Check(budget=10, lams=(0, 1, 3, 9), accuracies=accuracies, finals=accuracies)

    assert check(0.5, 0.904, 0.900, 0.5).gap == pytest.approx(0.004)
    assert check(0.5, 0.904, 0.900, 0.5).held
    assert not check(0.5, 0.5, 0.900, 0.905).held
    assert not check(0.905, 0.5, 0.900, 0.5).held  # λ = 0
