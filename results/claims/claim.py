"""Claims of the paper as records, and the evidence on which they are judged."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from results.analysis.bootstrap import IntervalEstimate
from results.analysis.findings import Findings
from results.analysis.segments import floats
from results.claims.verdict import Lack, Verdict, inconclusive

__all__ = ["Claim", "Evidence", "Quantity"]

# Quantity whose interval decides a claim. Slopes narrow with the range of their axis, too; accuracies with seeds alone.
Quantity = Literal["slope_product", "slope_eta", "slope_lam", "kappa", "accuracy"]


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
        quantity: the quantity whose interval decides the claim.
        lacks: kinds of points that narrow this interval, where the judge does not name others.
        varied: axes of which a grid that asks about the claim has at least two values; λ = 0 does not count.
        needs_budgets: whether the claim is about the budgets of ``analysis.budgets``.
        needs_constant_rates: whether the claim is about runs at constant η and λ; a sweep without any such run does not
            ask about it.
        needs_squared_error: whether the claim is about squared error; it is left out of a sweep with another loss.
        needs_accuracy: whether the claim compares accuracies; a sweep that is judged by another metric does not ask
            about it.
    """

    name: str
    title: str
    judge: Callable[[Evidence], Verdict | None]
    quantity: Quantity
    lacks: tuple[Lack, ...] = ("seeds",)
    varied: tuple[str, ...] = ()
    needs_budgets: bool = False
    needs_constant_rates: bool = False
    needs_squared_error: bool = False
    needs_accuracy: bool = False

    def verdict(self, evidence: Evidence) -> Verdict | None:
        """Judge the claim on a sweep that may not ask about it; return None if the claim is left out."""
        if self.needs_squared_error and not evidence.findings.regime.squared_error:
            return None
        metric = evidence.findings.metric
        if self.needs_accuracy and not metric.is_accuracy:
            why = f"the claim is about accuracies, and this sweep is judged by its {metric.title}"
            return _unasked(inconclusive(self.name, "accuracy as the metric", why), why)
        verdict = self.judge(evidence)
        if verdict is None or verdict.verdict in {"pass", "fail"}:
            return verdict
        if why := self._unasked(evidence):
            return _unasked(verdict, why)
        return replace(verdict, lacks=verdict.lacks or self.lacks)

    def _unasked(self, evidence: Evidence) -> str:
        """Return why the grid does not ask about the claim; empty if it does."""
        if self.needs_constant_rates and evidence.never_constant:
            return evidence.never_constant
        if self.needs_budgets and not evidence.findings.budgets:
            return "analysis.budgets names no budget"
        points = evidence.findings.peaks
        decayed = points[floats(points, "lam") > 0]
        if decayed.empty:
            return "lam is 0 at every point" if len(points) and (self.varied or self.needs_constant_rates) else ""
        for axis in self.varied:
            if decayed[axis].nunique() == 1:
                return f"{axis} has one value above 0" if axis == "lam" else f"{axis} has one value"
        return ""


def _unasked(verdict: Verdict, why: str) -> Verdict:
    return replace(verdict, value=None, interval=None, verdict="unasked", why=why, lacks=())
