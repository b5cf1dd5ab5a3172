"""Smoothed learning curves: where they peak, whether the peak is past, and how noisy they are.

A curve is averaged in bins of log steps, then a line is fitted to the bins around each one (local linear regression).
So the cost is one pass over the measurements, whatever their number, and the result does not depend on how often a run
was measured.
"""

from dataclasses import dataclass

import numpy as np

from results.analysis.peaks import TAIL_START
from results.analysis.segments import Bools, Floats, Ints, Segments, StoredFloats, first_of_each

BINS_PER_DECADE = 100  # of steps
# Half the width of the window, in decades of steps. Half of it leaves the slope of the law on digits within 0.01, twice
# as much moves it by 0.03 and κ by 2 % (default grid, 44 points).
HALF_WIDTH = 0.08
NOISE_FROM = 0.5  # decades before the peak from which residuals tell the noise: the plateau, not the steep rise
APART = 100.0  # between the keys of two segments; a run has fewer decades of steps
MIN_FALL = 2.0  # standard errors by which the last tenth must lie below the peak


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """Measurements in bins: b bins in S segments.

    Attributes:
        start: first bin of each segment (S,).
        first: first measurement of each bin (b,).
        middle: middle measurement of each bin (b,).
        segment: segment of each bin (b,).
        log_step: log10 of the middle measurement's step (b,).
        key: ``log_step`` plus ``APART`` times the segment (b,): ascending, so that one search serves all segments.
        low: first bin of the window around each bin (b,).
        high: bin after the last of that window (b,).
    """

    start: Ints
    first: Ints
    middle: Ints
    segment: Ints
    log_step: Floats
    key: Floats
    low: Ints
    high: Ints

    @property
    def stop(self) -> Ints:
        """Bin after the last of each segment (S,)."""
        return np.append(self.start[1:], len(self.first)).astype(np.int64)[: len(self.start)]


def bin_measurements(segments: Segments) -> Bins:
    """Sort the measurements of each segment into bins of log steps, and find the window around each bin."""
    log_step = np.log10(np.maximum(segments.step, 1).astype(np.float32))
    number = np.floor(log_step * np.float32(BINS_PER_DECADE)).astype(np.int32)
    new = np.append(True, number[1:] != number[:-1])[: len(number)]
    new[segments.start] = True
    first = np.flatnonzero(new).astype(np.int64)
    start = np.searchsorted(first, segments.start).astype(np.int64)
    last = np.append(first[1:], len(number)) - 1
    middle = (first + last) // 2
    x = log_step[middle].astype(np.float64)
    segment = np.repeat(np.arange(len(start)), np.diff(np.append(start, len(first))))
    key = x + APART * segment  # segments do not see each other
    return Bins(
        start=start,
        first=first,
        middle=middle,
        segment=segment,
        log_step=x,
        key=key,
        low=np.searchsorted(key, key - HALF_WIDTH - 1e-6).astype(np.int64),
        high=np.searchsorted(key, key + HALF_WIDTH + 1e-6, side="right").astype(np.int64),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothCurves:
    """A quantity along each segment, averaged in bins and smoothed.

    Attributes:
        bins: the bins.
        values: mean of each bin (b,), NaN where it was not measured.
        smooth: local line at each bin (b,), NaN likewise.
        leverage: share of a bin's own value in its smoothed value, 0 to 1 (b,).
    """

    bins: Bins
    values: Floats
    smooth: Floats
    leverage: Floats


def smooth_curves(bins: Bins, values: StoredFloats) -> SmoothCurves:
    """Average a quantity in bins and fit a line to the bins around each.

    Args:
        bins: of the measurements.
        values: the quantity at each measurement (n,), NaN where it was not measured.
    """
    if not len(bins.first):
        empty = np.empty(0)
        return SmoothCurves(bins=bins, values=empty, smooth=empty, leverage=empty)
    sizes = np.diff(np.append(bins.first, len(values)))
    y = np.add.reduceat(values, bins.first, dtype=np.float64) / sizes
    measured = np.isfinite(y)
    x, filled, weight = bins.log_step, np.where(measured, y, 0.0), measured.astype(np.float64)

    def window_sum(terms: Floats) -> Floats:
        total = np.append(0.0, np.cumsum(terms))
        return np.asarray(total[bins.high] - total[bins.low])

    count = np.maximum(window_sum(weight), 1.0)
    x_mean, y_mean = window_sum(weight * x) / count, window_sum(filled) / count
    x_square = np.maximum(window_sum(weight * x**2) - count * x_mean**2, 0.0)
    product = window_sum(filled * x) - count * x_mean * y_mean
    wide = x_square > 1e-6 * count  # else all bins of the window are one
    slope = np.where(wide, product / np.where(wide, x_square, 1.0), 0.0)
    leverage = 1 / count + np.where(wide, (x - x_mean) ** 2 / np.where(wide, x_square, 1.0), 0.0)
    smooth = np.where(measured, y_mean + slope * (x - x_mean), np.nan)
    return SmoothCurves(bins=bins, values=y, smooth=smooth, leverage=np.minimum(leverage, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothPeaks:
    """The maximum of a smoothed curve in each of S segments.

    Attributes:
        bin: bin of the maximum (S,); -1 where nothing was measured.
        noise: standard deviation of a bin about the smoothed curve (S,), NaN where too few bins tell.
        observed: whether the maximum is past: not in the last tenth of the run, which lies clearly below it (S,).
    """

    bin: Ints
    noise: Floats
    observed: Bools


def find_smooth_peaks(curves: SmoothCurves, epoch: Floats) -> SmoothPeaks:
    """Find the maximum of each smoothed curve, and whether the run went on long enough to show it.

    Args:
        curves: the curves; for a minimum, those of the negative quantity.
        epoch: epochs of each measurement (n,).
    """
    bins = curves.bins
    start, stop = bins.start, bins.stop
    if not len(start):
        none = np.empty(0)
        return SmoothPeaks(bin=none.astype(np.int64), noise=none, observed=none.astype(np.bool_))
    segment = bins.segment
    height = np.where(np.isfinite(curves.smooth), curves.smooth, -np.inf)
    top = np.maximum.reduceat(height, start)
    at = first_of_each(height == top[segment], start, stop)
    at = np.where(np.isfinite(top), at, -1)
    peak = np.maximum(at, 0)

    residual = np.where(np.isfinite(curves.smooth), curves.values - curves.smooth, 0.0)
    near = np.isfinite(curves.smooth) & (bins.log_step >= bins.log_step[peak][segment] - NOISE_FROM)
    freedom = np.add.reduceat(np.where(near, 1.0 - curves.leverage, 0.0), start)
    square = np.add.reduceat(np.where(near, residual**2, 0.0), start)
    noise = np.sqrt(np.where(freedom >= 1, square / np.maximum(freedom, 1.0), np.nan))

    last = epoch[bins.middle][stop - 1]
    tail = np.isfinite(curves.values) & (epoch[bins.middle] >= TAIL_START * last[segment])
    in_tail = np.add.reduceat(tail.astype(np.float64), start)
    mean = np.add.reduceat(np.where(tail, curves.values, 0.0), start) / np.maximum(in_tail, 1.0)
    error = np.nan_to_num(noise) * np.sqrt(curves.leverage[peak] + 1 / np.maximum(in_tail, 1.0))
    fallen = np.where(np.isfinite(top), top, 0.0) - mean > MIN_FALL * error
    early = epoch[bins.middle][peak] < TAIL_START * last
    return SmoothPeaks(bin=at, noise=noise, observed=(at >= 0) & early & fallen & (in_tail > 0))
