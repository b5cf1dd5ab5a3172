"""The law by each clock: does the time at which a run is best go as 1/(ηλ), however that time is read?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from results.analysis.bootstrap import IntervalEstimate
from results.analysis.clocks.noise import AccuracyNoise
from results.analysis.clocks.reading import PAPER_CLOCK, Clock, clock_title
from results.claims.verdict import EXPONENT_BAND, Ruling, judge_interval
from search_spaces.sections.metric import TEST_ACCURACY, Metric

__all__ = ["ClockVerdict", "describe_clocks", "describe_noise", "judge_clocks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockVerdict:
    """The law as one clock shows it.

    Attributes:
        clock: name of the clock, as ``results.analysis.clocks.reading`` has it.
        title: the clock in words.
        verdict: whether the exponent of ηλ is -1, judged as the claim ``scaling`` is.
        exponent: exponent of ηλ/(1-μ) in the time in steps; None where it could not be fitted.
        exponent_interval: its 95 % interval.
        kappa: decay time at the clock's time, geometric mean.
        kappa_interval: its 95 % interval.
        spread: geometric standard deviation of that decay time.
        points_used: points of the law.
        censored: those among them whose time is only a lower bound.
    """

    clock: str
    title: str
    verdict: Ruling
    exponent: float | None
    exponent_interval: tuple[float, float] | None
    kappa: float | None
    kappa_interval: tuple[float, float] | None
    spread: float | None
    points_used: int
    censored: int

    def to_json(self) -> dict[str, object]:
        """Return a dict for ``json.dumps``."""
        return asdict(self)


def judge_clocks(clocks: Sequence[Clock], metric: Metric = TEST_ACCURACY) -> tuple[ClockVerdict, ...]:
    """Judge the exponent of each clock by the threshold of the claim ``scaling``; ``metric`` is that of the sweep."""
    return tuple(_judge(clock, clock_title(clock.name, metric)) for clock in clocks)


def _judge(clock: Clock, title: str) -> ClockVerdict:
    ruling: Ruling = "inconclusive"
    if clock.exponent is not None:
        ruling = judge_interval(clock.exponent, -1 - EXPONENT_BAND, -1 + EXPONENT_BAND)
    return ClockVerdict(
        clock=clock.name,
        title=title,
        verdict=ruling,
        exponent=_value(clock.exponent),
        exponent_interval=_interval(clock.exponent),
        kappa=_value(clock.kappa),
        kappa_interval=_interval(clock.kappa),
        spread=clock.spread,
        points_used=clock.points_used,
        censored=clock.censored,
    )


def _value(estimate: IntervalEstimate | None) -> float | None:
    return None if estimate is None else estimate.value


def _interval(estimate: IntervalEstimate | None) -> tuple[float, float] | None:
    return None if estimate is None else estimate.interval


def describe_clocks(verdicts: Sequence[ClockVerdict], tolerance: float, metric: Metric = TEST_ACCURACY) -> str:
    """Return one sentence on whether the clocks agree on κ, and why those that differ do.

    Args:
        verdicts: of ``judge_clocks``.
        tolerance: distance from the best within which a measurement counts as the best.
        metric: that of the sweep.
    """
    seen = {v.clock: v for v in verdicts if v.kappa is not None and v.kappa_interval is not None}
    paper = seen.pop(PAPER_CLOCK, None)
    if paper is None or not seen:
        return ""
    differing = [v for v in seen.values() if _apart(v.kappa_interval, paper.kappa_interval)]
    if not differing:
        return "All clocks agree: their intervals of κ overlap that of t*."
    later = [v for v in differing if (v.kappa or 0.0) > (paper.kappa or 0.0)]
    reasons, extreme = [], metric.extreme
    if any(v.clock == "smooth" for v in later):
        within = _amount(tolerance, metric)
        reasons.append(f"t* comes before the {extreme}, since a flat curve is within {within} of it long before")
    if any(v.clock.endswith("_loss") for v in differing):
        other = "accuracy" if metric.is_accuracy else metric.title
        reasons.append(f"a loss goes on changing while the {other} does not, and need not turn when it does")
    if any(v.clock == "smooth" and v not in later for v in differing):
        side = "above" if metric.mode == "max" else "below"
        reasons.append(f"single measurements flicker {side} the smoothed curve, and one late flicker is the {extreme}")
    if any(v.clock == "edge" for v in differing):
        reasons.append("the edge compares the means of all λ at one time, which the noise of one curve does not move")
    which = " and ".join(f"the {v.title} (κ = {v.kappa:.2g})" for v in differing)
    return f"Clocks disagree: κ = {paper.kappa:.2g} at t*, other than {which}; {'; '.join(reasons)}."


def _apart(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool:
    """Return whether two intervals do not overlap."""
    return one is not None and other is not None and (one[1] < other[0] or other[1] < one[0])


def describe_noise(noise: AccuracyNoise, tolerance: float, metric: Metric = TEST_ACCURACY) -> str:
    """Return a sentence on the noise of the metric, and whether the tolerance of t* lies below it.

    Args:
        noise: of the sweep.
        tolerance: distance from the best within which a measurement counts as the best.
        metric: that of the sweep.
    """
    parts = []
    if noise.flicker == noise.flicker:  # known
        what = "an accuracy" if metric.is_accuracy else f"the {metric.title}"
        parts.append(f"{what} flickers by {_amount(noise.flicker, metric)} from measurement to measurement")
    if noise.test_samples:
        parts.append(f"the test set of {noise.test_samples:,} images knows an accuracy to ±{noise.standard_error:.2%}")
    if not parts:
        return ""
    sentence = " and ".join(parts)
    sentence = f"{sentence[0].upper()}{sentence[1:]} (standard deviations)."
    if tolerance < noise.largest:
        below = f"The tolerance of t*, {_amount(tolerance, metric)}, lies below that"
        sentence += f" {below}: t* may be noise where curves are flat."
    return sentence


def _amount(difference: float, metric: Metric) -> str:
    """Return a difference of two values as text: of accuracies in per cent."""
    return f"{difference:.2%}" if metric.is_accuracy else f"{difference:.2g}"
