"""The best λ from trials: against scikit-learn's Gaussian process, in limits, and on drawn truths."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from results.forecast import posterior as module
from results.forecast.posterior import Trial, accuracy_trial, loss_trial, posterior_of


def trial(lam, log_error, noise=0.01, length=1.0):
    return Trial(lam=lam, length=length, value=0.0, log_error=log_error, noise=noise)


def test_without_a_trial_the_best_lam_is_the_typical_one():
    known = posterior_of((), 3e-3, 100.0)
    low, high = known.interval
    assert known.best == pytest.approx(3e-3)
    assert low < 3e-3 / 2
    assert high > 3e-3 * 2
    assert math.log(high / 3e-3) == pytest.approx(math.log(3e-3 / low), abs=0.5)


def test_the_expectation_is_that_of_scikit_learn():
    """For trials as long as the run all exponents agree; scikit-learn's process has the constant as a kernel."""
    trials = [trial(lam, error, noise=0.1) for lam, error in ((0.5, -1.0), (2.0, -1.4), (8.0, -1.2), (32.0, -0.3))]
    at = np.log([t.lam for t in trials])
    kernel = ConstantKernel(module.LEVEL_STD**2, "fixed") + ConstantKernel(module.HEIGHT**2, "fixed") * Matern(
        module.WIDTH, "fixed", nu=2.5
    )
    process = GaussianProcessRegressor(kernel, alpha=0.1**2, optimizer=None)
    process.fit(
        at[:, None], [t.log_error - module.RISE * (a / math.log(8)) ** 2 for t, a in zip(trials, at, strict=True)]
    )
    expected = process.predict(module.POSITIONS[:, None]) + module.RISE * (module.POSITIONS / math.log(8)) ** 2
    found = posterior_of(trials, 1.0, 1.0).mean
    assert found - found.min() == pytest.approx(expected - expected.min(), abs=1e-6)


def test_trials_move_the_best_lam_to_where_errors_are_least():
    trials = [trial(lam, 0.3 * math.log(lam / 0.1) ** 2 - 2) for lam in (0.02, 0.05, 0.1, 0.2, 0.5)]
    found = posterior_of(trials, 1.0, 1.0)
    assert found.best == pytest.approx(0.1, rel=0.3)
    assert found.interval[1] < 0.3
    noisy = posterior_of([trial(t.lam, t.log_error, noise=3.0) for t in trials], 1.0, 1.0)
    assert found.best < noisy.best <= 1.0
    assert noisy.interval[1] > found.interval[1]


def test_a_longer_run_has_a_smaller_best_lam_by_a_power_of_its_length_from_0_to_a_half():
    trials = [trial(lam, 0.3 * math.log(lam) ** 2 - 2, length=1 / 16) for lam in (0.2, 0.5, 1.0, 2.0, 5.0)]
    assert 1 / 4 < posterior_of(trials, 1.0, 1.0).best < 1.0


@given(st.floats(1e-6, 1e3), st.floats(1e-2, 1e6), st.lists(st.floats(-4, 0), min_size=4, max_size=4))
def test_units_of_lam_and_of_time_do_not_matter(lam, time, errors):
    def best(lam, time):
        trials = [trial(lam * f, e, 0.1, time / 8) for f, e in zip((0.5, 2, 8, 32), errors, strict=True)]
        return posterior_of(trials, lam, time).best

    assert best(lam, time) == pytest.approx(lam * best(1.0, 1.0), rel=1e-6)


def test_a_trial_knows_its_noise():
    half = accuracy_trial(1.0, 1.0, 0.5, samples=100)
    assert half.log_error == pytest.approx(math.log(0.5))
    assert half.noise == pytest.approx(2 * math.sqrt(0.5 * 0.5 / 100) / 0.5)
    assert accuracy_trial(1.0, 1.0, 1.0, samples=50).log_error == pytest.approx(math.log(0.01))
    assert accuracy_trial(1.0, 1.0, 0.5, samples=10**9).noise == module.LEAST_NOISE
    assert loss_trial(1.0, 1.0, 0.2).log_error == pytest.approx(math.log(0.2))


def test_intervals_hold_truths_drawn_from_what_is_assumed():
    """95 % of the intervals should hold the best λ; 200 draws tell 90 from 99 %."""
    rng = np.random.default_rng(1)
    positions = module.POSITIONS
    root = np.linalg.cholesky(module._kernel(positions, positions) + 1e-9 * np.eye(len(positions)))
    held = []
    for _ in range(200):
        truth = module._parabola(positions) + root @ rng.standard_normal(len(positions))
        exponent = rng.choice(list(module.EXPONENTS), p=list(module.EXPONENTS.values()))
        trials = []
        for factor in (0.5, 2.0, 8.0, 32.0):
            error = np.interp(math.log(factor) + exponent * math.log(1 / 8), positions, truth)
            trials.append(trial(factor, error + 0.1 * rng.standard_normal() - 2, 0.1, 1 / 8))
        low, high = posterior_of(trials, 1.0, 1.0).interval
        held.append(low <= math.exp(positions[truth.argmin()]) <= high)
    assert 0.9 <= np.mean(held) <= 0.99
