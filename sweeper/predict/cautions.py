"""Cautions of a forecast: the reasons to doubt it."""

from results.forecast.forecast import Predicted
from results.forecast.posterior import Trial
from search_spaces.errors import counted
from sweeper.predict.probe import ProbeResult
from sweeper.predict.target import Target

MIN_SHARE_ABOVE_CHANCE = 0.2  # share of the way from chance to 1 below which an accuracy tells nothing about λ
FLAT = 2.0  # standard deviations of noise within which accuracies count as equal


def has_learned(trials: tuple[Trial, ...], chance: float) -> bool:
    """Return whether any trial ended well above guessing, so that trials tell about λ.

    Args:
        trials: trials of a probe.
        chance: test accuracy of guessing.
    """
    return any(trial.value >= chance + MIN_SHARE_ABOVE_CHANCE * (1 - chance) for trial in trials)


def guess_caution() -> str:
    """Return the caution of a forecast without any trial."""
    return (
        "no λ was tried: λ_pred makes the decay time of the run what it was at the best λ of other networks. A probe "
        "(--runs 1.5, in code runs=1.5) tells more"
    )


def no_learning_caution(probe: ProbeResult, chance: float) -> str:
    """Return the caution of a probe in which no trial has learned.

    Args:
        probe: result of the probe.
        chance: test accuracy of guessing.
    """
    best = max((trial.value for trial in probe.trials), default=None)
    seen = (
        "all trials diverged"
        if best is None
        else f"the best trial ended with accuracy {best:.2f}, guessing has {chance:.2g}"
    )
    return f"no λ of the probe has learned ({seen}), so that this is a guess; allow more (--runs, in code runs=…)"


def trial_cautions(trials: tuple[Trial, ...], predicted: Predicted) -> list[str]:
    """Return the cautions of trials that tell little, or that point beyond the λ that were tried.

    Args:
        trials: trials of the probe, by λ.
        predicted: the prediction for the longest budget.
    """
    cautions = []
    errors = [trial.log_error for trial in trials]
    best = min(range(len(trials)), key=errors.__getitem__)
    if max(errors) - min(errors) < FLAT * max(trial.noise for trial in trials):
        cautions.append(
            "the accuracies of the trials differ by no more than noise: between these λ the choice hardly matters, and "
            "λ_pred stays near the typical one"
        )
    elif best in {0, len(trials) - 1}:
        end = "smallest" if best == 0 else "largest"
        cautions.append(f"the {end} λ of the probe, {trials[best].lam:g}, ended best: the best λ may lie beyond")
    if predicted.lam and predicted.high > 30 * predicted.low:
        cautions.append("the interval is wide; more runs (--runs, in code runs=…) or seeds narrow it")
    return cautions


def set_up_cautions(target: Target) -> list[str]:
    """Return the cautions of the optimizer, and of weights before a norm."""
    cautions = []
    if target.grid.optimizer.name != "sgd":
        cautions.append(
            f"{target.grid.optimizer.name}: the law is of SGD, and the typical λ of AdamW comes from few set-ups; "
            "--verify tells"
        )
    if target.normalized_weights:
        cautions.append(
            f"{target.normalized_weights} weights are followed by a norm: there λ sets the effective learning rate, "
            "and with a λ that is too large accuracy can collapse late in the run"
        )
    return cautions


def divergence_cautions(probe: ProbeResult) -> list[str]:
    """Return the caution of a probe with diverged points."""
    return [f"{counted(probe.diverged, 'point')} of the probe diverged: η is too large"] if probe.diverged else []
