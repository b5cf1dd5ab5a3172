"""What a verdict is, and the two rules by which a number and its interval become one."""

import math
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from results.analysis.bootstrap import Estimate
from results.analysis.segments import Floats

__all__ = [
    "EXPONENT_BAND",
    "NO_POINTS",
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

Ruling = Literal["pass", "fail", "inconclusive"]
# About -1; a law of slope -0.65 (AdamW on digits) must not pass, nor noise of one point fail it.
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
    """One claim, judged."""

    claim: str
    value: float | None
    interval: tuple[float, float] | None
    threshold: str
    verdict: Ruling
    points_used: int
    censored: int  # how many of the points used are lower bounds only
    why: str  # one sentence, with the numbers

    def to_json(self) -> dict[str, object]:
        """A dict for ``json.dumps``: numbers that are not finite become None, the interval a list or None."""
        interval = None if self.interval is None else [_finite(bound) for bound in self.interval]
        return asdict(self) | {"value": _finite(self.value), "interval": interval}


def judge_interval(estimate: Estimate, low: float, high: float) -> Ruling:
    """Pass where the 95 % interval lies in the band, fail where it lies outside, inconclusive where it straddles.

    A test of equivalence: few or noisy points widen the interval and can neither pass nor fail, so that no law is
    confirmed for want of data.
    """
    if estimate.interval is None:
        return "inconclusive"
    if low <= estimate.interval[0] and estimate.interval[1] <= high:
        return "pass"
    outside = estimate.interval[1] < low or estimate.interval[0] > high
    return "fail" if outside else "inconclusive"


def judge_range(values: Floats, limit: float) -> Ruling:
    """Pass where every value is within the limit, fail where the median is not, inconclusive in between."""
    if not len(values):
        return "inconclusive"
    if bool(np.all(values <= limit)):
        return "pass"
    return "fail" if float(np.median(values)) > limit else "inconclusive"


def format_interval(estimate: Estimate) -> str:
    """The interval of an estimate for a sentence, with a space in front."""
    if estimate.interval is None:
        return " (no interval: too few points)"
    return f" [{estimate.interval[0]:.3g}, {estimate.interval[1]:.3g}]"


def make_verdict(
    claim: str, estimate: Estimate | None, threshold: str, ruling: Ruling, why: str, counts: PointCounts
) -> Verdict:
    """A verdict from an estimate; `counts` the points used and, of these, the censored ones."""
    return Verdict(
        claim=claim,
        value=None if estimate is None else estimate.value,
        interval=None if estimate is None else estimate.interval,
        threshold=threshold,
        verdict=ruling,
        points_used=counts.used,
        censored=counts.censored,
        why=why,
    )


def make_median_verdict(
    claim: str, values: Floats, threshold: str, ruling: Ruling, why: str, counts: PointCounts
) -> Verdict:
    """A verdict on the median of some values; the interval is their range, of one value there is none."""
    interval = (float(values.min()), float(values.max())) if len(values) > 1 else None
    estimate = Estimate(value=float(np.median(values)), interval=interval)
    return make_verdict(claim, estimate, threshold, ruling, why, counts)


def inconclusive(claim: str, threshold: str, why: str, counts: PointCounts = NO_POINTS) -> Verdict:
    """A verdict for too little data."""
    return make_verdict(claim, None, threshold, "inconclusive", why, counts)


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
