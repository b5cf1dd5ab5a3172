"""κ from a probe: which points count, what the interval says, and what is told of it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.forecast import DRIFT, coefficient, horizon_share, usable


def probe(kappas, **changes):
    """Peaks of a probe: λ to κ of its seeds."""
    rows = [(lam, seed, kappa) for lam, own in kappas.items() for seed, kappa in enumerate(own)]
    peaks = pd.DataFrame(rows, columns=["lam", "seed", "kappa"])
    peaks = peaks.assign(outcome="stopped", censored=False, best_test_acc=0.9, best_train_acc=1.0, t_star_step=100.0)
    return peaks.assign(**changes)


def test_kappa_is_read_off_the_two_smallest_lam():
    found = coefficient(probe({0.4: [5.0], 0.1: [0.6, 0.6], 0.2: [0.4, 0.4]}))
    assert found.lams == (0.1, 0.2)
    assert found.kappa == pytest.approx(np.sqrt(0.6 * 0.4))
    assert found.fitted
    assert found.steady  # 0.6/0.4 is just 1.5
    assert not coefficient(probe({0.1: [0.7], 0.2: [0.4]})).steady


@given(st.lists(st.floats(0.1, 3), min_size=2, max_size=8))
def test_the_interval_is_never_narrower_than_the_drift_and_holds_kappa(kappas):
    found = coefficient(probe({0.1: kappas}))
    assert found.low < found.kappa < found.high
    assert np.log(found.high / found.low) >= 2 * 1.96 * DRIFT - 1e-12
    assert not found.steady  # of one λ nobody knows


@pytest.mark.parametrize(
    "change",
    [
        {"censored": True},
        {"outcome": "failed"},
        {"t_star_step": 3.0},
        {"kappa": 0.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_was_not_seen_says_nothing(change):
    peaks = probe({0.1: [0.5], 0.2: [0.5]}, **change)
    assert usable(peaks).empty
    assert coefficient(peaks) is None


def test_a_training_set_that_is_not_fitted_is_told():
    assert not coefficient(probe({0.1: [0.5], 0.2: [0.5]}, best_train_acc=0.97)).fitted


def test_the_horizon_is_the_first_decay_or_the_mean_of_eta():
    assert horizon_share([1.0, 1.0], None) == 1.0
    assert horizon_share([1.0, 0.2], 0.3) == 0.3
    assert horizon_share([1.0, 0.5, 0.0], None) == 0.5
