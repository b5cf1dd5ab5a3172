"""The claims about t*: scaling, collapse, and whether the net is over-parameterized at all."""

from dataclasses import replace

import numpy as np
import pandas as pd

from results.bootstrap import Estimate
from results.fits import ExponentFit, KappaFit, fit_exponents, in_law, saturation
from results.judgement import Ruling, Verdict, by_interval, inconclusive, judged
from results.segments import ROUNDING, floats

__all__ = ["collapse_of_kappa", "overparameterized", "scaling"]

BAND = 0.1  # about -1; a law of slope -0.65 (AdamW on digits) must not pass, nor noise of one point fail it
# 95 % of the points within a factor 2.25 of the mean; the paper sees a factor 2 between large and small lam (S4).
KAPPA_GSTD = 1.5
SPREAD_SHARE = 1 / 3  # log spread of κ against that of t*: the law must explain 8/9 of the variance
T_STAR_GSTD = 2.0  # below it the grid is too narrow for a collapse to mean anything


def scaling(peaks: pd.DataFrame, fit: ExponentFit, fitted_all: Verdict) -> list[Verdict]:
    """Claim 1: slope -1 of log t* against log(eta*lam), and the free exponents of eta and of lam.

    Args:
        peaks: of `find_peaks`.
        fit: of `fit_exponents`.
        fitted_all: the verdict of `overparameterized`. Where that fails the law is not expected to hold below some
            lam; the scaling fails, rather than being fitted through, if t* is seen to saturate.
    """
    exponents = {"scaling": ("eta*lam", fit.gamma), "scaling_eta": ("eta", fit.alpha), "scaling_lam": ("lam", fit.beta)}
    verdicts = [_exponent(claim, name, estimate, fit) for claim, (name, estimate) in exponents.items()]
    if fitted_all.verdict == "fail":
        verdicts[0] = _underparameterized(verdicts[0], peaks)
    return verdicts


def collapse_of_kappa(fit: KappaFit) -> Verdict:
    """Claim 2: geometric std of κ at most 1.5, and its logarithm at most a third of that of t*.

    Both bounds are held against the whole interval of κ's spread, that of t* is taken as it is.
    """
    claim, threshold = "collapse", f"<= {KAPPA_GSTD}, log spread <= 1/3 of that of t*"
    used = (fit.points_used, fit.censored)
    if fit.kappa_gstd is None or fit.kappa is None or fit.points_used - fit.censored < 3:
        return inconclusive(claim, threshold, fit.why or "fewer than 3 observed t*", used)
    spread = fit.kappa_gstd
    ruling: Ruling = "inconclusive"
    if fit.t_star_gstd >= T_STAR_GSTD:
        limit = min(KAPPA_GSTD, fit.t_star_gstd**SPREAD_SHARE)
        ruling, threshold = by_interval(spread, 1.0, limit), f"<= {limit:.3g}"
    why = (
        f"κ = {fit.kappa.value:.2f}{_in(fit.kappa)} spreads by a factor {spread.value:.2f} where t* spreads by "
        f"{fit.t_star_gstd:.2f} (geometric standard deviations)"
    )
    return judged(claim, spread, threshold, ruling, why, used)


def overparameterized(peaks: pd.DataFrame) -> Verdict:
    """Claim 6: training accuracy reaches 1 at every eta (strong lam prevents it, so the best lam of each eta used).

    Fails only where it is reached nowhere by runs that had passed their best: that is the net, not the budget. The
    value is the lowest over eta of the best training accuracy, the interval its range.
    """
    claim, threshold = "overparameterized", "training accuracy 1 at every eta"
    seen = peaks[np.isfinite(floats(peaks, "best_train_acc")) & peaks["outcome"].eq("completed")]
    if seen.empty:
        return inconclusive(claim, threshold, "no completed point has a training accuracy")
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
    used = (len(seen), int(seen["censored"].sum()))
    estimate = Estimate(value=float(best.min()), interval=(float(best.min()), float(best.max())))
    return judged(claim, estimate, threshold, ruling, why, used)


def _exponent(claim: str, name: str, estimate: Estimate | None, fit: ExponentFit) -> Verdict:
    threshold = f"-1 ± {BAND}"
    used = (fit.points_used, fit.censored)
    if estimate is None:
        return inconclusive(claim, threshold, fit.why, used)
    ruling = by_interval(estimate, -1 - BAND, -1 + BAND)
    observed = fit.points_used - fit.censored
    why = (
        f"t* goes as {name} to the power {estimate.value:.3f}{_in(estimate)}, from {observed} observed t*"
        f" and {fit.censored} lower bounds"
    )
    return judged(claim, estimate, threshold, ruling, why, used)


def _underparameterized(joint: Verdict, peaks: pd.DataFrame) -> Verdict:
    why = f"{joint.why}; training accuracy never reaches 1, where the law is expected to fail below the best lam"
    lam_b = saturation(peaks)
    if lam_b is None:
        return replace(joint, why=f"{why}, though t* is not seen to saturate")
    law = peaks[in_law(peaks)]
    best = float(floats(law, "lam")[int(np.argmax(floats(law, "best_test_acc")))])
    above = fit_exponents(peaks[floats(peaks, "lam") >= lam_b]).gamma
    slope = f", and the power is {above.value:.3f}{_in(above)} above it" if above else ""
    why += f": t* saturates below lam = {lam_b:.3g} (best lam {best:.3g}){slope}"
    return replace(joint, verdict="fail", why=why)


def _in(estimate: Estimate) -> str:
    if estimate.interval is None:
        return " (no interval: too few points)"
    return f" [{estimate.interval[0]:.3g}, {estimate.interval[1]:.3g}]"
