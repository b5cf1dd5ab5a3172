"""Cautions of a forecast: the reasons to doubt it."""

from results.forecast.coefficient import MAX_STEADY_RATIO, Coefficient
from results.forecast.measured_kappas import ExpectedKappa
from search_spaces.errors import counted
from sweeper.predict.probe import ProbeResult
from sweeper.predict.target import Target

# Within this factor of λ_pred, a λ of the probe should fit the training set as λ_pred would.
FIT_CHECK_FACTOR = 10.0
# Distance from -1 of the slope in t* ∝ λ^slope; beyond it κ changes by 1.5 or more over the three λ of the first round.
MAX_SLOPE_DEVIATION = 0.35


def cautions_of_probe(coefficient: Coefficient, expected: ExpectedKappa, lam: float) -> list[str]:
    """Return the signs that a prediction from this probe may be wrong, a sentence each.

    Args:
        coefficient: κ of the probe.
        expected: κ of the measured sweeps of its kind.
        lam: λ_pred for the first budget, as the grid writes λ.
    """
    cautions = []
    smallest = coefficient.lams[0]
    if len(coefficient.lams) > 1 and not coefficient.steady:
        cautions.append(
            f"κ differs by more than {MAX_STEADY_RATIO:g} between the smallest λ of the probe: it may go on changing"
        )
    elif coefficient.slope is not None and abs(coefficient.slope + 1) > MAX_SLOPE_DEVIATION:
        cautions.append(f"t* goes as λ to the power {coefficient.slope:.2f} in the probe, not -1")
    if not coefficient.fitted and smallest < FIT_CHECK_FACTOR * lam:
        cautions.append(
            f"at λ = {smallest:g} the training set is not fitted: the law is of networks that can fit it, and a "
            "smaller λ may show another κ"
        )
    if not expected.low <= coefficient.kappa <= expected.high:
        cautions.append(
            f"κ = {coefficient.kappa:.2g} lies outside what {len(expected.sweeps)} measured sweeps of its kind show, "
            f"{expected.low:.2g} to {expected.high:.2g}; a larger share (--share, in code share=…) reaches smaller λ "
            "and tells"
        )
    return cautions


def optimizer_cautions(target: Target) -> list[str]:
    """Return the caution of an optimizer that the law does not cover."""
    if target.grid.optimizer.name == "sgd":
        return []
    return [
        f"{target.grid.optimizer.name}: the law is of SGD. With AdamW t* goes about as 1/η and hardly with λ in the "
        "measured sweeps, and the tuned λ hardly changes with T. This λ makes the timescale 1/(ηλ) a share of the run: "
        "--verify tells"
    ]


def norm_cautions(target: Target) -> list[str]:
    """Return the caution of weights before a norm: λ acts on their effective learning rate."""
    if not target.normalized_weights:
        return []
    return [
        f"{target.normalized_weights} weights are followed by a norm: there λ sets the effective learning rate, "
        "accuracy depends on batch statistics, and κ of a short probe can be larger than that of a long run"
    ]


def no_peak_caution(share: float, probe: ProbeResult) -> str:
    """Return the caution of a forecast whose probe has seen no peak, or one far below its last bound.

    Args:
        share: share of a run that the probe was allowed, in (0, 1].
        probe: result of the probe.
    """
    if probe.coefficient is not None:
        seen = f"κ = {probe.coefficient.kappa:.2g} of the probe's larger λ is far below what its smallest shows"
    else:
        seen = f"no λ of the probe has learned and then been seen past its peak within {share:.0%} of a run"
    return f"{seen}, so that this is a guess; allow more (--share, in code share=…)"


def divergence_cautions(probe: ProbeResult) -> list[str]:
    """Return the caution of a probe with diverged points."""
    return [f"{counted(probe.diverged, 'point')} of the probe diverged: η is too large"] if probe.diverged else []
