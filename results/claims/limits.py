"""The claims about where the law ends: networks that cannot fit their training set, and t* that saturates below a λ."""

import numpy as np
import pandas as pd

from results.analysis.bootstrap import Estimate
from results.analysis.budgets import SPREAD
from results.analysis.fits import fit_exponents
from results.analysis.segments import ROUNDING, floats
from results.analysis.selection import in_law
from results.claims.claim import Claim, Evidence
from results.claims.verdict import (
    EXPONENT_BAND,
    PointCounts,
    Ruling,
    Verdict,
    format_interval,
    inconclusive,
    judge_interval,
    make_verdict,
)
from search_spaces.outcome import TRAINED

__all__ = ["CLAIMS", "lambda_opt", "overparameterized"]

NEAR_OPTIMUM_FACTOR = 10**0.5  # "λ ≳ λ_opt" (SM D), read as within half a decade: a usual spacing of a grid


def lambda_opt(peaks: pd.DataFrame, fitted_all: Verdict, lam_b: Estimate | None) -> Verdict | None:
    """Figure S7: in an under-parameterized set-up t* ∝ 1/lam holds above the best lam, and t* is constant below it.

    The value is the lam below which t* saturates over the best lam; the interval spans that of the first and all lam
    within 0.1 % of the best accuracy. Passes where the exponent above is -1 ± 0.1 too.

    Returns:
        None where t* does not saturate and training accuracy reaches 1, or may do so.
    """
    claim, threshold = (
        "lambda_opt",
        f"t* saturates within {NEAR_OPTIMUM_FACTOR:.2g} times the best lam, -1 ± {EXPONENT_BAND} above",
    )
    law = peaks[in_law(peaks)]
    used = PointCounts.of(law)
    if lam_b is None:
        return (
            inconclusive(claim, threshold, "t* is not seen to saturate", used) if fitted_all.verdict == "fail" else None
        )
    acc = law.groupby("lam", sort=True)["best_test_acc"].mean()
    lams = acc.index.to_numpy(dtype=np.float64)
    best, near = float(lams[int(acc.argmax())]), lams[acc.to_numpy() >= acc.max() - SPREAD]
    low, high = lam_b.interval or (lam_b.value, lam_b.value)
    ratio = Estimate(value=lam_b.value / best, interval=(low / float(near[-1]), high / float(near[0])))
    above = fit_exponents(peaks[floats(peaks, "lam") >= lam_b.value]).gamma
    rulings = {judge_interval(ratio, 1 / NEAR_OPTIMUM_FACTOR, NEAR_OPTIMUM_FACTOR)}
    rulings.add("inconclusive" if above is None else judge_interval(above, -1 - EXPONENT_BAND, -1 + EXPONENT_BAND))
    ruling: Ruling = "fail" if "fail" in rulings else "inconclusive" if "inconclusive" in rulings else "pass"
    power = (
        f"goes as eta*lam to the power {above.value:.3f}{format_interval(above)}"
        if above
        else "has too few points for a power"
    )
    why = (
        f"t* saturates below lam = {lam_b.value:.3g}{format_interval(lam_b)} and {power} above; the best accuracy is "
        f"at lam = {best:.3g}{_without_l2(peaks, law, lam_b.value)}"
    )
    return make_verdict(claim, ratio, threshold, ruling, why, used)


def overparameterized(peaks: pd.DataFrame) -> Verdict:
    """Claim 6: training accuracy reaches 1 at every eta (strong lam prevents it, so the best lam of each eta used).

    Fails only where it is reached nowhere by runs that had passed their best: that is the net, not the budget. The
    value is the lowest over eta of the best training accuracy, the interval its range.
    """
    claim, threshold = "overparameterized", "training accuracy 1 at every eta"
    seen = peaks[np.isfinite(floats(peaks, "best_train_acc")) & peaks["outcome"].isin(TRAINED)]
    if seen.empty:
        return inconclusive(claim, threshold, "no point that trained as meant has a training accuracy")
    best = seen.groupby("eta")["best_train_acc"].max()
    reached = best.to_numpy() >= 1 - ROUNDING
    smallest = seen[seen["lam"] == seen.groupby("eta")["lam"].transform("min")]
    short = smallest["censored"].to_numpy(dtype=np.bool_)
    ruling: Ruling = "pass" if reached.all() else "inconclusive" if reached.any() or short.any() else "fail"
    why = f"training accuracy reaches 1 at {int(reached.sum())} of {len(best)} eta"
    if not reached.all():
        why += f", and {float(best.min()):.4g} at eta = {float(np.asarray(best.index)[int(np.argmin(best))]):g}"
    if ruling == "inconclusive":
        why += "; there lam may be too strong or the runs too short"
    used = PointCounts.of(seen)
    estimate = Estimate(value=float(best.min()), interval=(float(best.min()), float(best.max())))
    return make_verdict(claim, estimate, threshold, ruling, why, used)


def _without_l2(peaks: pd.DataFrame, law: pd.DataFrame, lam_b: float) -> str:
    """How the saturated t* compares with that at lam = 0, which the paper finds equal."""
    zero = peaks[(floats(peaks, "lam") == 0) & ~peaks["censored"].to_numpy(dtype=np.bool_)]
    flat = law[(floats(law, "lam") < lam_b) & ~law["censored"].to_numpy(dtype=np.bool_)]
    both = sorted(set(zero["eta"]) & set(flat["eta"]))
    if not both:
        return ""
    ratios = [
        flat.loc[flat["eta"] == eta, "t_star"].median() / zero.loc[zero["eta"] == eta, "t_star"].median()
        for eta in both
    ]
    return f"; below, t* is {float(np.median(ratios)):.2g} times that at lam = 0"


def _judge_overparameterized(evidence: Evidence) -> Verdict:
    verdict = evidence.overparameterized
    # Training accuracy below 1 is the schedule's doing as much as the net's where η is never constant; a 1 that was
    # reached is one.
    if evidence.never_constant and verdict.verdict == "fail":
        return inconclusive(verdict.claim, verdict.threshold, evidence.never_constant)
    return verdict


def _judge_lambda_opt(evidence: Evidence) -> Verdict | None:
    if evidence.never_constant:
        return None
    return lambda_opt(evidence.findings.steady, evidence.overparameterized, evidence.saturation)


CLAIMS = (
    Claim(
        name="overparameterized",
        title="The network can fit its training set",
        judge=_judge_overparameterized,
    ),
    Claim(
        name="lambda_opt",
        title="t* ∝ 1/λ above the best λ, constant below it",
        judge=_judge_lambda_opt,
        optional=True,
    ),
)
