"""Verdicts, and the two rules that turn a number with its interval into one."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from results.analysis.bootstrap import IntervalEstimate
from results.analysis.segments import Floats

__all__ = [
    "EXPONENT_BAND",
    "NO_POINTS",
    "Lack",
    "PointCounts",
    "Ruling",
    "Verdict",
    "format_interval",
    "inconclusive",
    "judge_interval",
    "judge_range",
    "make_median_verdict",
    "make_verdict",
]

Ruling = Literal["pass", "fail", "inconclusive", "unasked"]
# Kinds of points that a sweep may lack; "longer" are longer budgets, which no sweep takes once it has begun.
Lack = Literal["seeds", "smaller_lam", "larger_lam", "finer_lam", "eta", "budgets", "longer"]
# Half the width of the band around an exponent of -1. A law of slope -0.65 (AdamW on digits) must not pass, and the
# noise of one point must not fail it.
EXPONENT_BAND = 0.1


class PointCounts(NamedTuple):
    """Numbers of points behind a verdict.

    Attributes:
        used: points that the verdict rests on.
        censored: those among them that are only lower bounds.
    """

    used: int
    censored: int

    @classmethod
    def of(cls, points: pd.DataFrame) -> "PointCounts":
        """Count the rows of a table of points, and those that are ``censored``."""
        return cls(len(points), int(points["censored"].sum()))


NO_POINTS = PointCounts(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of judging one claim on one sweep.

    Attributes:
        claim: name of the claim.
        value: the number that was judged; None where it could not be computed.
        interval: 95 % interval of the value, or the range of the values behind it; None where there is none.
        threshold: the condition under which the claim passes, in words.
        verdict: ``pass``, ``fail``, ``inconclusive``, or ``unasked`` where the grid does not vary what the claim is
            about.
        points_used: number of points that the verdict rests on.
        censored: number of these points that are only lower bounds.
        why: one sentence of reasons, with the numbers.
        band: lowest and highest number that pass; None where the claim is not judged by one.
        lacks: kinds of points that would help to decide the claim; empty where it is decided.
    """

    claim: str
    value: float | None
    interval: tuple[float, float] | None
    threshold: str
    verdict: Ruling
    points_used: int
    censored: int
    why: str
    band: tuple[float, float] | None = None
    lacks: tuple[Lack, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return a dict for ``json.dumps``: numbers that are not finite become None, the interval a list or None."""
        interval, band = ([_finite(x) for x in ends] if ends else None for ends in (self.interval, self.band))
        return asdict(self) | {"value": _finite(self.value), "interval": interval, "band": band}


def judge_interval(estimate: IntervalEstimate, low: float, high: float) -> Ruling:
    """Judge an estimate by whether its 95 % interval lies in a band.

    The rule is a test of equivalence. Few or noisy points widen the interval, so that they can neither pass nor fail,
    and no law is confirmed for want of data.

    Args:
        estimate: the value and its interval.
        low: lower end of the band.
        high: upper end of the band.

    Returns:
        ``pass`` where the interval lies inside the band, ``fail`` where it lies outside, and ``inconclusive`` where it
        straddles an end or is missing.
    """
    if estimate.interval is None:
        return "inconclusive"
    if low <= estimate.interval[0] and estimate.interval[1] <= high:
        return "pass"
    outside = estimate.interval[1] < low or estimate.interval[0] > high
    return "fail" if outside else "inconclusive"


def judge_range(values: Floats, limit: float, noise: Floats | float = 0.0) -> Ruling:
    """Judge values (n,) by an upper limit.

    Args:
        values: the values.
        limit: highest value that passes.
        noise: part of each value (n,) that noise alone may have caused. A range of noisy accuracies is never 0.

    Returns:
        ``pass`` where every value is within the limit, ``fail`` where the median is not even without the noise, else
            ``inconclusive``.
    """
    if not len(values):
        return "inconclusive"
    if bool(np.all(values <= limit)):
        return "pass"
    return "fail" if float(np.median(values - noise)) > limit else "inconclusive"


def format_interval(estimate: IntervalEstimate) -> str:
    """Format the interval of an estimate for a sentence, with a space in front."""
    if estimate.interval is None:
        return " (no interval: too few points)"
    return f" [{estimate.interval[0]:.3g}, {estimate.interval[1]:.3g}]"


def make_verdict(
    claim: str,
    estimate: IntervalEstimate | None,
    threshold: str,
    ruling: Ruling,
    why: str,
    counts: PointCounts,
    *,
    band: tuple[float, float] | None = None,
) -> Verdict:
    """Make a verdict from an estimate.

    Args:
        claim: name of the claim.
        estimate: value and interval; None where there is no value.
        threshold: the condition under which the claim passes, in words.
        ruling: the outcome.
        why: one sentence of reasons.
        counts: points used and, among them, the censored ones.
        band: lowest and highest number that pass, if that is the condition.
    """
    return Verdict(
        claim=claim,
        value=None if estimate is None else estimate.value,
        interval=None if estimate is None else estimate.interval,
        threshold=threshold,
        verdict=ruling,
        points_used=counts.used,
        censored=counts.censored,
        why=why,
        band=band,
    )


def make_median_verdict(
    claim: str, values: Floats, threshold: str, ruling: Ruling, why: str, counts: PointCounts, *, limit: float
) -> Verdict:
    """Make a verdict on the median of some values; their range is the interval.

    Args:
        claim: name of the claim.
        values: the values (n,), at least one; a single value has no interval.
        threshold: the condition under which the claim passes, in words.
        ruling: the outcome.
        why: one sentence of reasons.
        counts: points used and, among them, the censored ones.
        limit: highest value that passes.
    """
    interval = (float(values.min()), float(values.max())) if len(values) > 1 else None
    estimate = IntervalEstimate(value=float(np.median(values)), interval=interval)
    return make_verdict(claim, estimate, threshold, ruling, why, counts, band=(-math.inf, limit))


def inconclusive(
    claim: str, threshold: str, why: str, counts: PointCounts = NO_POINTS, lacks: tuple[Lack, ...] = ()
) -> Verdict:
    """Make a verdict for too little data.

    Args:
        claim: name of the claim.
        threshold: the condition under which the claim passes, in words.
        why: what is missing, in one sentence.
        counts: points used and, among them, the censored ones.
        lacks: kinds of points that are missing; empty for those that the claim usually lacks.
    """
    return replace(make_verdict(claim, None, threshold, "inconclusive", why, counts), lacks=lacks)


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
