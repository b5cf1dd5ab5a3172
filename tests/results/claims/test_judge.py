import json
import math

import numpy as np
import pandas as pd
import pytest

from results.analysis.bootstrap import IntervalEstimate
from results.analysis.findings import find
from results.analysis.regime import TrainingRegime
from results.claims.accuracy import eta_independence, plateau
from results.claims.judge import CLAIMS, CLAIMS_BY_NAME, judge
from results.claims.verdict import Verdict, judge_interval, judge_range
from search_spaces.sections.metric import Metric
from search_spaces.sections.optimizer import Cosine

LAMS = tuple(np.geomspace(1e-4, 1e-1, 13))
BUDGETS = (30, 100)
NOT_SHOWN = {  # claims that these sweeps say nothing of
    *("schedule_collapse", "init_scale", "product_constant", "catapult", "train_loss_minimum", "lambda_opt"),
}


def _judge(rows, points, tolerance=0.005, budgets=()):
    return judge(find(rows, points, tolerance, budgets))


def verdicts_of(rows, points, budgets=BUDGETS):
    return {verdict.claim: verdict for verdict in _judge(rows, points, budgets=budgets)}


def falling_with_lam(eta, lam):
    """By definition lam_pred is 0.005 below the best of its own lam; here the tuned lam has to pay for being larger."""
    return 0.87 - 0.06 * np.log10(1 + lam / 6e-3)


@pytest.fixture(scope="module")
def lawful(make_sweep):
    return make_sweep(etas=(0.05, 0.1, 0.2), lams=LAMS, lift=falling_with_lam, measurements=400, noise=0.05)


def test_a_sweep_that_obeys_the_law_passes(lawful):
    verdicts = _judge(*lawful, budgets=BUDGETS)
    assert [verdict.claim for verdict in verdicts] == [c.name for c in CLAIMS if c.name not in NOT_SHOWN]
    verdicts = [v for v in verdicts if not v.claim.startswith("fit_time")]  # fitted from the first step on
    assert {v.verdict for v in verdicts} == {"pass"}
    for verdict in verdicts:
        assert verdict.interval[0] <= verdict.value <= verdict.interval[1]
        assert verdict.points_used > 0
        assert verdict.why


def test_where_eta_never_is_constant_only_the_schedule_is_asked_for_kappa(make_sweep, star_over_peak):
    rows, points = make_sweep(etas=(0.05, 0.1, 0.2), lams=LAMS, kappa=0.9, noise=0.05, steps=20_000)
    found = find(rows, points, 0.005, BUDGETS, TrainingRegime(schedule=Cosine(name="cosine")))
    verdicts = {verdict.claim: verdict for verdict in judge(found)}
    assert list(verdicts) == [claim.name for claim in CLAIMS if claim.name in verdicts]
    assert verdicts["collapse"].verdict == "unasked"
    assert verdicts["schedule_collapse"].verdict == "pass", verdicts["schedule_collapse"]
    kappa = float(verdicts["schedule_collapse"].why.split()[2])
    assert kappa == pytest.approx(0.9 * star_over_peak(), rel=0.05)
    assert "schedule_collapse" not in verdicts_of(rows, points)


def test_every_claim_has_its_own_name_and_title():
    assert len(CLAIMS_BY_NAME) == len({claim.title for claim in CLAIMS}) == len(CLAIMS)


def test_slope_of_minus_0_6_fails(make_sweep):
    sweep = make_sweep(etas=(0.05, 0.1, 0.2), lams=LAMS, slope=-0.6, kappa=1.0, decay_time=20, noise=0.05)
    verdicts = verdicts_of(*sweep)
    for claim in ("scaling", "scaling_eta", "scaling_lam", "collapse"):
        assert verdicts[claim].verdict == "fail", verdicts[claim]
    assert verdicts["scaling"].value == pytest.approx(-0.6, abs=0.05)


def test_noise_makes_it_inconclusive_not_failed(make_sweep):
    verdicts = verdicts_of(*make_sweep(lams=LAMS[::3], noise=0.6, decay_time=30))
    assert verdicts["scaling"].verdict == "inconclusive"


def test_monotone_curves_are_all_censored_and_inconclusive(make_sweep):
    verdicts = verdicts_of(*make_sweep(lams=LAMS, decay_time=0.4))
    for claim in ("scaling", "scaling_eta", "scaling_lam", "collapse", "lambda_pred_accuracy", "plateau"):
        assert verdicts[claim].verdict == "inconclusive", verdicts[claim]
    assert verdicts["scaling"].censored == 26
    assert verdicts["scaling"].why == "0 observed t* among 26 points of the law, at least 3 are needed"


