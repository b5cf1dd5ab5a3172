"""Every claim about the L2 law of one sweep, judged in a fixed order: a number, an interval, a verdict, a sentence."""

import pandas as pd

from results.analysis.findings import Findings
from results.claims import accuracy as claims_accuracy
from results.claims import prediction as claims_prediction
from results.claims import time as claims_time
from results.claims import training as claims_training
from results.claims.verdict import Ruling, Verdict, inconclusive

__all__ = ["CLAIMS", "SOMETIMES", "Ruling", "Verdict", "judge"]

CLAIMS = (
    *("scaling", "scaling_eta", "scaling_lam", "collapse", "schedule_collapse", "small_lambda_ratio", "init_scale"),
    *("plateau", "fixed_budget_optimum", "eta_independence", "product_constant"),
    *("lambda_pred_order", "lambda_pred_accuracy"),
    *("fit_time", "fit_time_lam", "catapult", "train_loss_minimum", "overparameterized", "lambda_opt"),
)
# Left out where a sweep cannot show them at all: schedule_collapse needs a schedule of η, init_scale an axis sigma_w,
# product_constant one budget for all, the fit times a measured training accuracy, catapult and train_loss_minimum
# squared error, and lambda_opt a net that is not over-parameterized.
SOMETIMES = (
    *("schedule_collapse", "init_scale", "product_constant"),
    *("fit_time", "fit_time_lam", "catapult", "train_loss_minimum", "lambda_opt"),
)
# At constant eta and lam only: not judged where neither ever is constant.
_STEADY = (
    *("scaling", "scaling_eta", "scaling_lam", "collapse", "small_lambda_ratio", "init_scale"),
    *("fit_time", "fit_time_lam", "train_loss_minimum"),
)


def judge(findings: Findings) -> list[Verdict]:
    """Judges the claims of the paper on one sweep; too little data is inconclusive, never an error.

    Exponents pass when their whole 95 % interval lies in -1 ± 0.1, fail when all of it lies outside, and are
    inconclusive when it straddles: the law is neither confirmed nor refuted for want of data. With a piecewise schedule
    the claims about t* are judged on the measurements before the first decay, as c is measured (section 3).

    Args:
        findings: of `results.analysis.findings.find`; without budgets the claims about fixed budgets are inconclusive.

    Returns:
        One verdict for each of `CLAIMS` that the sweep can show, in that order: all but some of `SOMETIMES`.
    """
    peaks, steady, table = findings.peaks, findings.steady, findings.prediction
    # Whether a run had time to peak is seen before its η first falls; how accurate it became, over all of it.
    settled = peaks.assign(censored=steady["censored"].to_numpy())
    fitted_all, never = claims_time.overparameterized(peaks), findings.setup.never_constant(peaks)
    verdicts = [
        *claims_time.scaling(steady, findings.exponents, fitted_all),
        claims_time.collapse_of_kappa(findings.kappa),
        claims_time.schedule_collapse(peaks, findings.setup),
        claims_time.small_lambda_ratio(steady),
        claims_time.init_scale(steady),
        claims_accuracy.plateau(settled, findings.tolerance),
        claims_accuracy.fixed_budget_optimum(table, findings.within, settled),
        claims_accuracy.eta_independence(settled),
        claims_accuracy.product_constant(peaks, findings.tolerance),
        claims_prediction.lambda_pred_order(table, settled),
        claims_prediction.lambda_pred_accuracy(table, settled),
        claims_training.fit_time(steady),
        claims_training.fit_time_lam(steady),
        *_of_squared_error(findings, settled),
        fitted_all,
        None if never else claims_time.lambda_opt(steady, fitted_all),
    ]
    return [_unless(never, verdict) for verdict in verdicts if verdict is not None]


def _of_squared_error(findings: Findings, settled: pd.DataFrame) -> list[Verdict]:
    """The claims of figure S5, about squared error."""
    if not findings.setup.squared_error:
        return []
    return [claims_training.catapult(settled, findings.tolerance), claims_training.train_loss_minimum(findings.steady)]


def _unless(never: str, verdict: Verdict) -> Verdict:
    """The verdict, or an inconclusive one where η or λ is never constant and the claim is about such runs."""
    # Training accuracy below 1 is then the schedule's doing as much as the net's; a 1 that was reached is one.
    about = verdict.claim in _STEADY or (verdict.claim == "overparameterized" and verdict.verdict == "fail")
    if not never or not about:
        return verdict
    return inconclusive(verdict.claim, verdict.threshold, never)
