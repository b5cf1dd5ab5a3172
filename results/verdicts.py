"""Every claim about the L2 law of one sweep, judged in a fixed order: a number, an interval, a verdict, a sentence."""

from results import claims_accuracy, claims_time
from results.findings import Findings
from results.judgement import Ruling, Verdict

__all__ = ["CLAIMS", "Ruling", "Verdict", "judge"]

CLAIMS = (
    *("scaling", "scaling_eta", "scaling_lam", "collapse", "plateau", "fixed_budget_optimum"),
    *("eta_independence", "lambda_pred_order", "lambda_pred_accuracy", "overparameterized"),
)


def judge(findings: Findings) -> list[Verdict]:
    """Judges the claims of the paper on one sweep; too little data is inconclusive, never an error.

    Exponents pass when their whole 95 % interval lies in -1 ± 0.1, fail when all of it lies outside, and are
    inconclusive when it straddles: the law is neither confirmed nor refuted for want of data.

    Args:
        findings: of `results.findings.find`; without budgets the claims about fixed budgets are inconclusive.

    Returns:
        One verdict for each of `CLAIMS`, in that order.
    """
    peaks, table = findings.peaks, findings.prediction
    fitted_all = claims_time.overparameterized(peaks)
    verdicts = [
        *claims_time.scaling(peaks, findings.exponents, fitted_all),
        claims_time.collapse_of_kappa(findings.kappa),
        claims_accuracy.plateau(peaks, findings.tolerance),
        claims_accuracy.fixed_budget_optimum(table, findings.within, peaks),
        claims_accuracy.eta_independence(peaks),
        claims_accuracy.lambda_pred_order(table, peaks),
        claims_accuracy.lambda_pred_accuracy(table, peaks),
        fitted_all,
    ]
    assert tuple(verdict.claim for verdict in verdicts) == CLAIMS
    return verdicts