def test_one_point_no_rows_no_points_and_nan_are_inconclusive(make_sweep):
    rows, points = make_sweep()
    one = points.iloc[:1]
    blank = rows.assign(test_acc=np.nan, train_acc=np.nan)
    for table in (
        verdicts_of(rows[rows.point == one.point[0]], one),
        verdicts_of(rows.iloc[:0], points),
        verdicts_of(pd.DataFrame(), points.iloc[:0]),
        verdicts_of(blank, points.assign(outcome="diverged")),
        verdicts_of(blank, points.assign(outcome="failed")),
    ):
        ruled = {v.verdict for claim, v in table.items() if claim != "overparameterized"}
        assert ruled <= {"inconclusive", "unasked"}
        assert all(v.why for v in table.values())


def test_diverged_points_leave_the_others_to_be_judged(lawful):
    rows, points = lawful
    lost = points.point[points.eta == 0.2]
    broken = points.assign(outcome=points.outcome.mask(points.point.isin(lost), "diverged"))
    early = rows.assign(test_acc=rows.test_acc.where(~rows.point.isin(lost) | (rows.step < 5)))
    verdicts = verdicts_of(early, broken)
    assert verdicts["scaling"].verdict == "pass"
    assert verdicts["scaling"].points_used - verdicts["scaling"].censored == 26


def test_one_eta_only(make_sweep):
    verdicts = verdicts_of(*make_sweep(etas=(0.1,), lams=LAMS, lift=falling_with_lam, noise=0.05))
    for claim in ("scaling_eta", "eta_independence", "fit_time"):
        assert verdicts[claim].verdict == "unasked"
        assert verdicts[claim].why == "eta has one value"
    assert verdicts["scaling"].verdict == verdicts["scaling_lam"].verdict == "pass"


def test_without_any_lam_above_0_the_law_is_not_asked_for(make_sweep):
    rows, points = make_sweep(lams=LAMS[:2], seeds=(0, 1))
    verdicts = verdicts_of(rows.assign(lam=0.0, decay_time=0.0), points.assign(lam=0.0, seed=range(len(points))))
    for claim in ("scaling", "scaling_eta", "collapse", "plateau", "eta_independence", "fit_time"):
        assert verdicts[claim].verdict == "unasked", claim
        assert verdicts[claim].why == "lam is 0 at every point"
    assert verdicts["overparameterized"].verdict == "pass"


def test_accuracy_that_drops_towards_small_lam_is_no_plateau(make_sweep):
    verdicts = verdicts_of(*make_sweep(lams=LAMS, lift=lambda eta, lam: 0.85 - 0.02 * abs(np.log10(lam / 1e-2))))
    assert verdicts["plateau"].verdict == "fail"
    assert verdicts["plateau"].value == pytest.approx(0.04, abs=0.002)  # two decades below the best, 0.02 a decade


def test_accuracy_that_still_rises_towards_small_lam_is_no_plateau(make_sweep):
    verdicts = verdicts_of(*make_sweep(lams=LAMS, lift=lambda eta, lam: 0.85 - 0.02 * np.log10(lam / 1e-4)))
    assert verdicts["plateau"].verdict == "inconclusive"
    assert "still rises" in verdicts["plateau"].why


def test_a_plateau_is_not_judged_by_the_seeds_alone_that_had_time(make_sweep):
    """At the smallest lam the better of two seeds still rises: the worse one alone would be a drop."""
    flat = make_sweep(lams=LAMS[1:], seeds=(0, 1))
    past = make_sweep(lams=LAMS[:1], seeds=(0,), lift=lambda eta, lam: 0.83)
    rising = make_sweep(lams=LAMS[:1], seeds=(1,), lift=lambda eta, lam: 0.87, decay_time=0.4)
    rows, points = (pd.concat(tables, ignore_index=True) for tables in zip(flat, past, rising, strict=True))
    assert verdicts_of(rows, points)["plateau"].verdict == "pass"


def test_accuracy_that_depends_on_eta_fails(make_sweep):
    verdicts = verdicts_of(*make_sweep(lams=LAMS, lift=lambda eta, lam: 0.85 if eta < 0.1 else 0.8))
    assert verdicts["eta_independence"].verdict == "fail"
    assert verdicts["eta_independence"].value == pytest.approx(0.05, abs=0.002)


def test_optimum_at_the_end_of_the_grid_fails_at_fixed_budget(make_sweep):
    verdicts = verdicts_of(*make_sweep(lams=LAMS, peak_step=lambda eta, lam: 50.0, steps=20_000), budgets=(1000,))
    assert verdicts["fixed_budget_optimum"].verdict != "pass"


