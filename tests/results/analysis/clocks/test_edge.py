"""The clock across λ: the edge of a curve of known truth, what a grid does not show, and how often intervals hold."""

import numpy as np
import pandas as pd
import pytest
from curves_support import KAPPA, SCENARIOS, Curves
from hypothesis import given
from hypothesis import strategies as st

from results.analysis.clocks.edge import best_within_steps, budget_steps, find_edge, fit_edge
from results.analysis.clocks.smoothing import bin_measurements, find_smooth_peaks, smooth_curves
from results.analysis.peaks import find_peaks_from, summarize_peaks
from results.analysis.segments import sort_measurements

TOLERANCE = 0.005
LAMS = tuple(10 ** np.linspace(-3, -1.5, 7))


def edges_of(curves, seed, **grid):
    rows, points = curves.sweep(seed, **{"lams": LAMS} | grid)
    return fit_rows(rows, points)


def fit_rows(rows, points):
    segments = sort_measurements(rows, points["point"])
    peaks = find_peaks_from(summarize_peaks(segments, TOLERANCE), points)
    smooth = smooth_curves(bin_measurements(segments), segments.test_acc)
    past = find_smooth_peaks(smooth, segments.epoch).observed
    return fit_edge(peaks, best_within_steps(smooth, past), TOLERANCE)


def edge_kappa(curves):
    """Decay time at which a parabola of this depth is half a per cent below its top."""
    return KAPPA * np.exp(-np.sqrt(TOLERANCE / curves.depth))


def test_without_noise_the_edge_lies_where_the_parabola_says():
    curves = Curves(scatter=0.0)
    fit = edges_of(curves, 0)
    assert fit.gamma.value == pytest.approx(-1, abs=0.02)
    assert fit.kappa.value == pytest.approx(edge_kappa(curves), rel=0.03)
    assert fit.spread < 1.05
    assert fit.points_used == 3 * len(LAMS) * 2


def test_an_exponent_that_is_not_the_law_is_found():
    low, high = edges_of(Curves(exponent=-0.7), 0).gamma.interval
    assert low < -0.7 < high < -0.6


def test_mu_counts_in_the_decay_time_and_levels_are_apart():
    rows, points = Curves(scatter=0.0).sweep(0, lams=LAMS)
    slow_rows, slow = (frame.assign(point="m" + frame["point"], mu=0.9) for frame in (rows, points))
    slow_rows["decay_time"] *= 10
    both = fit_rows(pd.concat([rows, slow_rows]), pd.concat([points, slow]))
    alone = fit_rows(rows, points)
    assert both.gamma.value == pytest.approx(alone.gamma.value)
    assert {e.level for e in both.edges} == {0, 1}
    first, second = ([e.kappa for e in both.edges if e.level == level] for level in (0, 1))
    assert np.allclose(np.multiply(first, 10), second)


def test_a_sweep_that_was_cut_short_or_where_lambda_does_not_matter_has_no_edge():
    for curves in (SCENARIOS["none"], Curves(depth=0.0)):
        fit = edges_of(curves, 0)
        assert (fit.gamma, fit.kappa, fit.spread, fit.edges, fit.points_used) == (None, None, None, (), 0)


def test_one_seed_tells_no_interval_of_kappa_and_one_group_and_seed_none_at_all():
    one_seed = edges_of(Curves(), 0, seeds=(0,))
    assert one_seed.kappa.interval is None
    assert one_seed.gamma.interval is not None
    alone = edges_of(Curves(), 0, seeds=(0,), etas=(1.0,))
    assert alone.kappa.interval is None
    assert alone.gamma.interval is None
    assert alone.gamma.value == pytest.approx(-1, abs=0.15)


def test_the_best_within_a_budget_ends_with_the_run_unless_its_maximum_is_past():
    step = np.arange(1, 101)
    rows = pd.DataFrame(
        {"point": "a", "step": step, "epoch": step / 1.0, "decay_time": step / 1.0, "train_acc": 0.0}
        | {"test_acc": np.where(step <= 50, step / 100, 0.5)}
    )
    segments = sort_measurements(rows)
    smooth = smooth_curves(bin_measurements(segments), segments.test_acc)
    steps = budget_steps()
    running, past = (best_within_steps(smooth, np.array([flag]))[0] for flag in (False, True))
    assert np.isnan(running[steps > 110]).all()
    assert np.allclose(past[steps > 110], 0.5, atol=0.01)
    inside = steps <= 40
    assert np.allclose(running[inside], steps[inside] / 100, atol=0.01)
    assert np.array_equal(running[inside], past[inside])


@pytest.mark.parametrize(
    "acc",
    [
        [0.8, 0.85, 0.89, 0.9],  # the largest λ alone is good
        [0.899, 0.9, 0.9, 0.9],  # λ does not matter
        [0.9, 0.89, 0.88, 0.87],  # the smallest is best
        [0.8, np.nan, np.nan, 0.9],  # two λ only
    ],
)
def test_an_edge_outside_the_grid_is_none(acc):
    assert np.isnan(find_edge(np.array([1e-3, 2e-3, 4e-3, 8e-3]), np.array(acc), TOLERANCE))


def test_where_no_lambda_is_better_than_zero_there_is_no_edge():
    lam = np.array([0.0, 1e-3, 2e-3, 4e-3])
    assert np.isnan(find_edge(lam, np.array([0.95, 0.8, 0.9, 0.9]), TOLERANCE))
    assert find_edge(lam, np.array([0.85, 0.8, 0.9, 0.9]), TOLERANCE) == pytest.approx(2e-3, rel=0.3)


@given(shift=st.floats(0.1, 10), top=st.floats(-6, -3), depth=st.floats(0.01, 0.2))
def test_the_edge_of_a_parabola_is_exact_and_goes_with_the_scale_of_lambda(shift, top, depth):
    x = np.linspace(-9, 0, 28)
    acc = 0.9 - depth * np.minimum(x - top, 0) ** 2
    edge = find_edge(np.exp(x), acc, TOLERANCE)
    # The parabola ends between two λ, a third apart: there the root is not a line.
    assert np.log(edge) == pytest.approx(top - np.sqrt(TOLERANCE / depth), abs=0.1)
    assert find_edge(shift * np.exp(x), acc, TOLERANCE) == pytest.approx(shift * edge)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", ["clean", "plateau noise", "shallow", "two maxima"])
def test_over_200_draws_intervals_hold_the_truth_and_nothing_is_biased(scenario):
    """On a noisy plateau κ is biased: the best of several noisy λ is too good, so that the edge lies too high."""
    fits = [edges_of(SCENARIOS[scenario], seed) for seed in range(200)]
    found = [fit for fit in fits if fit.gamma is not None]
    assert len(found) >= 180
    shares = {
        "exponent": np.mean([f.gamma.interval[0] <= -1 <= f.gamma.interval[1] for f in found]),
        "kappa": np.mean([i[0] <= edge_kappa(SCENARIOS[scenario]) <= i[1] for f in found if (i := f.kappa.interval)]),
    }
    print(scenario, shares)
    if scenario == "plateau noise":
        assert np.mean([f.kappa.value for f in found]) > edge_kappa(SCENARIOS[scenario])
        del shares["kappa"]
    assert min(shares.values()) >= 0.9, shares
    assert np.mean([f.gamma.value for f in found]) == pytest.approx(-1, abs=0.05)
