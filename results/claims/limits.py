"""Claims about the limits of the law: networks that cannot fit their training set, and a t* that saturates."""

import numpy as np
import pandas as pd

from results.analysis.bootstrap import IntervalEstimate
from results.analysis.budgets import TUNED_MARGIN
from results.analysis.fits import fit_exponents
from results.analysis.segments import ROUNDING, floats
from results.analysis.selection import MIN_LEARNED_SHARE, in_law, top_accuracy
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

# "λ ≳ λ_opt" (section D of the supplement), read as within half a decade, which is a usual spacing of a grid.
NEAR_OPTIMUM_FACTOR = 10**0.5


def lambda_opt(peaks: pd.DataFrame, fitted_all: Verdict, saturation: IntervalEstimate | None) -> Verdict | None:
    """Judge figure S7: in an under-parameterized set-up t* ∝ 1/λ holds above the best λ, and t* is constant below it.

    The value is the λ below which t* saturates, over the best λ. Its interval spans that of the former and all λ within
    0.1 % of the best accuracy. The claim passes only where the exponent above is -1 ± 0.1 too.

    Args:
        peaks: of ``find_peaks``, at constant η and λ.
        fitted_all: verdict of ``overparameterized``.
        saturation: λ below which t* saturates; None if it is not seen to.

    Returns:
        None where t* does not saturate and training accuracy reaches 1, or may do so.
    """
    claim, threshold = (
        "lambda_opt",
        f"t* saturates within {NEAR_OPTIMUM_FACTOR:.2g} times the best lam, -1 ± {EXPONENT_BAND} above",
    )
    law = peaks[in_law(peaks)]
    counts = PointCounts.of(law)
    if saturation is None:
        unseen = inconclusive(claim, threshold, "t* is not seen to saturate", counts, ("smaller_lam",))
        return unseen if fitted_all.verdict == "fail" else None
    acc = law.groupby("lam", sort=True)["best_test_acc"].mean()
    lams = acc.index.to_numpy(dtype=np.float64)
    best, near = float(lams[int(acc.argmax())]), lams[acc.to_numpy() >= acc.max() - TUNED_MARGIN]
    low, high = saturation.interval or (saturation.value, saturation.value)
    ratio = IntervalEstimate(value=saturation.value / best, interval=(low / float(near[-1]), high / float(near[0])))
    above = fit_exponents(peaks[floats(peaks, "lam") >= saturation.value]).gamma
    band = (1 / NEAR_OPTIMUM_FACTOR, NEAR_OPTIMUM_FACTOR)
    rulings = {judge_interval(ratio, *band)}
    rulings.add("inconclusive" if above is None else judge_interval(above, -1 - EXPONENT_BAND, -1 + EXPONENT_BAND))
    ruling: Ruling = "fail" if "fail" in rulings else "inconclusive" if "inconclusive" in rulings else "pass"
    power = (
        f"goes as eta*lam to the power {above.value:.3f}{format_interval(above)}"
        if above
        else "has too few points for a power"
    )
    why = (
        f"t* saturates below lam = {saturation.value:.3g}{format_interval(saturation)} and {power} above; the best "
        f"accuracy is at lam = {best:.3g}{_without_l2(peaks, law, saturation.value)}"
    )
    return make_verdict(claim, ratio, threshold, ruling, why, counts, band=band)


def overparameterized(peaks: pd.DataFrame) -> Verdict:
    """Judge claim 6: training accuracy reaches 1 at every η.

    Strong λ prevents that, so the best λ of each η counts. An η at which nothing learns, since it is too large, does
    not count. The claim fails only where runs that had passed their best
    reach 1 at no η: then the network is the cause, not the budget. The value is the lowest over η of the best training
    accuracy; the interval is its range over η.
    """
    claim, threshold = "overparameterized", "training accuracy 1 at every eta"
    seen = peaks[np.isfinite(floats(peaks, "best_train_acc")) & peaks["outcome"].isin(TRAINED)]
    tops = seen.groupby("eta")["best_test_acc"].transform("max")
    seen = seen[floats(seen.assign(top=tops), "top") >= MIN_LEARNED_SHARE * top_accuracy(peaks)]
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
    estimate = IntervalEstimate(value=float(best.min()), interval=(float(best.min()), float(best.max())))
    return make_verdict(claim, estimate, threshold, ruling, why, PointCounts.of(seen))


def _without_l2(peaks: pd.DataFrame, law: pd.DataFrame, lam_saturated: float) -> str:
    """Compare the saturated t* with that at λ = 0, which the paper finds equal; empty where one of them is missing."""
    zero = peaks[(floats(peaks, "lam") == 0) & ~peaks["censored"].to_numpy(dtype=np.bool_)]
    flat = law[(floats(law, "lam") < lam_saturated) & ~law["censored"].to_numpy(dtype=np.bool_)]
    both = sorted(set(zero["eta"]) & set(flat["eta"]))
    if not both:
        return ""
    ratios = [
        flat.loc[flat["eta"] == eta, "t_star"].median() / zero.loc[zero["eta"] == eta, "t_star"].median()
        for eta in both
    ]
    return f"; below, t* is {float(np.median(ratios)):.2g} times that at lam = 0"


def _judge_overparameterized(evidence: Evidence) -> Verdict:
    """Return the verdict, made inconclusive where a changing η may be the cause of a failure."""
    verdict = evidence.overparameterized
    # Where η is never constant, the schedule may keep training accuracy below 1 as well as the network. A training
    # accuracy of 1 that was reached needs no such excuse.
    if evidence.never_constant and verdict.verdict == "fail":
        return inconclusive(verdict.claim, verdict.threshold, evidence.never_constant, lacks=("longer",))
    return verdict


def _judge_lambda_opt(evidence: Evidence) -> Verdict | None:
    """Judge ``lambda_opt`` where some point trained at constant η and λ; leave the claim out elsewhere."""
    if evidence.never_constant:
        return None
    return lambda_opt(evidence.findings.steady, evidence.overparameterized, evidence.saturation)


CLAIMS = (
    Claim(
        name="overparameterized",
        title="The network can fit its training set",
        judge=_judge_overparameterized,
        quantity="accuracy",
        lacks=("smaller_lam", "longer"),
        needs_accuracy=True,
    ),
    Claim(
        name="lambda_opt",
        title="t* ∝ 1/λ above the best λ, constant below it",
        judge=_judge_lambda_opt,
        quantity="slope_lam",
        lacks=("seeds", "smaller_lam", "finer_lam"),
        varied=("lam",),
        needs_accuracy=True,
    ),
)
