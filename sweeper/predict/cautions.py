"""Cautions of a forecast: the reasons to doubt it."""

from results.forecast.coefficient import STEADY, Coefficient
from results.forecast.measured_kappas import Expected
from sweeper.predict.probe import Probed
from sweeper.predict.target import Target

NEARBY = 10.0  # factor from λ_pred, below which a λ should fit the training set as λ_pred would
SLOPE_OFF = 0.35  # from -1, of t* ∝ λ^slope in a probe: κ changes by 1.5 or more over the three λ of the first round


def cautions_of_probe(found: Coefficient, known: Expected, lam: float) -> list[str]:
    """What would make a prediction from a probe wrong."""
    text = []
    smallest = found.lams[0]
    if len(found.lams) > 1 and not found.steady:
        text.append(f"κ differs by more than {STEADY:g} between the smallest λ of the probe: it may go on changing")
    elif found.slope is not None and abs(found.slope + 1) > SLOPE_OFF:
        text.append(f"t* goes as λ to the power {found.slope:.2f} in the probe, not -1")
    if not found.fitted and smallest < NEARBY * lam:
        text.append(
            f"at λ = {smallest:g} the training set is not fitted: the law is of networks that can fit it, and a "
            "smaller λ may show another κ"
        )
    if not known.low <= found.kappa <= known.high:
        text.append(
            f"κ = {found.kappa:.2g} lies outside what {len(known.sweeps)} measured sweeps of its kind show, "
            f"{known.low:.2g} to {known.high:.2g}"
        )
    return text


def optimizer_cautions(setting: Target) -> list[str]:
    """What the law is not about."""
    if setting.grid.optimizer.name == "sgd":
        return []
    return [
        f"{setting.grid.optimizer.name}: the law is of SGD. With AdamW t* goes about as 1/η and hardly with λ in the "
        "measured sweeps, and the tuned λ hardly changes with T. This λ makes the timescale 1/(ηλ) a share of the run: "
        "--verify tells"
    ]


def norm_cautions(setting: Target) -> list[str]:
    """What a norm changes: λ acts on the effective learning rate of the weights before it."""
    if not setting.normalized:
        return []
    return [
        f"{setting.normalized} weights are followed by a norm: there λ sets the effective learning rate, accuracy "
        "depends on batch statistics, and κ of a short probe can be larger than that of a long run"
    ]


def no_peak_caution(share: float, probed: Probed) -> str:
    """The caution of a forecast whose probe has seen no peak, or one far below its last bound."""
    if probed.found is not None:
        seen = f"κ = {probed.found.kappa:.2g} of the probe's larger λ is far below what its smallest shows"
    else:
        seen = f"no λ of the probe has learned and then been seen past its peak within {share:.0%} of a run"
    return f"{seen}, so that this is a guess; allow more (--share, in code share=…)"


def divergence_cautions(probed: Probed) -> list[str]:
    """The caution of a probe with diverged points."""
    return [f"{probed.diverged} points of the probe diverged: η is too large"] if probed.diverged else []
