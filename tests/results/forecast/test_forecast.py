"""κ from a probe: which points count, what the interval says, and what is told of it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.forecast.coefficient import LOG_DRIFT_STD, coefficient, horizon_share, kappa_bound, usable
from results.forecast.forecast import Check, Forecast

CHANCE = 0.1


def probe(kappas, **changes):
    """Peaks of a probe: λ to κ of its seeds."""
    rows = [(lam, seed, kappa) for lam, own in kappas.items() for seed, kappa in enumerate(own)]
    peaks = pd.DataFrame(rows, columns=["lam", "seed", "kappa"])
    peaks = peaks.assign(outcome="stopped", censored=False, best_test_acc=0.9, best_train_acc=1.0, t_star_step=100.0)
    return peaks.assign(**changes)


def test_kappa_is_read_off_the_smallest_lam():
    found = coefficient(probe({0.4: [5.0], 0.1: [0.6, 0.6], 0.2: [0.4, 0.4]}), CHANCE)
    assert found.lams == (0.1, 0.2)
    assert found.kappa == pytest.approx(np.sqrt(0.6 * 0.4))
    assert found.fitted
    assert found.steady  # 0.6/0.4 is just 1.5
    assert found.settled
    assert not coefficient(probe({0.1: [0.7], 0.2: [0.4]}), CHANCE).steady


def test_three_lam_that_agree_settle_it_though_none_fits_the_training_set():
    three = {0.1: [0.5], 0.2: [0.6], 0.4: [0.7]}
    found = coefficient(probe(three, best_train_acc=0.8), CHANCE)
    assert (found.lams, found.settled) == ((0.1, 0.2, 0.4), True)
    assert found.kappa == pytest.approx((0.5 * 0.6 * 0.7) ** (1 / 3))
    del three[0.4]
    assert not coefficient(probe(three, best_train_acc=0.8), CHANCE).settled
    assert not coefficient(probe({0.1: [0.5]}), CHANCE).settled


def test_the_slope_is_that_of_t_star():
    assert coefficient(probe({0.1: [0.5], 0.2: [0.5], 0.4: [0.5]}), CHANCE).slope == pytest.approx(-1)
    # t* that does not change is a κ that grows as λ
    assert coefficient(probe({0.1: [0.5], 0.2: [1.0], 0.4: [2.0]}), CHANCE).slope == pytest.approx(0)
    assert coefficient(probe({0.1: [0.5], 0.2: [0.5]}), CHANCE).slope is None


@given(st.lists(st.floats(0.1, 3), min_size=2, max_size=8))
def test_the_interval_is_never_narrower_than_the_drift_and_holds_kappa(kappas):
    found = coefficient(probe({0.1: kappas}), CHANCE)
    assert found.low < found.kappa < found.high
    assert np.log(found.high / found.low) >= 2 * 1.96 * LOG_DRIFT_STD - 1e-12
    assert not found.steady  # of one λ nobody knows


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "completed"},
        {"outcome": "failed"},
        {"t_star_step": 3.0},
        {"kappa": 0.0},
        {"best_test_acc": 0.25},  # of guessing, 0.1, and a tenth of the rest
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_was_not_seen_says_nothing(change):
    peaks = probe({0.1: [0.5], 0.2: [0.5]}, **change)
    assert usable(peaks, CHANCE).empty
    assert coefficient(peaks, CHANCE) is None


def test_what_was_stopped_has_peaked_and_what_was_cut_short_gives_a_bound():
    stopped = probe({0.1: [0.5]}, censored=True)
    assert coefficient(stopped, CHANCE).kappa == pytest.approx(0.5)
    assert kappa_bound(stopped, CHANCE) == 0
    cut = probe({0.1: [0.5, 0.7], 0.2: [0.6]}, censored=True, outcome="completed")
    assert kappa_bound(cut, CHANCE) == 0.7
    assert kappa_bound(cut.assign(best_test_acc=0.2), CHANCE) == 0  # has learned nothing


def test_a_training_set_that_is_not_fitted_is_told():
    assert not coefficient(probe({0.1: [0.5], 0.2: [0.5]}, best_train_acc=0.97), CHANCE).fitted


def test_the_horizon_is_the_first_decay_or_the_mean_of_eta():
    assert horizon_share([1.0, 1.0], None) == 1.0
    assert horizon_share([1.0, 0.2], 0.3) == 0.3
    assert horizon_share([1.0, 0.5, 0.0], None) == 0.5


def test_a_prediction_holds_where_no_neighbour_is_better_by_more_than_the_papers_gap():
    check = Check(budget=10, lams=(1, 3, 9), accuracies=(0.904, 0.900, 0.5), finals=(0.904, 0.900, 0.5))
    assert check.gap == pytest.approx(0.004)
    assert check.held
    assert not Check(budget=10, lams=(1, 3, 9), accuracies=(0.5, 0.900, 0.905), finals=(0.5, 0.900, 0.905)).held
    assert Forecast(kappa=1, low=1, high=1, sweeps=1, budgets=(), warnings=(), cost=0.1).saved == pytest.approx(
        6.9
    )  # of a grid of eight
