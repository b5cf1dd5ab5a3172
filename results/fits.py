"""The law t* ∝ 1/(ηλ) in numbers: exponents, the dimensionless coefficient κ, and c = t*·λ, each with an interval."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from results.bootstrap import REPLICATES, Bootstrap, Estimate
from results.segments import Bools, Floats, extra_axes, floats, group_ids
from results.tobit import log_likelihood
from search_spaces.outcome import TRAINED

__all__ = [
    "PAST_PEAK",
    "Estimate",
    "EtaFit",
    "ExponentFit",
    "KappaFit",
    "anchored",
    "exponential",
    "fit_exponents",
    "fit_kappa",
    "had_time",
    "in_law",
    "saturation",
    "top_accuracy",
]

LEARNED = 0.5  # share of the sweep's best accuracy below which a maximum is noise, not learning
PAST_PEAK = 1.0  # decay time after which a run has had time to peak: κ is 0.25 to 0.8 wherever it was measured
MIN_OBSERVED = 3
MIN_DECADES = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentFit:
    """Exponents of t* in steps; None where the design cannot tell, `why` says what is missing."""

    gamma: Estimate | None  # of eta*lam/(1-mu); the law says -1
    alpha: Estimate | None  # of eta, with lam free
    beta: Estimate | None  # of lam, with eta free
    intercept: float  # log10 of t* in steps where eta*lam/(1-mu) is 1, on the joint line
    sigma: float  # spread of log t* about the joint line (natural logarithm)
    points_used: int
    censored: int  # how many of them are lower bounds
    why: str  # "" when everything could be fitted


@dataclass(frozen=True, slots=True, kw_only=True)
class EtaFit:
    """c = t*·lam at one learning rate and momentum."""

    eta: float
    mu: float
    c: Estimate | None  # epochs
    points_used: int
    censored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KappaFit:
    """The coefficient κ = t*·eta·lam/(1-mu) in steps, over the points of the law."""

    kappa: Estimate | None  # geometric mean
    kappa_gstd: Estimate | None  # geometric standard deviation, >= 1
    t_star_gstd: float  # geometric standard deviation of the observed t* in steps
    per_eta: tuple[EtaFit, ...]
    points_used: int
    censored: int
    why: str


def in_law(peaks: pd.DataFrame) -> Bools:
    """Which points the law speaks about (n,).

    lam > 0; completed, stopped or diverged; a finite t* after the first step; and a best accuracy of at least half of
    the best of the sweep. Below that (strong lam) the net never learned: its maximum is noise at any time, observed or
    not.
    """
    if peaks.empty:
        return np.zeros(0, dtype=np.bool_)
    best, top = floats(peaks, "best_test_acc"), top_accuracy(peaks)
    ended = peaks["outcome"].isin([*TRAINED, "diverged"]).to_numpy(dtype=np.bool_)
    started = (floats(peaks, "t_star_step") > 0) & (floats(peaks, "kappa") > 0)
    mask: Bools = (floats(peaks, "lam") > 0) & ended & started & (best >= LEARNED * top)
    return mask


def had_time(peaks: pd.DataFrame) -> Bools:
    """Points whose maximum is that of their lam (n,): trained as meant, seen to fall or past the time of any peak.

    A point that diverged says how large eta may be, not what accuracy lam gives.
    """
    trained = peaks["outcome"].isin(TRAINED).to_numpy(dtype=np.bool_)
    seen = ~peaks["censored"].to_numpy(dtype=np.bool_) | (floats(peaks, "last_decay_time") >= PAST_PEAK)
    learned = floats(peaks, "best_test_acc") >= LEARNED * top_accuracy(peaks)
    mask: Bools = trained & (floats(peaks, "lam") > 0) & learned & seen
    return mask


def top_accuracy(peaks: pd.DataFrame) -> float:
    """Best test accuracy of the sweep; NaN if there is none."""
    best = floats(peaks, "best_test_acc")
    return float(np.nanmax(best)) if np.isfinite(best).any() else np.nan


def fit_exponents(peaks: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0) -> ExponentFit:
    """Fits log t* = a + gamma*log(eta*lam/(1-mu)), and log t* = a + alpha*log(eta) + beta*log(lam).

    t* is in steps, so that points of different batch sizes compare; each combination of mu and further axes has its
    own a. Censored points are lower bounds (Tobit): a run cut short shows a t* that is at most the true one. That t*
    lies between two measurements is ignored; where they are a factor 2 apart it adds noise of up to that factor.
    Intervals: cluster bootstrap over cells (eta, lam, …) and, in them, seeds.

    Args:
        peaks: of `find_peaks`.
        replicates: bootstrap replicates.
        seed: of the bootstrap.
    """
    law = anchored(peaks[in_law(peaks)])
    censored = law["censored"].to_numpy(dtype=np.bool_)
    counts = {"points_used": len(law), "censored": int(censored.sum())}
    why = _too_little(law, censored)
    if why:
        nan = float("nan")
        return ExponentFit(gamma=None, alpha=None, beta=None, intercept=nan, sigma=nan, why=why, **counts)
    fit = Bootstrap(law, np.log(floats(law, "t_star_step")), replicates, seed)
    log_eta, log_lam = np.log(floats(law, "eta")), np.log(floats(law, "lam"))
    rate = log_eta + log_lam - np.log1p(-floats(law, "mu"))
    (gamma,), level, sigma = fit.slopes([rate])
    height = (level - (gamma.value if gamma else np.nan) * float(rate.mean())) / np.log(10)
    alpha, beta, why = _free_exponents(fit, log_eta, log_lam)
    return ExponentFit(gamma=gamma, alpha=alpha, beta=beta, intercept=height, sigma=sigma, why=why, **counts)


def fit_kappa(peaks: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0) -> KappaFit:
    """Geometric mean and spread of κ, and c = t*·lam in epochs for each eta (and mu).

    The paper's coefficient: c ≈ 0.0066 epochs at eta 0.2, mu 0.9 is κ ≈ 0.65, or 1.3 in torch's weight decay, which is
    twice the lam of the paper's code (``convention: square``) and what κ counts here. Bounds enter as lower bounds
    of a normal log κ. Arguments as for `fit_exponents`.
    """
    law = peaks[in_law(peaks)]
    censored = law["censored"].to_numpy(dtype=np.bool_)
    star = np.log(floats(law, "t_star_step"))[~censored]
    mean, gstd = _mean_and_spread(law, np.log(floats(law, "kappa")), replicates, seed)
    enough = len(star) >= 2
    return KappaFit(
        kappa=mean,
        kappa_gstd=gstd,
        t_star_gstd=float(np.exp(star.std(ddof=1))) if enough else float("nan"),
        per_eta=_per_eta(law, replicates, seed),
        points_used=len(law),
        censored=int(censored.sum()),
        why="" if mean else f"{len(star)} observed t*, at least 2 are needed",
    )


def saturation(peaks: pd.DataFrame) -> Estimate | None:
    """The lam below which t* stops growing, or None where it keeps to 1/(eta*lam).

    Under-parameterized nets overfit early: below some lam the peak no longer depends on lam (figure S7). A broken
    line, log κ constant above lam_b and of slope 1 in log lam below, is fitted for every lam_b with two or more lam
    below it. It is reported where it halves the squared residual of the constant, is no worse than a power of lam by
    an F test at 5 % (an exponent of -0.65, as of AdamW, is no saturation), and κ falls by a factor 3 in all, since the
    paper itself sees a factor 2 between large and small lam (figure S4). The interval is of all lam_b that such a test
    cannot tell from the best; it ends with the grid where t* is constant over all of it.
    """
    law = peaks[in_law(peaks)]
    law = law[~law["censored"].to_numpy(dtype=np.bool_)]
    log_lam, log_kappa = np.log(floats(law, "lam")), np.log(floats(law, "kappa"))
    lams = np.unique(log_lam)
    if len(lams) < 4:
        return None
    breaks = np.linspace(lams[1], lams[-1], 201)[1:]
    squared = np.array([np.var(log_kappa - np.minimum(log_lam - at, 0)) for at in breaks])
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
    low, value, high = (float(np.exp(at)) for at in (as_good[0], breaks[best], as_good[-1]))
    return Estimate(value=value, interval=(low, high))


def _bounds_forbid(peaks: pd.DataFrame, at: float, no_worse: float) -> bool:
    """Whether a break at log lam = `at` is not so good any more when points whose t* is only a bound count too.

    Each is a lower bound of κ: where many lie at small lam, κ may be as large there as elsewhere. The same two tests,
    of the likelihoods of the broken line, the constant and the power, which for observed points alone are those of the
    squared residuals.
    """
    law = peaks[in_law(peaks)]
    censored = law["censored"].to_numpy(dtype=np.bool_)
    if not censored.any():
        return False
    log_lam, log_kappa = np.log(floats(law, "lam")), np.log(floats(law, "kappa"))
    ones = np.ones_like(log_lam)
    broken = log_likelihood(ones[:, None], log_kappa - np.minimum(log_lam - at, 0), censored)
    constant = log_likelihood(ones[:, None], log_kappa, censored)
    power = log_likelihood(np.column_stack([log_lam - log_lam.mean(), ones]), log_kappa, censored)
    half = int((~censored).sum()) / 2
    return bool(broken - constant < half * np.log(2) or power - broken > half * no_worse)


def anchored(law: pd.DataFrame) -> pd.DataFrame:
    """Without the groups of mu and further axes that have bounds only, beside others: they say nothing of a slope."""
    groups = group_ids(law, ["mu", *extra_axes(law)])
    observed = groups[~law["censored"].to_numpy(dtype=np.bool_)]
    return law[np.isin(groups, observed)] if len(observed) else law


def _too_little(law: pd.DataFrame, censored: Bools) -> str:
    observed = int((~censored).sum())
    if observed < MIN_OBSERVED:
        return f"{observed} observed t* among {len(law)} points of the law, at least {MIN_OBSERVED} are needed"
    product = np.log10(floats(law, "eta") * floats(law, "lam"))[~censored]
    groups = group_ids(law, ["mu", *extra_axes(law)])[~censored]
    decades = max(float(np.ptp(product[groups == group])) for group in np.unique(groups))
    if decades < MIN_DECADES:
        return f"eta*lam of the observed t* spans {decades:.2f} decades, at least {MIN_DECADES} are needed"
    return ""


def _free_exponents(fit: Bootstrap, log_eta: Floats, log_lam: Floats) -> tuple[Estimate | None, Estimate | None, str]:
    if len(np.unique(log_eta)) == 1:
        (beta,), _, _ = fit.slopes([log_lam])
        return None, beta, "one eta only: its exponent cannot be told"
    if len(np.unique(log_lam)) == 1:
        (alpha,), _, _ = fit.slopes([log_eta])
        return alpha, None, "one lam only: its exponent cannot be told"
    (alpha, beta), _, _ = fit.slopes([log_eta, log_lam])
    why = "" if alpha and beta else "eta and lam vary together: their exponents cannot be told apart"
    return alpha, beta, why


def _mean_and_spread(
    law: pd.DataFrame, y: Floats, replicates: int, seed: int
) -> tuple[Estimate | None, Estimate | None]:
    """Geometric mean and geometric standard deviation of exp(y); None with fewer than two observed."""
    fit = Bootstrap(law, y, replicates, seed)
    beta, sigma = fit.fit([])
    if not np.isfinite(sigma[0]):
        return None, None
    # Maximum likelihood divides by n; the sample standard deviation by n - 1.
    scale = np.sqrt(fit.observed / (fit.observed - 1))
    mean = fit.estimate(beta[:, 0], 1)
    spread = fit.estimate(sigma * scale, 1)
    return exponential(mean), exponential(spread)


def exponential(estimate: Estimate) -> Estimate:
    """The estimate of exp(x) from that of x."""
    interval = estimate.interval
    bounds = None if interval is None else (float(np.exp(interval[0])), float(np.exp(interval[1])))
    return Estimate(value=float(np.exp(estimate.value)), interval=bounds)


def _per_eta(law: pd.DataFrame, replicates: int, seed: int) -> tuple[EtaFit, ...]:
    fits = []
    for _, part in law.groupby(["eta", "mu"], sort=True):
        eta, mu = float(floats(part, "eta")[0]), float(floats(part, "mu")[0])
        c, _ = _mean_and_spread(part, np.log(floats(part, "t_star") * floats(part, "lam")), replicates, seed)
        bounds = int(part["censored"].sum())
        fits.append(EtaFit(eta=eta, mu=mu, c=c, points_used=len(part), censored=bounds))
    return tuple(fits)
