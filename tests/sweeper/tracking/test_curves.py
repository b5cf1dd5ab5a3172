"""Thinning: few measurements, and the ones that matter."""

import numpy as np
import pytest

from sweeper.tracking.curves import MAX_POINT_MEASUREMENTS, landmarks, measurements_for, thin


def test_a_short_curve_is_kept_whole():
    steps = np.arange(MAX_POINT_MEASUREMENTS)
    assert thin(steps, {"test_acc": np.zeros(MAX_POINT_MEASUREMENTS)}).tolist() == list(range(MAX_POINT_MEASUREMENTS))


@pytest.mark.parametrize("n", [61, 800, 100_000])
def test_a_long_curve_keeps_first_last_and_best_within_the_limit(n):
    steps = np.arange(n)
    rng = np.random.default_rng(n)
    curves = {"test_acc": rng.random(n), "train_loss": rng.random(n), "weight_norm": rng.random(n)}
    kept = thin(steps, curves)
    assert len(kept) <= MAX_POINT_MEASUREMENTS
    assert (np.diff(kept) > 0).all()
    assert {0, n - 1, int(curves["test_acc"].argmax()), int(curves["train_loss"].argmin())} <= set(kept.tolist())


@pytest.mark.parametrize(("points", "most"), [(0, 60), (1000, 60), (2000, 30), (5000, 12), (10**6, 12)])
def test_large_sweeps_share_their_measurements(points, most):
    assert measurements_for(points) == most


def test_every_decade_of_steps_has_its_share():
    steps = np.arange(100_001)
    kept = thin(steps, {"test_acc": np.zeros(100_001)})
    counts = np.histogram(kept, bins=[10, 100, 1000, 10_000, 100_000])[0]
    assert counts.min() >= 10
    assert counts.max() <= 13


def test_a_diverged_curve_keeps_its_last_finite_value():
    values = np.linspace(1, 2, 500)
    values[400:] = np.inf
    assert {0, 399} <= set(thin(np.arange(500), {"train_loss": values}).tolist())


@pytest.mark.parametrize(
    ("values", "best", "expected"),
    [
        ([np.nan, 0.2, 0.9, 0.9, np.nan], "max", {1, 2, 3}),
        ([3.0, 1.0, 2.0], "min", {0, 1, 2}),
        ([3.0, 1.0, 2.0], "", {0, 2}),
        ([np.nan, np.inf], "max", set()),
        ([], "max", set()),
    ],
)
def test_landmarks(values, best, expected):
    assert landmarks(np.array(values), best) == expected
