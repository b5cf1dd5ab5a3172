import re

import numpy as np
import pandas as pd

from results.analysis.saturation import find_saturation
from results.claims.limits import lambda_opt, overparameterized

ETAS = (0.1, 0.3, 1.0)
LAMS = tuple(np.geomspace(1e-4, 1e-1, 9))


def scatter(table, sigma=0.1):
    return np.exp(sigma * np.random.default_rng(0).standard_normal(len(table)))


def underparameterized(peak_table, lam_b=3e-3, lam_opt=3e-3, above=-1.0):
    lams = tuple(np.geomspace(1e-4, 1e-1, 13))
    table = peak_table(ETAS, lams, best_train_acc=0.8)
    acc = 0.6 - 0.05 * np.log10(table.lam / lam_opt) ** 2
    star = 0.5 / (table.eta * lam_b) * np.minimum(table.lam / lam_b, np.inf).clip(lower=1) ** above * scatter(table)
    return table.assign(t_star=star, t_star_step=star, kappa=star * table.eta * table.lam, best_test_acc=acc)


def judged(peaks):
    return lambda_opt(peaks, overparameterized(peaks), find_saturation(peaks))


def test_the_best_lam_is_where_t_star_saturates(peak_table):
    verdict = judged(underparameterized(peak_table))
    assert verdict.verdict == "pass", verdict
    assert verdict.interval[0] < 1 < verdict.interval[1]
    assert "the best accuracy is at lam = 0.00" in verdict.why


def test_t_star_below_is_compared_with_that_without_l2(peak_table):
    zero = peak_table(ETAS, (0.0,), best_train_acc=0.8, t_star=lambda t: 0.5 / (t.eta * 3e-3), best_test_acc=0.5)
    verdict = judged(pd.concat([underparameterized(peak_table), zero], ignore_index=True))
    assert re.search(r"below, t\* is (0\.9\d|1|1\.0\d?) times that at lam = 0", verdict.why)


def test_a_best_lam_far_from_the_saturation_fails(peak_table):
    assert judged(underparameterized(peak_table, lam_opt=1e-1)).verdict == "fail"
    steep = underparameterized(peak_table, above=-1.6)
    other = steep.assign(seed=1, point=steep.point + "b", t_star_step=steep.t_star_step * scatter(steep))
    assert judged(pd.concat([steep, other], ignore_index=True)).verdict == "fail"


def test_lambda_opt_is_left_out_where_the_law_holds(peak_table):
    lawful = peak_table(ETAS, LAMS, kappa=0.5 * scatter(peak_table(ETAS, LAMS)))
    assert judged(lawful) is None
    unfitted = judged(lawful.assign(best_train_acc=0.8))
    assert (unfitted.verdict, unfitted.why) == ("inconclusive", "t* is not seen to saturate")
