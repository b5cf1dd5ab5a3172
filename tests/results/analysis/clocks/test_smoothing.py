"""Smoothing of curves: against lines fitted by numpy, on any pattern of measurements."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.analysis.clocks.smoothing import HALF_WIDTH, bin_measurements, find_smooth_peaks, smooth_curves
from results.analysis.segments import sort_measurements


def rows_of(curves):
    """Rows of points; each curve is (steps, accuracies)."""
    tables = [
        pd.DataFrame(
            {"point": f"p{k}", "step": steps, "epoch": np.asarray(steps, float), "decay_time": np.asarray(steps, float)}
            | {"test_acc": acc, "train_acc": acc}
        )
        for k, (steps, acc) in enumerate(curves)
    ]
    return pd.concat(tables, ignore_index=True)


def smoothed(curves):
    segments = sort_measurements(rows_of(curves))
    bins = bin_measurements(segments)
    return segments, bins, smooth_curves(bins, segments.test_acc)


steps_of_a_run = st.lists(st.integers(1, 10_000), min_size=1, max_size=60, unique=True).map(sorted)


@given(st.lists(steps_of_a_run, min_size=1, max_size=4), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_each_smoothed_value_is_a_line_through_the_bins_of_its_window(runs, random):
    curves = [(steps, [random.random() for _ in steps]) for steps in runs]
    _, bins, curve = smoothed(curves)
    assert len(bins.start) == len(runs)
    for first, stop in zip(bins.start, bins.stop, strict=True):
        x, y = bins.log_step[first:stop], curve.values[first:stop]
        for k in range(len(x)):
            near = np.abs(x - x[k]) <= HALF_WIDTH + 1e-6
            apart = near.sum() > 1 and np.var(x[near]) > 1e-6
            expected = np.polyval(np.polyfit(x[near], y[near], 1), x[k]) if apart else y[near].mean()
            assert curve.smooth[first + k] == pytest.approx(expected, abs=1e-5)


@given(steps_of_a_run)
@settings(deadline=None)
def test_a_bin_is_the_mean_of_its_measurements(steps):
    acc = np.linspace(0, 1, len(steps))
    _, bins, curve = smoothed([(steps, acc)])
    edges = [*bins.first, len(steps)]
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        assert curve.values[k] == pytest.approx(acc[low:high].mean())


def test_measuring_ten_times_as_often_moves_no_peak():
    few, many = (np.unique(np.geomspace(1, 1e5, n).astype(int)) for n in (400, 4000))
    acc = {id(s): 0.9 - 0.02 * (np.log10(s) - 3) ** 2 for s in (few, many)}
    for steps in (few, many):
        segments, bins, curve = smoothed([(steps, acc[id(steps)])])
        peaks = find_smooth_peaks(curve, segments.epoch)
        assert segments.step[bins.middle[peaks.bin[0]]] == pytest.approx(
            1000, rel=0.05
        )  # the next measurement is 3 % away
        assert peaks.observed[0]


def test_noise_is_that_of_the_plateau_and_not_of_the_rise():
    rng = np.random.default_rng(0)
    steps = np.unique(np.geomspace(1, 1e4, 400).astype(int))
    acc = 0.9 - 0.8 * np.exp(-steps / 30) + 0.01 * rng.normal(size=len(steps))
    segments, _, curve = smoothed([(steps, acc)])
    assert find_smooth_peaks(curve, segments.epoch).noise[0] == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize(
    ("acc", "observed"),
    [
        (lambda x: 0.9 - 0.1 * (x - 2) ** 2, True),
        (lambda x: 0.9 - 0.1 * (x - 4) ** 2, False),  # rises to the end
        (lambda x: np.minimum(0.3 * x, 0.8), False),  # a plateau without a fall
    ],
)
def test_a_peak_is_observed_once_accuracy_is_seen_to_fall(acc, observed):
    steps = np.unique(np.geomspace(1, 1e4, 300).astype(int))
    noise = 0.001 * np.random.default_rng(1).normal(size=len(steps))
    segments, _, curve = smoothed([(steps, acc(np.log10(steps)) + noise)])
    assert find_smooth_peaks(curve, segments.epoch).observed[0] == observed


def test_a_quantity_that_was_not_measured_has_no_peak():
    segments, bins, _ = smoothed([([1, 2, 3], [0.1, 0.2, 0.3]), ([5], [0.5])])
    curve = smooth_curves(bins, np.array([np.nan, np.nan, np.nan, 0.5]))
    peaks = find_smooth_peaks(curve, segments.epoch)
    assert peaks.bin.tolist() == [-1, len(bins.first) - 1]
    assert not peaks.observed.any()


def test_no_measurement_at_all():
    segments = sort_measurements(pd.DataFrame(), pd.Series(["p"]))
    bins = bin_measurements(segments)
    assert len(find_smooth_peaks(smooth_curves(bins, segments.test_acc), segments.epoch).bin) == 0
