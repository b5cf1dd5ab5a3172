"""Intervals of the bootstrap: what seeds share across cells is in them."""

import numpy as np
import pandas as pd
import pytest

from results.analysis.bootstrap import SEED_REPLICATES, Bootstrap
from results.analysis.fits import fit_exponents, fit_kappa

ETAS, LAMS = (0.3, 1.0, 3.0), tuple(np.geomspace(1e-3, 3e-2, 6))


def sweep_of(random, seeds: int, shared: float, tilt: float = 0.0) -> pd.DataFrame:
    """Peaks whose log κ scatters by 0.2 a point, and by ``shared`` and ``tilt``·log λ a seed."""
    frame = pd.DataFrame(
        [(eta, lam, seed) for eta in ETAS for lam in LAMS for seed in range(seeds)], columns=["eta", "lam", "seed"]
    )
    level, slope = random.normal(scale=shared, size=seeds), random.normal(scale=tilt, size=seeds)
    x = np.log(frame["lam"]) - np.mean(np.log(LAMS))
    noise = random.normal(scale=0.2, size=len(frame))
    kappa = 0.6 * np.exp(noise + level[frame["seed"]] + slope[frame["seed"]] * x)
    star = kappa / (frame["eta"] * frame["lam"])
    return frame.assign(
        point=[str(k) for k in range(len(frame))],
        mu=0.0,
        outcome="completed",
        kappa=kappa,
        t_star=star,
        t_star_step=star,
        best_test_acc=0.9,
        censored=False,
    )


def share_held(seeds: int, shared: float, tilt: float, draws: int = 60) -> tuple[float, float]:
    """Return the shares of intervals of the exponent of λ and of κ that hold the truth."""
    random, exponent, kappa = np.random.default_rng(0), [], []
    for _ in range(draws):
        peaks = sweep_of(random, seeds, shared, tilt)
        low, high = fit_exponents(peaks, replicates=200).beta.interval
        exponent.append(low <= -1 <= high)
        low, high = fit_kappa(peaks, replicates=200).kappa.interval
        kappa.append(low <= 0.6 <= high)
    return float(np.mean(exponent)), float(np.mean(kappa))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 6])
def test_intervals_hold_the_truth_where_seeds_shift_and_tilt_all_points(seeds):
    exponent, kappa = share_held(seeds, shared=0.15, tilt=0.08)
    assert exponent >= 0.88
    assert kappa >= 0.85


def test_intervals_of_independent_seeds_stay_as_wide_as_they_were():
    random, ratios = np.random.default_rng(1), []
    for _ in range(20):
        peaks = sweep_of(random, 4, shared=0.0)
        fit = Bootstrap(peaks, np.log(peaks["kappa"].to_numpy()), 400, 0)
        samples = fit.fit([])[0][:, 0]
        wide = fit.estimate(samples, 1).interval
        fit.seeds = 1
        plain = fit.estimate(samples[: -2 * SEED_REPLICATES], 1).interval
        ratios.append((wide[1] - wide[0]) / (plain[1] - plain[0]))
    assert min(ratios) >= 1
    assert np.median(ratios) < 1.3


def test_in_a_sweep_of_one_seed_points_of_one_lam_are_one_cell():
    random, held = np.random.default_rng(3), []
    for _ in range(60):
        path = dict(zip(LAMS, random.normal(scale=0.4, size=len(LAMS)), strict=True))
        peaks = sweep_of(random, 1, shared=0.0)
        peaks["t_star_step"] *= np.exp(peaks["lam"].map(path))
        low, high = fit_exponents(peaks, replicates=200).beta.interval
        held.append(low <= -1 <= high)
    assert np.mean(held) >= 0.88  # 0.7 with cells of η and λ


def test_a_sweep_of_one_seed_has_the_interval_of_its_cells_alone():
    peaks = sweep_of(np.random.default_rng(2), 1, shared=0.3)
    fit = Bootstrap(peaks, np.log(peaks["kappa"].to_numpy()), 400, 0)
    assert fit.weights.shape == (401, len(peaks))
    assert (fit.weights[0] == 1).all()
