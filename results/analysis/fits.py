"""Fits of the law t* ∝ 1/(ηλ): exponents, the dimensionless coefficient κ, and c = t*·λ, each with an interval.

The coefficient is estimated in three places, because three questions are asked of it. All take a geometric mean, since
t* scatters by a factor; two of them by ``geometric_mean_c``. They differ in the points that count:

- ``fit_kappa`` here describes a finished sweep. It uses every point of the law, with points whose t* was not observed
  as lower bounds (Tobit), and gives κ and the c of each η with bootstrap intervals.
- ``results.analysis.budgets.tuned_and_predicted`` tests the paper's prediction (claim 5, figure 4). It takes c for each
  η, seed and budget from the runs whose maximum is past within T/10, because λ_pred must not know what a probe of a
  tenth of the budget could not have measured.
- ``results.figures.paper.prediction.find_probe`` redraws figures 1b, 4, S3 and S4 as the paper made them: c is read off
  one probe, the largest λ of one η, and averaged over seeds only.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from results.analysis.bootstrap import REPLICATES, Bootstrap, IntervalEstimate
from results.analysis.segments import Bools, Floats, extra_axes, floats, group_ids
from results.analysis.selection import anchored, in_law
from search_spaces.errors import counted

MIN_OBSERVED = 3
MIN_DECADES = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentFit:
    """Exponents of t* in steps; each is None where the points cannot determine it.

    Attributes:
        gamma: exponent of ηλ/(1-μ); the law says -1.
        alpha: exponent of η, with that of λ free.
        beta: exponent of λ, with that of η free.
        intercept: log10 of t* in steps where ηλ/(1-μ) is 1, on the joint line.
        sigma: spread of log t* about the joint line (natural logarithm).
        points_used: number of points of the law.
        censored: number of these that are only lower bounds.
        why: what is missing; empty when everything could be fitted.
    """

    gamma: IntervalEstimate | None
    alpha: IntervalEstimate | None
    beta: IntervalEstimate | None
    intercept: float
    sigma: float
    points_used: int
    censored: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EtaFit:
    """Coefficient c = t*·λ at one learning rate and momentum.

    Attributes:
        eta: learning rate η.
        mu: momentum μ.
        c: coefficient in epochs; None with fewer than two observed t*.
        points_used: number of points of the law.
        censored: number of these that are only lower bounds.
    """

    eta: float
    mu: float
    c: IntervalEstimate | None
    points_used: int
    censored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KappaFit:
    """Coefficient κ = t*·ηλ/(1-μ), with t* in steps, over the points of the law.

    Attributes:
        kappa: geometric mean; None with fewer than two observed t*.
        kappa_gstd: geometric standard deviation, at least 1; None likewise.
        t_star_gstd: geometric standard deviation of the observed t* in steps.
        per_eta: c at each learning rate and momentum.
        points_used: number of points of the law.
        censored: number of these that are only lower bounds.
        why: what is missing; empty when κ could be fitted.
    """

    kappa: IntervalEstimate | None
    kappa_gstd: IntervalEstimate | None
    t_star_gstd: float
    per_eta: tuple[EtaFit, ...]
    points_used: int
    censored: int
    why: str


def fit_exponents(peaks: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0) -> ExponentFit:
    """Fit log t* = a + γ·log(ηλ/(1-μ)), and log t* = a + α·log η + β·log λ.

    t* is in steps, so that points of different batch sizes compare. Each combination of μ and further axes has its own
    a. Censored points are lower bounds (Tobit): a run cut short shows a t* that is at most the true one.

    That t* lies between two measurements is ignored; where these are a factor 2 apart, noise of up to that factor is
    added. Intervals are from a cluster bootstrap over cells (η, λ, …) and, within them, seeds.

    Args:
        peaks: of ``find_peaks``.
        replicates: number of bootstrap replicates.
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


class DecayTimeFit(NamedTuple):
    """Decay time at t* over the points of the law; each None with fewer than two observed t*.

    Attributes:
        kappa: geometric mean.
        kappa_gstd: geometric standard deviation, at least 1.
    """

    kappa: IntervalEstimate | None
    kappa_gstd: IntervalEstimate | None


def fit_decay_time(peaks: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0) -> DecayTimeFit:
    """Estimate the geometric mean and spread of κ alone, as ``fit_kappa`` does.

    Args:
        peaks: of ``find_peaks``.
        replicates: number of bootstrap replicates.
        seed: of the bootstrap.
    """
    law = peaks[in_law(peaks)]
    return _mean_and_spread(law, np.log(floats(law, "kappa")), replicates, seed)


