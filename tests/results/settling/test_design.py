"""Expected narrowing: closed forms, and the width that simulated sweeps show."""

import numpy as np
import pandas as pd
import pytest

from results.analysis.fits import fit_exponents
from results.settling.design import Design, design_of, extended, narrowing

LAMS = (0.0, 1e-3, 1e-1)


def design(etas=(1.0,), lams=(1e-3, 1e-2), seeds=2, cell=0.0, seed=1.0) -> Design:
    cells = [(np.log(e), np.log(lam)) for e in etas for lam in lams]
    eta, lam = (np.array([cell[i] for cell in cells]) for i in (0, 1))
    return Design(eta=eta, lam=lam, seeds=np.full(len(cells), float(seeds)), cell_variance=cell, seed_variance=seed)


@pytest.mark.parametrize("quantity", ["slope_product", "slope_lam", "kappa", "accuracy"])
def test_twice_the_seeds_narrow_by_the_root_of_two(quantity):
    assert narrowing(quantity, design(), design(seeds=4)) == pytest.approx(2**-0.5)


def test_seeds_narrow_nothing_where_cells_alone_scatter():
    alone = {"cell": 1.0, "seed": 0.0}
    assert narrowing("kappa", design(**alone), design(seeds=4, **alone)) == pytest.approx(1)


def test_a_slope_narrows_with_the_range_of_its_axis():
    near, far = design(lams=(1e-3, 1e-2)), design(lams=(1e-4, 1e-2))
    assert narrowing("slope_lam", near, far) == pytest.approx(0.5)
    assert narrowing("kappa", near, far) == pytest.approx(1)


def test_a_further_lam_says_nothing_of_other_accuracies():
    assert narrowing("accuracy", design(), design(lams=(1e-3, 3e-3, 1e-2))) == 1


def test_points_join_their_cells_and_zero_does_not_count():
    found = extended(design(), {(1.0, lam): 1 for lam in LAMS})
    assert sorted(zip(np.exp(found.lam).round(6), found.seeds, strict=True)) == [(1e-3, 3), (1e-2, 2), (1e-1, 1)]


def sweep_of(random, etas, lams, seeds, cell, seed) -> pd.DataFrame:
    """Peaks whose log κ scatters by ``cell`` between cells and by ``seed`` between seeds."""
    frame = pd.DataFrame(
        [(e, lam, s) for e in etas for lam in lams for s in range(seeds)], columns=["eta", "lam", "seed"]
    )
    by_cell = np.repeat(random.normal(scale=cell, size=len(etas) * len(lams)), seeds)
    kappa = 0.6 * np.exp(by_cell + random.normal(scale=seed, size=len(frame)))
    star = kappa / (frame["eta"] * frame["lam"])
    return frame.assign(
        point=[str(k) for k in range(len(frame))], mu=0.0, outcome="completed", kappa=kappa, t_star=star,
        t_star_step=star, best_test_acc=0.9, censored=False,
    )  # fmt: skip


def test_scatter_is_parted_into_cells_and_seeds():
    random = np.random.default_rng(0)
    found = design_of(sweep_of(random, np.geomspace(0.1, 10, 20), np.geomspace(1e-4, 1e-2, 20), 4, 0.2, 0.4))
    assert found.cell_variance == pytest.approx(0.04, rel=0.25)
    assert found.seed_variance == pytest.approx(0.16, rel=0.1)


def test_what_seeds_share_narrows_with_seeds_and_not_with_cells():
    random = np.random.default_rng(3)
    peaks = sweep_of(random, (0.3, 1, 3), tuple(np.geomspace(1e-3, 3e-2, 8)), 40, 0.0, 0.1)
    tilt = random.normal(scale=0.1, size=40)[peaks["seed"]]
    x = np.log(peaks["lam"]) - np.log(peaks["lam"]).mean()
    found = design_of(peaks.assign(kappa=peaks["kappa"] * np.exp(tilt * x)))
    assert found.shared["slope_lam"] == pytest.approx(0.01, rel=0.5)
    assert found.shared["slope_eta"] < 0.002
    assert narrowing("slope_lam", found, extended(found, {(1.0, 1e-5): 40})) > 0.9


def test_the_expected_width_is_that_of_simulated_sweeps():
    """Four seeds for one: the mean width over 20 sweeps each narrows as the design says."""
    random, widths, expected = np.random.default_rng(1), [], []
    etas, lams = (0.3, 1, 3), tuple(np.geomspace(1e-3, 3e-2, 6))
    for seeds in (3, 12):
        sweeps = [sweep_of(random, etas, lams, seeds, 0.1, 0.4) for _ in range(20)]
        intervals = [fit_exponents(sweep, replicates=200).gamma.interval for sweep in sweeps]
        widths.append(np.mean([high - low for low, high in intervals]))
        expected.append(design(etas, lams, seeds, 0.01, 0.16))
    assert widths[1] / widths[0] == pytest.approx(narrowing("slope_product", *expected), rel=0.15)


def test_points_of_further_axes_share_a_cell():
    random = np.random.default_rng(4)
    peaks = sweep_of(random, (0.3, 1), (1e-3, 1e-2), 3, 0.1, 0.1)
    wide = peaks.assign(width=256, kappa=5 * peaks["kappa"], point=peaks["point"] + "w")
    found = design_of(pd.concat([peaks.assign(width=64), wide], ignore_index=True))
    assert found.seeds.tolist() == [6] * 4
    assert found.seed_variance < 0.05  # the factor 5 between the widths is no scatter
    assert narrowing("kappa", found, extended(found, {})) == pytest.approx(1)
