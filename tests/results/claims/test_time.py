import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.analysis.regime import TrainingRegime
from results.claims.time import init_scale, schedule_collapse, small_lambda_ratio
from search_spaces.sections.optimizer import Cosine

ETAS = (0.1, 0.3, 1.0)
LAMS = tuple(np.geomspace(1e-4, 1e-1, 9))


def noise(table, rng=0, sigma=0.1):
    return np.exp(sigma * np.random.default_rng(rng).standard_normal(len(table)))


def with_kappa(table, kappa, sigma=0.1):
    table = table.assign(kappa=kappa * noise(table, sigma=sigma))
    star = table["kappa"] / (table["eta"] * table["lam"])
    return table.assign(t_star=star, t_star_step=star)


@pytest.mark.parametrize(("factor", "ruling"), [(1.0, "pass"), (2.0, "pass"), (4.0, "fail"), (0.4, "fail")])
def test_kappa_at_small_lam_may_be_up_to_twice_as_large(peak_table, factor, ruling):
    table = peak_table(ETAS, LAMS)
    verdict = small_lambda_ratio(with_kappa(table, np.where(table.lam <= LAMS[2], 0.5 * factor, 0.5)))
    assert verdict.verdict == ruling, verdict
    assert verdict.interval[0] < factor < verdict.interval[1]


def test_bounds_at_small_lam_are_no_small_kappa(peak_table):
    table = peak_table(ETAS, LAMS)
    short = (table.lam <= LAMS[2]) & (table.eta < 0.5)
    verdict = small_lambda_ratio(with_kappa(table, np.where(short, 0.1, 0.5)).assign(censored=short))
    assert verdict.value > 0.8
    assert verdict.censored == 6


def test_the_ratio_of_too_little_is_inconclusive(peak_table):
    table = with_kappa(peak_table(ETAS, LAMS), 0.5)
    for few in (table[table.lam <= LAMS[1]], table.assign(censored=True), table.iloc[:0], table.assign(lam=0.0)):
        assert small_lambda_ratio(few).verdict == "inconclusive"


def scales(peak_table, power, sigma=0.05, scale=(0.7, 1.0, 1.4, 2.0), **options):
    parts = []
    for i, value in enumerate(scale):
        table = peak_table(ETAS, LAMS, sigma_w=value, **options)
        cell = 0.5 * np.exp(0.3 * np.sin(7 * np.log(table.lam)))  # differs between cells, not with sigma_w
        parts.append(with_kappa(table, cell * value**power * noise(table, rng=i, sigma=sigma), sigma=0))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize(("power", "ruling"), [(0.0, "pass"), (0.5, "fail"), (-1.0, "fail")])
def test_kappa_and_the_initialization_scale(peak_table, power, ruling):
    verdict = init_scale(scales(peak_table, power))
    assert verdict.verdict == ruling, verdict
    assert verdict.value == pytest.approx(power, abs=0.05)


def test_the_initialization_scale_by_seeds_of_one_cell(peak_table):
    table = scales(peak_table, 0.0, seeds=range(6))
    one = table[(table.eta == 0.1) & (table.lam == LAMS[4])]
    assert init_scale(one).verdict == "pass"
    assert "in 6 cells of eta, lam and seed" in init_scale(one).why


def test_cells_with_bounds_do_not_tilt_the_initialization_scale(peak_table):
    table = scales(peak_table, 0.0)
    late = (table.sigma_w > 1.5) & (table.lam < 1e-3)
    cut = table.assign(censored=late, kappa=np.where(late, 0.05, table.kappa))
    assert init_scale(cut).value == pytest.approx(0.0, abs=0.05)
    assert "9 cells with lower bounds" in init_scale(cut).why


def test_the_initialization_scale_of_too_little(peak_table):
    assert init_scale(peak_table(ETAS, LAMS)) is None
    assert init_scale(peak_table(ETAS, LAMS, sigma_w=1.0)) is None
    assert init_scale(scales(peak_table, 0.0).assign(censored=True)).verdict == "inconclusive"
    assert init_scale(scales(peak_table, 0.0, sigma=1.5)).verdict == "inconclusive"


COSINE = TrainingRegime(schedule=Cosine(name="cosine"))


def fixed_budget(peak_table, **options):
    """1000 steps of a cosine, so that the whole decay time of a run is 500·ηλ."""
    table = peak_table(ETAS, LAMS, **options)
    return table.assign(last_decay_time=500 * table.eta * table.lam)


def test_one_kappa_where_eta_changes_along_the_run(peak_table):
    table = with_kappa(fixed_budget(peak_table), 0.6)
    late = table.last_decay_time < 0.7
    table = table.assign(censored=late, kappa=np.where(late, table.last_decay_time, table.kappa))
    verdict = schedule_collapse(table, COSINE)
    assert (verdict.claim, verdict.verdict) == ("schedule_collapse", "pass")
    assert verdict.why.startswith("κ = 0.6")
    assert (verdict.points_used, verdict.censored) == (len(table), int(late.sum()))


def test_a_maximum_at_a_fixed_share_of_the_schedule_is_no_collapse(peak_table):
    table = fixed_budget(peak_table)
    verdict = schedule_collapse(with_kappa(table, 0.3 * table.last_decay_time), COSINE)
    assert verdict.verdict != "pass", verdict
    by_rule = with_kappa(peak_table(ETAS, LAMS, last_decay_time=2.0), 0.6)  # T ∝ 1/(ηλ)
    verdict = schedule_collapse(by_rule, COSINE)
    assert verdict.verdict == "inconclusive"
    assert "spreads by 1.00 only" in verdict.why


def test_kappa_that_goes_with_lam_is_no_collapse(peak_table):
    table = fixed_budget(peak_table)
    assert schedule_collapse(with_kappa(table, 0.6 * (table.lam / 3e-3) ** 0.5), COSINE).verdict == "fail"


def test_only_points_whose_eta_changes_are_asked_for_the_schedule(peak_table):
    table = with_kappa(fixed_budget(peak_table), 0.6)
    assert schedule_collapse(table, TrainingRegime()) is None
    assert schedule_collapse(table, TrainingRegime(schedule=Cosine(name="cosine"), auto_l2=True)) is None
    constant = with_kappa(table, 5 * table.lam / 3e-3)
    both = pd.concat([constant.assign(**{"schedule.warmup": 0.0}), table.assign(**{"schedule.warmup": 0.1})])
    verdict = schedule_collapse(both.reset_index(drop=True), TrainingRegime())
    assert (verdict.verdict, verdict.points_used) == ("pass", len(table))
    assert schedule_collapse(table.assign(censored=True), COSINE).verdict == "inconclusive"


@settings(max_examples=25, deadline=None)
@given(factor=st.floats(0.1, 10))
def test_the_ratio_does_not_feel_the_unit_of_kappa(peak_table, factor):
    table = peak_table(ETAS, LAMS)
    one, other = (small_lambda_ratio(with_kappa(table, k)) for k in (0.5, 0.5 * factor))
    assert one.value == pytest.approx(other.value, rel=1e-3)