def test_a_costly_prediction_fails(make_sweep):
    """Strong lam harms so much that lam_pred, at the edge of the budget, is far from as good as the smallest lam."""
    seeds = {"seeds": (0, 1, 2)}
    sweep = make_sweep(lams=LAMS, lift=lambda eta, lam: 0.85 - 0.05 * np.log10(lam / 1e-4), kappa=0.1, **seeds)
    early = make_sweep(lams=(1e-5,), peak_step=lambda eta, lam: 500.0, lift=lambda eta, lam: 0.85, **seeds)
    rows, points = (pd.concat(tables, ignore_index=True) for tables in zip(sweep, early, strict=True))
    verdicts = verdicts_of(rows, points, budgets=(400, 800))
    assert verdicts["lambda_pred_accuracy"].verdict == "fail", verdicts["lambda_pred_accuracy"]


def test_a_single_gap_at_the_worst_budget_decides_nothing(make_sweep):
    verdicts = verdicts_of(*make_sweep(etas=(0.1,), lams=LAMS, lift=falling_with_lam), budgets=(400, 1600))
    assert verdicts["lambda_pred_accuracy"].verdict == "inconclusive"
    assert "gives no interval" in verdicts["lambda_pred_accuracy"].why


def test_an_optimum_at_the_smallest_lam_of_a_grid_without_zero_is_not_refuted(make_sweep):
    rows, points = make_sweep(lams=LAMS, seeds=(0, 1), peak_step=lambda eta, lam: 50.0, steps=20_000)
    verdict = verdicts_of(rows, points, budgets=(1000,))["fixed_budget_optimum"]
    assert verdict.verdict == "inconclusive", verdict
    assert verdict.lacks == ("smaller_lam",), verdict


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_noise_alone_refutes_neither_plateau_nor_independence_of_eta(make_sweep, seeds):
    """Accuracies are equal but for 0.3 % of noise a run: ranges over 16 λ and 17 η are far beyond their limits."""
    random = np.random.default_rng(0)
    rows, points = make_sweep(
        etas=tuple(np.geomspace(0.02, 2, 17)), lams=tuple(np.geomspace(1e-4, 1e-1, 16)), seeds=seeds
    )
    found = find(rows, points, 0.005, ())
    noisy = found.peaks.best_test_acc.mean() + random.normal(scale=0.003, size=len(found.peaks))
    peaks = found.peaks.assign(best_test_acc=noisy)
    assert plateau(peaks, 0.005, noise=0.003).verdict != "fail"
    assert eta_independence(peaks, noise=0.003).verdict != "fail"


def test_without_budgets_the_claims_about_them_are_not_asked(lawful):
    verdicts = verdicts_of(*lawful, budgets=())
    for claim in ("fixed_budget_optimum", "lambda_pred_order", "lambda_pred_accuracy"):
        assert verdicts[claim].verdict == "unasked"
        assert verdicts[claim].why == "analysis.budgets names no budget"
    assert verdicts["scaling"].verdict == "pass"


def test_underparameterized_saturation_is_said_and_not_fitted_through(make_sweep):
    peak = {"peak_step": lambda eta, lam: 0.5 / (eta * max(lam, 3e-3)), "train_acc": 0.7}
    verdicts = verdicts_of(*make_sweep(etas=(0.05, 0.1, 0.2), lams=LAMS, noise=0.05, decay_time=2, **peak))
    assert verdicts["overparameterized"].verdict == "fail"
    assert verdicts["scaling"].verdict == "fail"
    assert "training accuracy never reaches 1" in verdicts["scaling"].why
    assert "the law fails below lam = 0.00" in verdicts["scaling"].why
    assert verdicts["scaling_lam"].verdict == "fail"


def test_underparameterized_without_saturation_keeps_its_verdict_and_says_so(make_sweep):
    verdicts = verdicts_of(*make_sweep(lams=LAMS, train_acc=0.7, noise=0.02))
    assert verdicts["scaling"].verdict == "pass"
    assert "though t* is not seen to saturate" in verdicts["scaling"].why


def test_training_accuracy_missing_at_one_eta_is_inconclusive(make_sweep):
    rows, points = make_sweep()
    rows.loc[rows.eta == rows.eta.max(), "train_acc"] = 0.9
    verdict = verdicts_of(rows, points)["overparameterized"]
    assert (verdict.verdict, verdict.value) == ("inconclusive", pytest.approx(0.9))
    assert "1 of 2 eta" in verdict.why


