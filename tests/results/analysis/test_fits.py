import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from results.analysis.bootstrap import draw_weights
from results.analysis.fits import fit_exponents, fit_kappa
from results.analysis.peaks import find_peaks
from results.analysis.saturation import find_saturation
from results.analysis.selection import in_law
from results.analysis.tobit import fit_tobit

GRID = {"etas": (0.02, 0.06, 0.2), "lams": tuple(np.geomspace(1e-4, 2e-2, 8)), "measurements": 200}


@pytest.fixture
def peaks_of(make_sweep):
    return lambda **options: find_peaks(*make_sweep(**{**GRID, **options}))


def direct_peaks(eta, lam, log_star, censored=False, seed=0, **axes):
    """Peaks as `find_peaks` would give them, from log t* in steps."""
    star = np.exp(log_star)
    return pd.DataFrame(
        {
            **{"eta": eta, "lam": lam, "mu": 0.0, "seed": seed, "outcome": "completed", "t_star": star},
            **{"t_star_step": star, "kappa": star * eta * lam, "best_test_acc": 0.9, "censored": censored, **axes},
        }
    )


def noisy_law(rng, n_lam=10, slope=-1.0, sigma=0.3, etas=(0.1, 0.3, 1.0)):
    eta, lam = (a.ravel() for a in np.meshgrid(etas, np.geomspace(1e-4, 1e-1, n_lam)))
    return eta, lam, np.log(0.5) + slope * np.log(eta * lam) + sigma * rng.standard_normal(len(eta))


def test_in_law_leaves_out_what_the_law_does_not_speak_about():
    peaks = direct_peaks(0.1, np.array([0.01] * 6), np.full(6, 5.0))
    peaks["lam"] = [0.01, 0.0, 0.01, 0.01, 0.01, 0.01]
    peaks["outcome"] = ["completed", "completed", "failed", "stopped", "diverged", "completed"]
    peaks["best_test_acc"] = [0.9, 0.9, 0.9, 0.9, 0.9, 0.44]
    assert in_law(peaks).tolist() == [True, False, False, True, True, False]
    assert in_law(peaks.iloc[:0]).tolist() == []


@pytest.mark.parametrize("slope", [-1.0, -0.6])
def test_exact_curves_give_the_exact_slope(peaks_of, slope):
    fit = fit_exponents(peaks_of(slope=slope, decay_time=2.0 if slope == -1 else 4.0, kappa=0.5 if slope == -1 else 2))
    for estimate in (fit.gamma, fit.alpha, fit.beta):
        assert estimate.value == pytest.approx(slope, abs=0.02)
        assert estimate.interval[0] <= estimate.value <= estimate.interval[1]
    assert (fit.points_used, fit.censored, fit.why) == (24, 0, "")


def test_intercept_is_log10_of_kappa_for_slope_minus_one(peaks_of, star_over_peak):
    fit = fit_exponents(peaks_of())
    assert fit.intercept == pytest.approx(np.log10(0.5 * star_over_peak()), abs=0.03)


def test_momentum_and_further_axes_have_their_own_constant(make_sweep):
    parts = [make_sweep(**GRID, mu=mu, kappa=kappa) for mu, kappa in ((0.0, 0.4), (0.9, 0.8))]
    parts += [make_sweep(**GRID, mu=0.0, kappa=0.6, width=3)]
    rows, points = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
    fit = fit_exponents(find_peaks(rows, points))
    assert fit.gamma.value == pytest.approx(-1, abs=0.02)
    assert fit.sigma < 0.05


@pytest.mark.parametrize("axis", ["etas", "lams"])
def test_one_value_of_an_axis_has_no_exponent(peaks_of, axis):
    fit = fit_exponents(
        peaks_of(**{axis: (0.02,), "etas" if axis == "lams" else "lams": tuple(np.geomspace(2e-3, 0.1, 6))})
    )
    missing, known = (fit.alpha, fit.beta) if axis == "etas" else (fit.beta, fit.alpha)
    assert missing is None
    assert known.value == pytest.approx(-1, abs=0.03)
    assert fit.gamma.value == pytest.approx(-1, abs=0.03)
    assert fit.why == f"one {axis[:-1]} only: its exponent cannot be told"


