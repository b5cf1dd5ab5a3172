"""Saturation of t*: the λ below which it stops growing."""

import numpy as np
import pandas as pd
from scipy import stats

from results.analysis.bootstrap import IntervalEstimate
from results.analysis.segments import floats
from results.analysis.selection import in_law
from results.analysis.tobit import log_likelihood


def find_saturation(peaks: pd.DataFrame) -> IntervalEstimate | None:
    """Find the λ below which t* stops growing; return None where t* keeps to 1/(ηλ).

    Under-parameterized networks overfit early: below some λ the peak no longer depends on λ (figure S7). A broken line
    is fitted, with log κ constant above λ_b and of slope 1 in log λ below. Every λ_b with two or more λ below it is
    tried.

    Saturation is reported where three conditions hold. The line halves the squared residual of the constant. It is no
    worse than a power of λ by an F test at 5 %, since an exponent of -0.65, as of AdamW, is no saturation. And κ falls
    by a factor 3 in all, since the paper itself sees a factor 2 between large and small λ (figure S4).

    Args:
        peaks: of ``find_peaks``, at constant η and λ.

    Returns:
        λ_b, with the interval of all λ_b that such a test cannot tell from the best one. The interval ends with the
            grid where t* is constant over all of it.
    """
    law = peaks[in_law(peaks)]
    law = law[~law["censored"].to_numpy(dtype=np.bool_)]
    log_lam, log_kappa = np.log(floats(law, "lam")), np.log(floats(law, "kappa"))
    lams = np.unique(log_lam)
    if len(lams) < 4:
        return None
    breaks = np.linspace(lams[1], lams[-1], 201)[1:]
    squared = np.array([np.var(log_kappa - np.minimum(log_lam - log_break, 0)) for log_break in breaks])
    best = int(np.argmin(squared))
    slope, level = np.polyfit(log_lam, log_kappa, 1)
    power, constant = float(np.var(log_kappa - slope * log_lam - level)), float(np.var(log_kappa))
    fall = float(np.median(log_kappa[log_lam >= breaks[best]]) - np.median(log_kappa[log_lam <= lams[1]]))
    freedom = max(1, len(law) - 2)
    # Both the break and the level are fitted; the region of one parameter covers only 91 % in simulations.
    no_worse = 1 + 2 * float(stats.f.ppf(0.95, 2, freedom)) / freedom
    if squared[best] >= min(0.5 * constant, no_worse * power) or fall <= np.log(3):
        return None
    if _bounds_forbid(peaks, float(breaks[best]), float(np.log(no_worse))):
        return None
    as_good = breaks[squared <= no_worse * squared[best]]
    low, value, high = (float(np.exp(log_break)) for log_break in (as_good[0], breaks[best], as_good[-1]))
    return IntervalEstimate(value=value, interval=(low, high))


def _bounds_forbid(peaks: pd.DataFrame, log_break: float, no_worse: float) -> bool:
    """Return whether the break at log λ_b no longer stands out when points whose t* is only a bound count too.

    Each such point is a lower bound of κ: where many lie at small λ, κ may be as large there as elsewhere. The same two
    tests are applied to the likelihoods of the broken line, the constant and the power. For observed points alone these
    are the tests of the squared residuals.
    """
    law = peaks[in_law(peaks)]
    censored = law["censored"].to_numpy(dtype=np.bool_)
    if not censored.any():
        return False
    log_lam, log_kappa = np.log(floats(law, "lam")), np.log(floats(law, "kappa"))
    ones = np.ones_like(log_lam)
    broken = log_likelihood(ones[:, None], log_kappa - np.minimum(log_lam - log_break, 0), censored)
    constant = log_likelihood(ones[:, None], log_kappa, censored)
    power = log_likelihood(np.column_stack([log_lam - log_lam.mean(), ones]), log_kappa, censored)
    half = int((~censored).sum()) / 2
    return bool(broken - constant < half * np.log(2) or power - broken > half * no_worse)