def test_seeds_and_further_axes_are_judged_together(make_sweep):
    parts = [make_sweep(lams=LAMS, seeds=(0, 1), lift=falling_with_lam, noise=0.05, width=w) for w in (64, 128)]
    rows, points = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
    verdicts = verdicts_of(rows, points)
    assert {claim for claim, v in verdicts.items() if v.verdict == "fail"} == set()
    assert verdicts["scaling"].points_used == 2 * 2 * 2 * 13


def test_same_input_same_verdicts(lawful):
    assert _judge(*lawful, budgets=BUDGETS) == _judge(*lawful, budgets=BUDGETS)


@pytest.mark.parametrize(
    ("interval", "ruling"),
    [
        ((-1.05, -0.95), "pass"),
        ((-1.2, -0.95), "inconclusive"),
        ((-1.5, -0.5), "inconclusive"),
        ((-0.8, -0.5), "fail"),
        ((-1.5, -1.2), "fail"),
        (None, "inconclusive"),
    ],
)
def test_rule_of_the_interval(interval, ruling):
    assert judge_interval(IntervalEstimate(value=-1.0, interval=interval), -1.1, -0.9) == ruling


@pytest.mark.parametrize(
    ("values", "ruling"),
    [([0.1, 0.2], "pass"), ([0.1, 0.2, 0.6], "inconclusive"), ([0.6, 0.7, 0.1], "fail"), ([], "inconclusive")],
)
def test_rule_of_the_range(values, ruling):
    assert judge_range(np.array(values), 0.5) == ruling


def test_json_has_no_nan(lawful):
    for verdict in [*_judge(*lawful, budgets=BUDGETS), *_judge(lawful[0].iloc[:0], lawful[1])]:
        text = json.dumps(verdict.to_json(), allow_nan=False)
        assert set(json.loads(text)) == {
            *("claim", "value", "interval", "threshold", "verdict", "points_used", "censored", "why"),
            *("band", "lacks"),
        }
    odd = Verdict(
        claim="x",
        value=math.nan,
        interval=(math.nan, 1.0),
        threshold="",
        verdict="pass",
        points_used=0,
        censored=0,
        why="",
    )
    assert odd.to_json()["value"] is None
    assert odd.to_json()["interval"] == [None, 1.0]


def test_a_sweep_judged_by_its_loss_asks_for_the_law_and_not_for_accuracies(lawful):
    rows, points = lawful
    metric, losses = Metric(name="test_loss"), (2 - rows["test_acc"]).astype(np.float32)
    rows = rows.assign(test_loss=losses, test_acc=np.nan, train_acc=np.nan)
    found = find(rows, points, 0.005, BUDGETS, None, metric)
    verdicts = {verdict.claim: verdict for verdict in judge(found)}
    assert {v.verdict for name, v in verdicts.items() if CLAIMS_BY_NAME[name].needs_accuracy} == {"unasked"}
    assert verdicts["plateau"].why == "the claim is about accuracies, and this sweep is judged by its test loss"
    for name in ("scaling", "scaling_eta", "scaling_lam", "collapse", "small_lambda_ratio", "lambda_pred_order"):
        assert verdicts[name].verdict == "pass", verdicts[name]
    assert verdicts["scaling"].value == pytest.approx(-1, abs=0.05)
    assert [clock.name for clock in found.clocks] == ["t_star", "smooth", "train_loss"]
    assert found.clocks[1].exponent.value == pytest.approx(-1, abs=0.05)
    first = rows.sort_values("step").groupby("point")["test_loss"].first()
    assert found.tolerance == pytest.approx(0.005 * (first.median() - losses.min()))
    assert found.noise.test_samples is None


def test_tables_of_budgets_hold_values_and_the_smallest_loss_is_the_best(lawful):
    rows, points = lawful
    plain = find(rows, points, 0.005, BUDGETS)
    loss = Metric(name="test_loss")
    judged = find(rows.assign(test_loss=10 - rows["test_acc"]), points, 0.005 / 0.85, BUDGETS, None, loss)
    assert judged.exponents.gamma.value == pytest.approx(plain.exponents.gamma.value, abs=0.05)
    np.testing.assert_allclose(judged.within["acc"], 10 - plain.within["acc"], rtol=1e-6)
    for name in ("acc_tuned", "acc_pred"):
        np.testing.assert_allclose(judged.prediction[name], 10 - plain.prediction[name], rtol=1e-3)
    np.testing.assert_allclose(judged.prediction["lam_tuned"], plain.prediction["lam_tuned"])
    np.testing.assert_allclose(judged.prediction["gap"], plain.prediction["gap"], atol=2e-3)
    assert judged.prediction["why"].str.startswith("no minimum is past within a tenth").any()
