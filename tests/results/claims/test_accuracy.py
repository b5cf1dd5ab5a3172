import numpy as np
import pytest

from results.claims.accuracy import plateau, product_constant

ETAS = (0.03, 0.1, 0.3, 1.0)
LAMS = tuple(np.geomspace(1e-4, 1e-2, 5))


def accuracies(peak_table, of_product, of_eta, sigma=0.002, seeds=(0, 1), **columns):
    table = peak_table(ETAS, LAMS, seeds, **columns)
    u = np.log10(table.eta * table.lam) + 3.75
    noise = sigma * np.random.default_rng(0).standard_normal(len(table))
    return table.assign(best_test_acc=0.9 - of_product * u**2 / 4 + of_eta * np.log10(table.eta) + noise)


def test_accuracy_that_depends_on_the_product_alone(peak_table):
    verdict = product_constant(accuracies(peak_table, 0.12, 0.0), 0.005)
    assert verdict.verdict == "pass", verdict
    assert 0 <= verdict.interval[0] <= verdict.value <= verdict.interval[1] < 1 / 3


def test_accuracy_that_depends_on_eta_fails(peak_table):
    verdict = product_constant(accuracies(peak_table, 0.0, 0.04), 0.005)
    assert verdict.verdict == "fail", verdict


def test_accuracy_that_depends_on_nothing_is_inconclusive(peak_table):
    verdict = product_constant(accuracies(peak_table, 0.0, 0.0, sigma=0.0005), 0.005)
    assert verdict.verdict == "inconclusive"
    assert "nothing to compare with" in verdict.why


def test_products_that_no_two_eta_share_are_interpolated(peak_table):
    table = accuracies(peak_table, 0.06, 0.0)
    moved = table.assign(eta=table.eta.replace({0.1: 0.13, 1.0: 0.8}))
    u = np.log10(moved.eta * moved.lam) + 3.75
    assert product_constant(moved.assign(best_test_acc=0.9 - 0.12 * u**2 / 4), 0.005).verdict == "pass"


def test_only_where_all_had_one_budget(peak_table):
    table = accuracies(peak_table, 0.06, 0.0)
    assert product_constant(table.assign(budget=1 / (table.eta * table.lam)), 0.005) is None
    assert product_constant(table[table.eta == 0.1], 0.005) is None
    assert product_constant(table.drop(columns="budget"), 0.005) is None
    assert product_constant(table.iloc[:0], 0.005) is None


@pytest.mark.parametrize("etas", [(0.03, 1.0)])
def test_too_few_shared_products_are_inconclusive(peak_table, etas):
    table = peak_table(etas, (1e-4, 1e-3))
    assert product_constant(table, 0.005).verdict == "inconclusive"


# --------------------------------------------------------------------------------------------- intervals over seeds


def one_eta(peak_table, seeds, of_seed):
    """Accuracy 0.9 at every lam, but for what each seed adds at the smallest."""
    table = peak_table((0.1,), LAMS, seeds)
    smallest = table.lam == min(LAMS)
    return table.assign(best_test_acc=0.9 - np.where(smallest, table.seed.map(of_seed), 0.0))


def test_the_interval_of_one_eta_is_that_over_its_seeds(peak_table):
    drops = dict(enumerate(0.004 + 0.002 * np.random.default_rng(1).standard_normal(200)))
    verdict = plateau(one_eta(peak_table, tuple(drops), drops), 0.005)
    mean, error = np.mean(list(drops.values())), np.std(list(drops.values())) / 200**0.5
    assert verdict.value == pytest.approx(mean)
    assert verdict.interval == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=error / 4)
    assert verdict.verdict == "pass"


def test_seeds_that_disagree_leave_a_plateau_open(peak_table):
    verdict = plateau(one_eta(peak_table, (0, 1, 2), {0: 0.0, 1: 0.004, 2: 0.007}), 0.005)
    assert verdict.interval[0] < 0.005 < verdict.interval[1]
    assert verdict.verdict == "inconclusive"


def test_one_seed_of_one_eta_has_no_interval(peak_table):
    verdict = plateau(one_eta(peak_table, (0,), {0: 0.002}), 0.005)
    assert (verdict.interval, verdict.verdict) == (None, "pass")


def test_only_eta_with_the_smallest_lam_tell_whether_accuracy_levels_off_there(peak_table):
    """A grid that leaves out long runs has no small λ at small η; there accuracy still rises."""
    table = peak_table((0.1, 1.0), LAMS, (0, 1))
    table["best_test_acc"] = 0.9 - 0.02 * (table.lam > 1.5e-3)
    stairs = table[(table.eta == 1.0) | (table.lam > 3e-4)]
    assert plateau(stairs, 0.005).verdict == "pass"
    assert plateau(stairs[stairs.eta == 0.1], 0.005).verdict == "inconclusive"
