"""The best λ of a run, from trials: runs of a part of its budget, each with its own λ.

The log of the error is a function of log λ: a parabola around the typical λ, and a Gaussian process for what differs
from it (Rasmussen & Williams 2006, equations 2.25 and 2.26, with one constant of unknown size added). A trial of a
share u of the budget has its best λ at u^-α times that of the whole run. The paper's law is α = 1 for the smallest λ
that suffices; the largest λ that does no harm does not depend on T, which is α = 0. The best λ lies between them. α is
0, 1/4 or 1/2 here.

All constants were chosen on six set-ups and then fixed (``docs/weight-decay.md``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from results.analysis.segments import Floats

EXPONENTS = {0.0: 0.25, 0.25: 0.5, 0.5: 0.25}  # α: its weight
WIDTH = 2.0  # length scale of the Gaussian process in log λ; good values of λ reach over about a decade
HEIGHT = 0.3  # its standard deviation in log error
RISE = 0.4  # log error that the parabola adds at a factor of 8 from the typical λ
LEVEL_STD = 5.0  # of the constant: the log error of the best λ is not known before
# Noise of a trial over that of the test samples alone: initial weights and batches add to it, and a test set that all
# trials share takes away.
NOISE_FACTOR = 2.0
LEAST_NOISE = 0.01  # standard deviation of a log error
LOSS_NOISE = 0.03  # of the log of a loss, whose number of samples says nothing of its noise
REACH = 100.0  # largest factor between a λ and the typical one
POSITIONS = np.linspace(-math.log(REACH), math.log(REACH), 185)  # 20 λ a decade
DRAWS = 2000  # functions that intervals are counted on
JITTER = 1e-9  # on the diagonal of a covariance, against rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A run of a part of the budget, as a mean over seeds.

    Attributes:
        lam: λ, as the grid writes it.
        length: length of the run, in the unit of the budget.
        value: accuracy or loss, a mean over the last tenth of the run.
        log_error: log of the share of test samples that are wrong, or of the loss.
        noise: standard deviation of that log.
    """

    lam: float
    length: float
    value: float
    log_error: float
    noise: float


def accuracy_trial(lam: float, length: float, accuracy: float, samples: int) -> Trial:
    """Return a trial that ended with an accuracy.

    Args:
        lam: λ of the run.
        length: its length, in the unit of the budget.
        accuracy: accuracy, 0 to 1.
        samples: number of test samples, times that of seeds. One sample counts as half wrong where none is.
    """
    error = max(1 - accuracy, 0.5 / samples)
    noise = max(NOISE_FACTOR * math.sqrt((1 - error) / (error * samples)), LEAST_NOISE)
    return Trial(lam=lam, length=length, value=accuracy, log_error=math.log(error), noise=noise)


def loss_trial(lam: float, length: float, loss: float) -> Trial:
    """Return a trial that ended with a loss > 0."""
    return Trial(lam=lam, length=length, value=loss, log_error=math.log(loss), noise=LOSS_NOISE)


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """The log error of a run at each of ``POSITIONS``, up to a constant.

    Attributes:
        typical: λ at position 0.
        mean: expectation (L,).
        std: standard deviation around the constant (L,).
        draws: functions drawn from the posterior (DRAWS, L).
    """

    typical: float
    mean: Floats
    std: Floats
    draws: Floats

    @property
    def lams(self) -> Floats:
        """All λ (L,)."""
        return self.typical * np.exp(POSITIONS)

    @property
    def best(self) -> float:
        """The λ with the smallest expected log error."""
        return float(self.lams[self.mean.argmin()])

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the 95 % interval of the best λ."""
        low, high = np.quantile(POSITIONS[self.draws.argmin(axis=1)], [0.025, 0.975])
        return self.typical * math.exp(low), self.typical * math.exp(high)

    @property
    def excess(self) -> float:
        """Expected share by which the error at ``best`` is larger than at the best λ."""
        return float(np.expm1(self.draws[:, self.mean.argmin()] - self.draws.min(axis=1)).mean())


def posterior_of(trials: Sequence[Trial], typical: float, budget: float) -> Posterior:
    """Return what is known of the error of a run against its λ.

    Args:
        trials: runs of parts of the budget; without any, the result is what is known beforehand.
        typical: λ > 0 that is expected to be best for the budget.
        budget: T of the run, in the unit of the trials.
    """
    rng = np.random.default_rng(0)
    parts = [_conditioned(trials, typical, budget, exponent) for exponent in EXPONENTS]
    weights = np.array(list(EXPONENTS.values()))
    draws = [
        mean + rng.standard_normal((round(DRAWS * weight), len(POSITIONS))) @ _root(covariance)
        for (mean, covariance), weight in zip(parts, weights, strict=True)
    ]
    mean: Floats = np.array([part[0] for part in parts]).T @ weights
    together = np.concatenate(draws)
    return Posterior(typical, mean, together.std(axis=0).astype(np.float64), together)


def _conditioned(trials: Sequence[Trial], typical: float, budget: float, exponent: float) -> tuple[Floats, Floats]:
    """Return mean (L,) and covariance (L, L) of the log error for one α, the constant at its expectation."""
    prior = _parabola(POSITIONS), _kernel(POSITIONS, POSITIONS)
    if not trials:
        return prior
    at = np.array([math.log(t.lam / typical) + exponent * math.log(t.length / budget) for t in trials])
    residual = np.array([t.log_error for t in trials]) - _parabola(at)
    noise = np.diag([t.noise**2 for t in trials])
    inverse = np.linalg.inv(_kernel(at, at) + noise + LEVEL_STD**2)
    across = _kernel(at, POSITIONS)
    return prior[0] + across.T @ inverse @ residual, prior[1] - across.T @ inverse @ across


def _parabola(at: Floats) -> Floats:
    """Return the log error that is expected beforehand, above that of the typical λ (n,)."""
    values: Floats = RISE * (at / math.log(8)) ** 2
    return values


def _kernel(first: Floats, second: Floats) -> Floats:
    """Return the covariance of the Gaussian process, a Matérn function of order 5/2, (n, m)."""
    distance = math.sqrt(5) * np.abs(first[:, None] - second[None]) / WIDTH
    return HEIGHT**2 * (1 + distance + distance**2 / 3) * np.exp(-distance)


def _root(covariance: Floats) -> Floats:
    """Return a matrix R with RᵀR = ``covariance`` (L, L)."""
    root: Floats = np.linalg.cholesky(covariance + JITTER * np.eye(len(covariance))).T.astype(np.float64)
    return root