def test_eta_and_lam_varied_together_are_not_told_apart():
    lam = np.geomspace(1e-4, 1e-2, 6)
    fit = fit_exponents(direct_peaks(lam * 10, lam, -2 * np.log(lam)))
    assert (fit.alpha, fit.beta) == (None, None)
    assert fit.gamma.value == pytest.approx(-1, abs=1e-3)
    assert "vary together" in fit.why


@pytest.mark.parametrize(
    ("n", "span", "censored", "why"),
    [
        (0, 1e2, 0, "0 observed t* among 0 points"),
        (1, 1e2, 0, "1 observed t* among 1 point "),
        (6, 1e2, 4, "2 observed t* among 6 points"),
        (6, 2.0, 0, "spans 0.30 decades"),
        (6, 1e2, 6, "0 observed t* among"),
    ],
)
def test_too_little_data_is_no_fit_with_a_reason(n, span, censored, why):
    lam = 1e-4 * np.geomspace(1, span, n) if n else np.zeros(0)
    fit = fit_exponents(direct_peaks(0.1, lam, -np.log(np.maximum(lam, 1e-9)), censored=np.arange(n) < censored))
    assert fit.gamma is None
    assert why in fit.why


def test_three_points_have_a_slope_but_an_interval_as_wide_as_the_replicates():
    lam = np.array([1e-4, 1e-3, 1e-2])
    fit = fit_exponents(direct_peaks(0.1, lam, -np.log(lam) + [0.2, -0.3, 0.1]))
    assert np.isfinite(fit.gamma.value)
    assert fit.gamma.interval is None or fit.gamma.interval[0] < fit.gamma.interval[1]


def test_same_seed_same_interval():
    law = direct_peaks(*noisy_law(np.random.default_rng(1)))
    assert fit_exponents(law, seed=3) == fit_exponents(law, seed=3)
    assert fit_exponents(law, seed=3).gamma.interval != fit_exponents(law, seed=4).gamma.interval


def test_interval_contains_the_truth_about_as_often_as_it_says():
    hits = 0
    for trial in range(120):
        fit = fit_exponents(direct_peaks(*noisy_law(np.random.default_rng(trial), n_lam=5)), replicates=400)
        hits += fit.gamma.interval[0] <= -1 <= fit.gamma.interval[1]
    assert 0.87 <= hits / 120 <= 1  # nominal 0.95, binomial sd 0.02


def truncated(trial, slope=-1.0):
    """Every run ends at 1500 steps: of a longer t* only that bound is known."""
    rng = np.random.default_rng(1000 + trial)
    eta, lam, log_star = noisy_law(rng, n_lam=10, slope=slope, sigma=0.6)
    end = np.log(1500.0)
    return eta, lam, np.minimum(log_star, end), log_star > end


def test_truncation_does_not_bias_the_slope_but_dropping_or_trusting_bounds_does():
    slopes = {"bounds": [], "dropped": [], "trusted": []}
    for trial in range(30):
        eta, lam, log_star, censored = truncated(trial)
        variants = {
            "bounds": direct_peaks(eta, lam, log_star, censored),
            "dropped": direct_peaks(eta, lam, log_star, censored)[~censored],
            "trusted": direct_peaks(eta, lam, log_star, False),
        }
        for name, peaks in variants.items():
            slopes[name].append(fit_exponents(peaks, replicates=20).gamma.value)
    mean = {name: np.mean(values) for name, values in slopes.items()}
    assert mean["bounds"] == pytest.approx(-1, abs=0.04)
    assert mean["dropped"] > mean["bounds"] + 0.05
    assert mean["trusted"] > -0.75


