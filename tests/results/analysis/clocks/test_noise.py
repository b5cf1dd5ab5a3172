import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.analysis.clocks.noise import infer_test_samples, measure_noise


def as_stored(correct, n):
    return (np.array(correct) / n).astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("n", [100, 360, 1285, 1669, 10_000, 50_000])
def test_the_size_of_the_test_set_is_read_off_its_accuracies(n):
    correct = np.random.default_rng(n).integers(n // 2, n, size=40)
    assert infer_test_samples(as_stored(correct, n)) == n


@given(st.integers(50, 60_000), st.data())
def test_every_accuracy_is_a_multiple_of_the_share_that_is_read_off(n, data):
    accuracies = as_stored(data.draw(st.lists(st.integers(n // 2, n - 1), min_size=12, max_size=12, unique=True)), n)
    inferred = infer_test_samples(accuracies)
    assert inferred is not None
    assert inferred <= n
    assert np.abs(accuracies * inferred - np.round(accuracies * inferred)).max() < 0.01


@pytest.mark.parametrize(
    "accuracies", [[], [0.5], [0.5, 0.5, 0.5], [0.0, 1.0, 0.5], list(np.random.default_rng(0).uniform(size=9))]
)
def test_accuracies_that_tell_no_size(accuracies):
    assert infer_test_samples(np.array(accuracies, dtype=np.float64)) is None


def test_noise_of_a_sweep():
    best = np.array([900, 933, 941, 950, 871, 887], dtype=np.float32) / np.float32(1000)
    peaks = pd.DataFrame(
        {
            "lam": [1e-3] * 6,
            "eta": 1.0,
            "outcome": "completed",
            "t_star_step": 10.0,
            "kappa": 0.5,
            "best_test_acc": best,
        }
    )
    noise = measure_noise(peaks, pd.Series([0.001, 0.002, 0.003, np.nan, 0.004, np.nan]))
    assert noise.flicker == pytest.approx(0.0025)
    assert noise.test_samples == 1000
    assert noise.standard_error == pytest.approx((0.95 * 0.05 / 1000) ** 0.5, rel=1e-4)
    assert noise.largest == noise.standard_error
