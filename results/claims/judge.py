"""Every claim about the L2 law, judged on one sweep in a fixed order: a number, an interval, a verdict, a sentence."""

from results.analysis.findings import Findings
from results.analysis.saturation import find_saturation
from results.claims import accuracy, limits, prediction, time, training
from results.claims.claim import Claim, Evidence
from results.claims.verdict import Ruling, Verdict

__all__ = ["CLAIMS", "CLAIMS_BY_NAME", "Claim", "Ruling", "Verdict", "judge"]

CLAIMS: tuple[Claim, ...] = (
    *time.CLAIMS,
    *accuracy.CLAIMS,
    *prediction.CLAIMS,
    *training.CLAIMS,
    *limits.CLAIMS,
)
CLAIMS_BY_NAME = {claim.name: claim for claim in CLAIMS}


def judge(findings: Findings) -> list[Verdict]:
    """Judge the claims of the paper on one sweep; too little data is inconclusive, never an error.

    Exponents pass when their whole 95 % interval lies in -1 ± 0.1, fail when all of it lies outside, and are
    inconclusive when it straddles: the law is neither confirmed nor refuted for want of data. With a piecewise schedule
    the claims about t* are judged on the measurements before the first decay, as c is measured (section 3).

    Args:
        findings: of `results.analysis.findings.find`; without budgets the claims about fixed budgets are inconclusive.

    Returns:
        One verdict for each of `CLAIMS` that the sweep can show, in that order: all but some of the optional ones.
    """
    evidence = _evidence(findings)
    verdicts = (claim.verdict(evidence) for claim in CLAIMS)
    return [verdict for verdict in verdicts if verdict is not None]


def _evidence(findings: Findings) -> Evidence:
    peaks, steady = findings.peaks, findings.steady
    return Evidence(
        findings=findings,
        settled=peaks.assign(censored=steady["censored"].to_numpy()),
        saturation=find_saturation(steady),
        overparameterized=limits.overparameterized(peaks),
        never_constant=findings.regime.never_constant(peaks),
    )
