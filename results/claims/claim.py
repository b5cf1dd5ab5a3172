"""Claims of the paper as records, and the evidence on which they are judged."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from results.analysis.bootstrap import IntervalEstimate
from results.analysis.findings import Findings
from results.claims.verdict import Verdict, inconclusive

__all__ = ["Claim", "Evidence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Findings of one sweep, and the facts derived from them that several claims share.

    Attributes:
        findings: tables and fits of the sweep.
        settled: ``findings.peaks``, in which a point is censored unless its t* was observed before its η or λ first
            changed. That a run had time to peak is seen before its η first falls; its best accuracy is that of the
            whole run.
        saturation: λ below which t* of ``findings.steady`` stops growing; None where t* is not seen to saturate.
        overparameterized: verdict on whether the network can fit its training set.
        never_constant: reason why no point ever trained at constant η and λ; empty where one did.
    """

    findings: Findings
    settled: pd.DataFrame
    saturation: IntervalEstimate | None
    overparameterized: Verdict
    never_constant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One statement of the paper, and the function that judges it on a sweep.

    Attributes:
        name: identifier in ``verdicts.json`` and in the gallery.
        title: the claim in words, as the report shows it.
        judge: function that returns the verdict on a sweep, or None where the sweep cannot show the claim at all.
        needs_constant_rates: whether the claim is about runs at constant η and λ; it is inconclusive in a sweep without
            any such run.
        needs_squared_error: whether the claim is about squared error; it is left out of a sweep with another loss.
    """

    name: str
    title: str
    judge: Callable[[Evidence], Verdict | None]
    needs_constant_rates: bool = False
    needs_squared_error: bool = False

    def verdict(self, evidence: Evidence) -> Verdict | None:
        """Judge the claim on a sweep that may lack what the claim needs; return None if the claim is left out."""
        if self.needs_squared_error and not evidence.findings.regime.squared_error:
            return None
        verdict = self.judge(evidence)
        if verdict is None or not (self.needs_constant_rates and evidence.never_constant):
            return verdict
        return inconclusive(verdict.claim, verdict.threshold, evidence.never_constant)
