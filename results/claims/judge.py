"""All claims about the L2 law, judged on one sweep in a fixed order."""

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
    """Judge the claims of the paper on one sweep.

    Too little data makes a claim inconclusive and is never an error. Exponents pass when their whole 95 % interval lies
    in -1 ± 0.1 and fail when all of it lies outside. They are inconclusive when the interval straddles an end: the law
    is then neither confirmed nor refuted. With a piecewise schedule the claims about t* are judged on the measurements
    before the first decay, where c is measured too (section 3).

    Args:
        findings: of ``results.analysis.findings.find``; without budgets the claims about fixed budgets are
            inconclusive.

    Returns:
        One verdict for each of ``CLAIMS`` that the sweep can show, in that order.
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
