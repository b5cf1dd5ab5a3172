"""Four clocks for the time at which a run is best: the paper's t*, and three that noise moves less.

- ``t_star``: the earliest test accuracy within the tolerance of the maximum (paper, figure 2). Where a curve is flat,
  the tolerance is reached by chance, long before the maximum.
- ``smooth``: the maximum of the smoothed test accuracy.
- ``test_loss``: the minimum of the smoothed test loss.
- ``train_loss``: the minimum of the smoothed training loss, of which the theory speaks (theorem 1).

All four are fitted alike, so that only the clock differs.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.analysis.clocks.smoothing import bin_measurements, find_smooth_peaks, smooth_curves
from results.analysis.fits import DecayTimeFit, ExponentFit, fit_decay_time, fit_exponents
from results.analysis.segments import Floats, Segments, StoredFloats

PAPER_CLOCK = "t_star"
CLOCK_TITLES = {
    PAPER_CLOCK: "t* (within the tolerance of the maximum)",
    "smooth": "maximum of the smoothed accuracy",
    "test_loss": "minimum of the test loss",
    "train_loss": "minimum of the training loss",
}
SMOOTHED_CLOCKS = tuple(name for name in CLOCK_TITLES if name != PAPER_CLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The law as one clock shows it.

    Attributes:
        name: name of the clock, a key of ``CLOCK_TITLES``.
        exponents: fit of the slopes of its time in steps.
        decay_time: fit of the decay time at that time.
    """

    name: str
    exponents: ExponentFit
    decay_time: DecayTimeFit


def summarize_clocks(segments: Segments) -> pd.DataFrame:
    """Read the smoothed clocks of each segment (S rows), indexed by the position of its point.

    Args:
        segments: measurements at constant η and λ.

    Returns:
        For each of ``SMOOTHED_CLOCKS``: ``NAME_epoch``, ``NAME_step``, ``NAME_kappa`` (decay time), NaN where the
            quantity was not measured, and ``NAME_observed`` (the extremum is past). ``noise`` is the standard deviation
            of the test accuracy about its smoothed curve, on the plateau.
    """
    bins = bin_measurements(segments)
    quantities: dict[str, tuple[StoredFloats, float]] = {
        "smooth": (segments.test_acc, 1.0),
        "test_loss": (segments.test_loss, -1.0),
        "train_loss": (segments.train_loss, -1.0),
    }
    columns: dict[str, object] = {}
    for name, (values, sign) in quantities.items():
        peaks = find_smooth_peaks(smooth_curves(bins, sign * values), segments.epoch)
        at = bins.middle[np.maximum(peaks.bin, 0)] if len(bins.middle) else np.empty(0, dtype=np.int64)
        absent = peaks.bin < 0
        columns[f"{name}_epoch"] = np.where(absent, np.nan, segments.epoch[at])
        columns[f"{name}_step"] = np.where(absent, np.nan, segments.step[at].astype(np.float64))
        columns[f"{name}_kappa"] = np.where(absent, np.nan, segments.decay_time[at])
        columns[f"{name}_observed"] = peaks.observed
        if name == "smooth":
            columns["noise"] = peaks.noise
    return pd.DataFrame(columns, index=segments.owner)


def read_clocks(peaks: pd.DataFrame, summary: pd.DataFrame, paper: Clock) -> tuple[Clock, ...]:
    """Fit the law to each clock.

    Args:
        peaks: of ``find_peaks``, at constant η and λ.
        summary: of ``summarize_clocks``, for any of the same points.
        paper: the fits of t*, which come first.
    """
    summary = summary.reindex(range(len(peaks))).set_axis(peaks.index)
    clocks = [paper]
    for name in SMOOTHED_CLOCKS:
        seen = summary[f"{name}_observed"].eq(True).to_numpy(dtype=np.bool_)
        times = peaks.assign(
            t_star=summary[f"{name}_epoch"],
            t_star_step=summary[f"{name}_step"],
            kappa=_positive_lam(peaks, summary[f"{name}_kappa"]),
            censored=~seen,
        )
        times = times[np.isfinite(times["t_star"].to_numpy(dtype=np.float64))]
        clocks.append(Clock(name=name, exponents=fit_exponents(times), decay_time=fit_decay_time(times)))
    return tuple(clocks)


def _positive_lam(peaks: pd.DataFrame, kappa: pd.Series) -> Floats:
    return np.where(peaks["lam"].to_numpy(dtype=np.float64) > 0, kappa.to_numpy(dtype=np.float64), np.nan)
