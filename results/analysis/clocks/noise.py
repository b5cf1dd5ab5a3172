"""Noise of the metric: from measurement to measurement, and from the size of the test set."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.analysis.segments import Floats, floats
from results.analysis.selection import in_law
from search_spaces.sections.metric import TEST_ACCURACY, Metric

MAX_TEST_SAMPLES = 100_000
MIN_ACCURACIES = 6  # distinct ones: three of no test set at all are multiples of some share up to 1e-5 half the time


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyNoise:
    """Noise of the test accuracies of a sweep, or of another metric.

    Attributes:
        flicker: standard deviation of the metric about the smoothed curve, median over the points of the law; NaN if
            unknown.
        test_samples: size of the test set; None if the metric is no accuracy, or not a multiple of one share.
        standard_error: of the best accuracy as an estimate of that on all images, √(p(1-p)/n); NaN without n.
    """

    flicker: float
    test_samples: int | None
    standard_error: float

    @property
    def largest(self) -> float:
        """The larger of both; 0 if neither is known."""
        return max((x for x in (self.flicker, self.standard_error) if math.isfinite(x)), default=0.0)


def measure_noise(peaks: pd.DataFrame, flicker: pd.Series, metric: Metric = TEST_ACCURACY) -> AccuracyNoise:
    """Measure the noise of the metric of a sweep.

    Args:
        peaks: of ``find_peaks`` (P rows).
        flicker: standard deviation of the metric of each point about its smoothed curve, in the same order.
        metric: the quantity by which points are judged.
    """
    law = in_law(peaks)
    seen = flicker.to_numpy(dtype=np.float64)[law]
    seen = seen[np.isfinite(seen)]
    best = floats(peaks, "best_test_acc")
    samples = infer_test_samples(best) if metric.is_accuracy else None
    top = float(np.nanmax(best)) if np.isfinite(best).any() else math.nan
    return AccuracyNoise(
        flicker=float(np.median(seen)) if len(seen) else math.nan,
        test_samples=samples,
        standard_error=math.sqrt(top * (1 - top) / samples) if samples else math.nan,
    )


def infer_test_samples(accuracies: Floats) -> int | None:
    """Return the smallest n of which all accuracies (P,) are multiples of 1/n, as shares of n test images are.

    None without six distinct accuracies, or where no n up to 100,000 fits. Accuracies are stored as float32.
    """
    distinct = np.unique(accuracies[np.isfinite(accuracies) & (accuracies > 0) & (accuracies < 1)])
    if len(distinct) < MIN_ACCURACIES:
        return None
    chosen = distinct[np.linspace(0, len(distinct) - 1, min(len(distinct), 50)).round().astype(np.int64)]
    n = np.arange(1, MAX_TEST_SAMPLES + 1, dtype=np.float64)
    off = np.zeros(len(n))
    for accuracy in chosen:
        off = np.maximum(off, np.abs(n * accuracy - np.round(n * accuracy)))
    fits = np.flatnonzero(off <= 1e-5 + 1.2e-7 * n)  # float32 keeps an accuracy to 6e-8
    return int(n[fits[0]]) if len(fits) else None