def fit_kappa(peaks: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0) -> KappaFit:
    """Estimate the geometric mean and spread of κ, and c = t*·λ in epochs for each η (and μ).

    The paper's coefficient, c ≈ 0.0066 epochs at η = 0.2 and μ = 0.9, is κ ≈ 0.65. In torch's weight decay it is 1.3:
    that is twice the λ of the paper's code (``convention: square``), and κ counts in it here. Censored points enter as
    lower bounds of a normal log κ.

    Args:
        peaks: of ``find_peaks``.
        replicates: number of bootstrap replicates.
        seed: of the bootstrap.
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


def _too_little(law: pd.DataFrame, censored: Bools) -> str:
    """Return why exponents cannot be fitted; empty where they can."""
    observed = int((~censored).sum())
    if observed < MIN_OBSERVED:
        return (
            f"{observed} observed t* among {counted(len(law), 'point')} of the law, at least {MIN_OBSERVED} are needed"
        )
    product = np.log10(floats(law, "eta") * floats(law, "lam"))[~censored]
    groups = group_ids(law, ["mu", *extra_axes(law)])[~censored]
    decades = max(float(np.ptp(product[groups == group])) for group in np.unique(groups))
    if decades < MIN_DECADES:
        return f"eta*lam of the observed t* spans {decades:.2f} decades, at least {MIN_DECADES} are needed"
    return ""


class _FreeExponents(NamedTuple):
    """Exponents of t* in η (alpha) and in λ (beta), and what could not be told."""

    alpha: IntervalEstimate | None
    beta: IntervalEstimate | None
    why: str


def _free_exponents(fit: Bootstrap, log_eta: Floats, log_lam: Floats) -> _FreeExponents:
    """Fit the exponents of η and of λ, each free, from their logarithms (n,)."""
    if len(np.unique(log_eta)) == 1:
        (beta,), _, _ = fit.slopes([log_lam])
        return _FreeExponents(None, beta, "one eta only: its exponent cannot be told")
    if len(np.unique(log_lam)) == 1:
        (alpha,), _, _ = fit.slopes([log_eta])
        return _FreeExponents(alpha, None, "one lam only: its exponent cannot be told")
    (alpha, beta), _, _ = fit.slopes([log_eta, log_lam])
    why = "" if alpha and beta else "eta and lam vary together: their exponents cannot be told apart"
    return _FreeExponents(alpha, beta, why)


def _mean_and_spread(law: pd.DataFrame, y: Floats, replicates: int, seed: int) -> DecayTimeFit:
    """Return geometric mean and geometric standard deviation of exp(y), y (n,); None with fewer than two observed."""
    fit = Bootstrap(law, y, replicates, seed)
    beta, sigma = fit.fit([])
    if not np.isfinite(sigma[0]):
        return DecayTimeFit(None, None)
    # Maximum likelihood divides by n, and the sample standard deviation by n - 1.
    scale = np.sqrt(fit.observed / (fit.observed - 1))
    mean = fit.estimate(beta[:, 0], 1)
    spread = fit.estimate(sigma * scale, 1)
    return DecayTimeFit(exponential(mean), exponential(spread))


def geometric_mean_c(points: pd.DataFrame) -> float:
    """Return the geometric mean of c = t*·λ over points whose t* was observed.

    Args:
        points: one row a point, with ``t_star`` (epochs) and ``lam`` > 0; at least one row.

    Returns:
        c in epochs.
    """
    return float(np.exp(np.mean(np.log(floats(points, "t_star") * floats(points, "lam")))))


def exponential(estimate: IntervalEstimate) -> IntervalEstimate:
    """Return the estimate of exp(x) from that of x."""
    interval = estimate.interval
    bounds = None if interval is None else (float(np.exp(interval[0])), float(np.exp(interval[1])))
    return IntervalEstimate(value=float(np.exp(estimate.value)), interval=bounds)


def _per_eta(law: pd.DataFrame, replicates: int, seed: int) -> tuple[EtaFit, ...]:
    """Fit c for each learning rate and momentum."""
    fits = []
    for _, part in law.groupby(["eta", "mu"], sort=True):
        eta, mu = float(floats(part, "eta")[0]), float(floats(part, "mu")[0])
        c, _ = _mean_and_spread(part, np.log(floats(part, "t_star") * floats(part, "lam")), replicates, seed)
        bounds = int(part["censored"].sum())
        fits.append(EtaFit(eta=eta, mu=mu, c=c, points_used=len(part), censored=bounds))
    return tuple(fits)
