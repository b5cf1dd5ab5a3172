import numpy as np
import pandas as pd
import pytest

from results.analysis.findings import find
from results.analysis.regime import TrainingRegime
from results.claims.judge import CLAIMS, judge
from search_spaces.sections.optimizer import Cosine, Piecewise

PAPER = TrainingRegime(schedule=Piecewise(name="piecewise"))
LAMS = tuple(np.geomspace(1e-3, 1e-1, 13))
STEPS = 3000  # 300 epochs


def scheduled(make_sweep, **options):
    """One budget for all: the best lam peaks when η first falls, at 0.3 T; weaker lam have no time to peak."""

    def lift(eta, lam):
        peak = 0.1 / (eta * lam)
        late = max(0.0, np.log(peak / (0.3 * STEPS)))
        return 0.87 - 0.03 * late - 0.05 * np.log10(1 + lam / 1e-2)

    options = {"kappa": 0.1, "lift": lift, "steps": STEPS, "measurements": 600, "seeds": (0, 1)} | options
    return make_sweep(etas=(0.05, 0.15), lams=LAMS, **options)


def verdicts_of(rows, points, regime, budgets=(300,), tolerance=0.005):
    return {v.claim: v for v in judge(find(rows, points, tolerance, budgets, regime))}


def test_lam_pred_is_c_over_the_time_of_the_first_decay(make_sweep):
    rows, points = scheduled(make_sweep)
    plain, decayed = (find(rows, points, 0.005, [300], regime).prediction for regime in (TrainingRegime(), PAPER))
    assert decayed.peak_at.tolist() == pytest.approx([90] * 4)
    assert plain.peak_at.tolist() == pytest.approx([300] * 4)
    assert (decayed.lam_pred / plain.lam_pred).tolist() == pytest.approx([1 / 0.3] * 4, rel=0.1)


def test_claims_say_which_rule_they_judge(make_sweep):
    verdicts = verdicts_of(*scheduled(make_sweep), PAPER)
    order, accuracy = verdicts["lambda_pred_order"], verdicts["lambda_pred_accuracy"]
    assert order.verdict == "pass"
    assert "lam_pred = c/T1 (T1 = 0.3 T" in order.why
    assert accuracy.threshold == "gap <= 0.01 at every budget"
    assert "c/T1" in accuracy.why


def test_c_is_measured_before_the_first_decay(make_sweep):
    """A jump of the accuracy when η falls is the schedule's, and must not move c or κ."""
    rows, points = scheduled(make_sweep)
    lifted = rows.assign(test_acc=rows.test_acc.where(rows.epoch <= 90, 0.99).astype(np.float32))
    before, after = (find(table, points, 0.005, [300], PAPER) for table in (rows, lifted))
    assert after.prediction.c.tolist() == before.prediction.c.tolist()
    assert after.kappa == before.kappa
    assert (after.peaks.best_test_acc > 0.98).all()
    assert (after.steady.best_test_acc < 0.98).all()


def test_runs_of_another_budget_do_not_count_with_a_schedule(make_sweep):
    rows, points = scheduled(make_sweep)
    findings = find(rows, points, 0.005, [100, 300], PAPER)
    at = findings.within.set_index("budget_at").acc
    assert at[100].isna().all()
    assert at[300].notna().all()
    assert find(rows, points, 0.005, [100], TrainingRegime()).within.acc.notna().any()


@pytest.mark.parametrize("regime", [TrainingRegime(schedule=Cosine(name="cosine")), TrainingRegime(auto_l2=True)])
def test_without_a_constant_stretch_nothing_is_claimed_about_t_star(make_sweep, regime):
    verdicts = verdicts_of(*scheduled(make_sweep), regime)
    for claim in ("scaling", "collapse", "small_lambda_ratio", "lambda_pred_order", "lambda_pred_accuracy"):
        assert verdicts[claim].verdict == "unasked", claim
    why = verdicts["lambda_pred_order"].why
    assert "c/T is not defined" in why
    assert verdicts["scaling"].why in why
    assert list(verdicts) == [claim.name for claim in CLAIMS if claim.name in verdicts]


def test_schedules_as_an_axis_are_told_apart(make_sweep):
    parts = [
        scheduled(make_sweep, kappa=0.3, **{"schedule.name": name}) for name in ("constant", "piecewise", "cosine")
    ]
    rows, points = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
    table = find(rows, points, 0.005, [300], TrainingRegime()).prediction
    peak_at = table.groupby("schedule.name").peak_at.first()
    assert peak_at["constant"] == 300
    assert peak_at["piecewise"] == 90
    assert np.isnan(peak_at["cosine"])
    accuracy = verdicts_of(rows, points, TrainingRegime(), (300, 1000))["lambda_pred_accuracy"]
    assert accuracy.threshold == "gap <= 0.004 at every budget"  # points at constant η decide


def test_squared_error_brings_its_claims(make_sweep):
    rows, points = make_sweep(etas=(0.05, 0.15))
    assert "catapult" not in verdicts_of(rows, points, TrainingRegime(), ())
    assert {"catapult", "train_loss_minimum"} <= set(verdicts_of(rows, points, TrainingRegime(squared_error=True), ()))