def test_real_truncated_curves_keep_the_slope(peaks_of):
    peaks = peaks_of(steps=20_000, noise=0.2)
    fit = fit_exponents(peaks)
    assert fit.censored >= 4
    assert fit.gamma.value == pytest.approx(-1, abs=0.1)


def test_tobit_is_the_maximum_of_the_likelihood():
    eta, lam, log_star, censored = truncated(7)
    x = np.log(eta * lam)
    design = np.column_stack([x - x.mean(), np.ones_like(x)])

    def loss(p):
        mean, sigma = design @ p[:2], np.exp(p[2])
        terms = np.where(censored, stats.norm.logsf(log_star, mean, sigma), stats.norm.logpdf(log_star, mean, sigma))
        return -terms.sum()

    best = optimize.minimize(loss, [-1, 6, -1], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    beta, sigma = fit_tobit(design, log_star, censored, np.ones((1, len(x))))
    assert beta[0] == pytest.approx(best.x[:2], abs=1e-4)
    assert sigma[0] == pytest.approx(np.exp(best.x[2]), rel=1e-3)


def test_tobit_weights_are_repetitions():
    eta, lam, log_star, censored = truncated(3)
    design = np.column_stack([np.log(eta * lam), np.ones_like(lam)])
    times = np.random.default_rng(0).integers(0, 4, len(lam))
    weighted = fit_tobit(design, log_star, censored, times[None].astype(float))
    again = np.repeat(np.arange(len(lam)), times)
    repeated = fit_tobit(design[again], log_star[again], censored[again], np.ones((1, len(again))))
    assert weighted[0] == pytest.approx(repeated[0], abs=1e-6)
    assert weighted[1] == pytest.approx(repeated[1], abs=1e-6)


def test_tobit_of_exact_data_and_of_undetermined_replicates():
    x = np.linspace(-1, 1, 8)
    design = np.column_stack([x, np.ones_like(x)])
    censored = np.arange(8) > 5
    weights = np.array([np.ones(8), [0, 0, 0, 0, 0, 1, 1, 1]])
    beta, sigma = fit_tobit(design, 2 * x + 1 - 0.5 * censored, censored, weights)
    assert beta[0] == pytest.approx([2, 1], abs=0.01)
    assert sigma[0] < 0.01
    assert np.isnan(beta[1]).all()


@pytest.mark.parametrize("n_lam", [10, 100])
def test_tobit_bootstrap_of_small_and_large_grids(n_lam):
    eta, lam, log_star = noisy_law(np.random.default_rng(0), n_lam=n_lam)
    censored = log_star > np.log(5000)
    peaks = direct_peaks(eta, lam, np.minimum(log_star, np.log(5000)), censored)
    fit = fit_exponents(peaks)
    assert fit.gamma.value == pytest.approx(-1, abs=0.1)
    assert fit.gamma.interval[0] < fit.gamma.value < fit.gamma.interval[1]


def test_weights_resample_cells_within_strata_and_seeds_within_cells():
    cells = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    strata = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    weights = draw_weights(cells, strata, 2000, np.random.default_rng(0))
    assert (weights[:, :6].sum(axis=1) == 6).all()
    assert (weights[:, 6:].sum(axis=1) == 2).all()
    assert set(np.unique(weights[:, :3].sum(axis=1))) == {0, 3, 6}
    assert weights.mean(axis=0) == pytest.approx(np.ones(8), abs=0.1)


def test_seeds_of_one_cell_are_not_independent_cells():
    rng = np.random.default_rng(2)
    eta, lam, log_star = noisy_law(rng)
    parts = [direct_peaks(eta, lam, log_star + 0.01 * rng.standard_normal(len(lam)), seed=s) for s in range(8)]
    few, all_of_them = (fit_exponents(pd.concat(parts[:n], ignore_index=True)) for n in (3, 8))
    width = [np.ptp(fit.gamma.interval) for fit in (few, all_of_them)]
    assert width[1] == pytest.approx(width[0], rel=0.2)  # independent cells would narrow it by (3/8)**0.5


def test_kappa_and_c(peaks_of, star_over_peak):
    fit = fit_kappa(peaks_of(noise=0.1))
    kappa = 0.5 * star_over_peak()
    assert fit.kappa.interval[0] < kappa < fit.kappa.interval[1]
    assert fit.kappa.value == pytest.approx(kappa, rel=0.07)
    assert fit.kappa_gstd.value == pytest.approx(np.exp(0.1), rel=0.05)
    assert fit.t_star_gstd > 4
    assert [(part.eta, part.points_used) for part in fit.per_eta] == [(0.02, 8), (0.06, 8), (0.2, 8)]
    for part in fit.per_eta:  # 10 steps an epoch
        assert part.c.value == pytest.approx(kappa / part.eta / 10, rel=0.15)
        assert part.c.interval[0] < part.c.value < part.c.interval[1]


def test_kappa_with_bounds_is_not_pulled_down():
    eta, lam, log_star, censored = truncated(11)
    assert censored.sum() > 5
    fit = fit_kappa(direct_peaks(eta, lam, log_star, censored))
    assert fit.kappa.interval[0] < 0.5 < fit.kappa.interval[1]
    assert fit_kappa(direct_peaks(eta, lam, log_star, False)).kappa.value < fit.kappa.value


def test_kappa_of_little_data():
    one = fit_kappa(direct_peaks(0.1, np.array([0.01]), np.array([5.0])))
    none = fit_kappa(direct_peaks(0.1, np.zeros(0), np.zeros(0)))
    assert (one.kappa, none.kappa) == (None, None)
    assert one.why == "1 observed t*, at least 2 are needed"
    assert none.per_eta == ()


def test_saturation_is_found_below_lam_b_only_where_there_is_one():
    rng = np.random.default_rng(5)
    eta, lam, log_star = noisy_law(rng, n_lam=12, sigma=0.15)
    assert find_saturation(direct_peaks(eta, lam, log_star)) is None
    rng = np.random.default_rng(6)
    flat = np.log(0.5) - np.log(eta * np.maximum(lam, 5e-3)) + 0.15 * rng.standard_normal(len(lam))
    found = find_saturation(direct_peaks(eta, lam, flat))
    assert found.interval[0] < 5e-3 < found.interval[1]
    assert found.interval[0] < 5e-3 < found.interval[1]
    assert found.interval[0] < found.value < found.interval[1]
    assert found.interval[1] < 3 * found.interval[0]
    power = np.log(0.5) - 0.65 * np.log(eta * lam) + 0.15 * rng.standard_normal(len(lam))
    assert find_saturation(direct_peaks(eta, lam, power)) is None
    assert find_saturation(direct_peaks(eta[:3], lam[:3], flat[:3])) is None


def test_bounds_at_small_lam_forbid_a_saturation(make_sweep):
    """Observed t* alone fall with lam below 1e-3; but most points there are bounds, which allow the law as well."""
    rows, points = make_sweep(etas=(0.1,), lams=tuple(np.geomspace(1e-5, 1e-1, 9)), seeds=(0, 1, 2))
    peaks = find_peaks(rows, points)
    low = peaks["lam"] < 1e-3
    early = low & (peaks["seed"] == 0)
    factor = np.where(early, np.maximum(peaks["lam"] / 1e-3, 1e-2), 1.0)
    peaks = peaks.assign(
        kappa=peaks["kappa"] * factor, t_star_step=peaks["t_star_step"] * factor, censored=low & (peaks["seed"] > 0)
    )
    assert find_saturation(peaks[~peaks["censored"]]) is not None
    assert find_saturation(peaks) is None
