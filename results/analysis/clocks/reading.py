"""Clocks for the time at which a run is best: the paper's t*, and four that noise moves less.

- ``t_star``: the earliest test accuracy within the tolerance of the maximum (paper, figure 2). Where a curve is flat,
  the tolerance is reached by chance, long before the maximum.
- ``smooth``: the maximum of the smoothed test accuracy. Of these two, another metric of the grid takes the place.
- ``test_loss``: the minimum of the smoothed test loss.
- ``train_loss``: the minimum of the smoothed training loss, of which the theory speaks (theorem 1).
- ``edge``: the smallest λ that is as good as the best within a budget, over many budgets (``edge.py``). It compares
  accuracies, and is left out where the metric is another one.

The first four are fitted alike, so that only the clock differs.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from results.analysis.bootstrap import IntervalEstimate
from results.analysis.clocks.edge import best_within_steps, budget_steps, fit_edge
from results.analysis.clocks.smoothing import bin_measurements, find_smooth_peaks, smooth_curves
from results.analysis.fits import DecayTimeFit, ExponentFit, fit_decay_time, fit_exponents
from results.analysis.segments import Floats, Segments, StoredFloats
from results.analysis.selection import PAST_PEAK_DECAY_TIME
from search_spaces.sections.metric import TEST_ACCURACY, Metric

PAPER_CLOCK = "t_star"
CLOCK_TITLES = {
    PAPER_CLOCK: "t* (within the tolerance of the maximum)",
    "smooth": "maximum of the smoothed accuracy",
    "test_loss": "minimum of the test loss",
    "train_loss": "minimum of the training loss",
    "edge": "smallest λ that is as good as the best within a budget",
}
SMOOTHED_CLOCKS = ("smooth", "test_loss", "train_loss")


def clock_title(name: str, metric: Metric) -> str:
    """Return what a clock reads, in words."""
    if metric.is_accuracy or name not in {PAPER_CLOCK, "smooth"}:
        return CLOCK_TITLES[name]
    extreme = metric.extreme
    return {
        PAPER_CLOCK: f"t* (within the tolerance of the {extreme})",
        "smooth": f"{extreme} of the smoothed {metric.title}",
    }[name]


def smoothed_clocks(metric: Metric) -> list[str]:
    """Return the clocks that read a smoothed curve; that of the metric itself stands once, as ``smooth``."""
    return [name for name in SMOOTHED_CLOCKS if name != metric.column]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The law as one clock shows it.

    Attributes:
        name: name of the clock, a key of ``CLOCK_TITLES``.
        exponent: exponent of ηλ/(1-μ) in its time in steps; None where it could not be fitted.
        kappa: decay time at that time, geometric mean; None likewise.
        spread: geometric standard deviation of that decay time, at least 1; None likewise.
        points_used: points of the law, for ``edge`` those that were compared.
        censored: those among them whose time is only a lower bound.
        intercept: of the line of that exponent, log10 of steps; NaN where it could not be fitted.
        times: table of ``find_peaks`` with this clock's time in place of t*; None for a clock that is not read off
            single points.
    """

    name: str
    exponent: IntervalEstimate | None
    kappa: IntervalEstimate | None
    spread: float | None
    points_used: int
    censored: int
    intercept: float = math.nan
    times: pd.DataFrame | None = field(default=None, compare=False)


def clock_of(name: str, exponents: ExponentFit, decay_time: DecayTimeFit, times: pd.DataFrame | None = None) -> Clock:
    """Return the law as the fits of one clock's times show it.

    Args:
        name: name of the clock.
        exponents: fit of the exponent to its times.
        decay_time: fit of κ to them.
        times: the times.
    """
    return Clock(
        name=name,
        exponent=exponents.gamma,
        kappa=decay_time.kappa,
        spread=decay_time.kappa_gstd.value if decay_time.kappa_gstd else None,
        points_used=exponents.points_used,
        censored=exponents.censored,
        intercept=exponents.intercept,
        times=times,
    )


_WITHIN = tuple(f"within_{k}" for k in range(len(budget_steps())))


def summarize_clocks(segments: Segments, metric: Metric = TEST_ACCURACY) -> pd.DataFrame:
    """Read the smoothed clocks of each segment (S rows), indexed by the position of its point.

    Args:
        segments: measurements at constant η and λ.
        metric: the quantity by which points are judged.

    Returns:
        For each of ``smoothed_clocks``: ``NAME_epoch``, ``NAME_step``, ``NAME_kappa`` (decay time), NaN where the
            quantity was not measured, and ``NAME_observed`` (the extremum is past). ``noise`` is the standard deviation
            of the metric about its smoothed curve, on the plateau. ``within_K`` is the best smoothed accuracy within
            the budget K of ``budget_steps``, where accuracy is the metric.
    """
    bins = bin_measurements(segments)
    quantities: dict[str, tuple[StoredFloats, float]] = {
        "smooth": (segments.score, 1.0),
        "test_loss": (segments.test_loss, -1.0),
        "train_loss": (segments.train_loss, -1.0),
    }
    columns: dict[str, object] = {}
    for name in smoothed_clocks(metric):
        values, sign = quantities[name]
        curves = smooth_curves(bins, sign * values)
        peaks = find_smooth_peaks(curves, segments.epoch)
        at = bins.middle[np.maximum(peaks.bin, 0)] if len(bins.middle) else np.empty(0, dtype=np.int64)
        absent = peaks.bin < 0
        columns[f"{name}_epoch"] = np.where(absent, np.nan, segments.epoch[at])
        columns[f"{name}_step"] = np.where(absent, np.nan, segments.step[at].astype(np.float64))
        columns[f"{name}_kappa"] = np.where(absent, np.nan, segments.decay_time[at])
        columns[f"{name}_observed"] = peaks.observed
        if name == "smooth":
            columns["noise"] = peaks.noise
        if name == "smooth" and metric.is_accuracy:
            past = peaks.observed | (segments.decay_time[segments.last] >= PAST_PEAK_DECAY_TIME)
            best = best_within_steps(curves, past)
            columns |= {name: best[:, k] for k, name in enumerate(_WITHIN)}
    return pd.DataFrame(columns, index=segments.owner)


def read_clocks(
    peaks: pd.DataFrame, summary: pd.DataFrame, paper: Clock, tolerance: float, metric: Metric = TEST_ACCURACY
) -> tuple[Clock, ...]:
    """Fit the law to each clock.

    Args:
        peaks: of ``find_peaks``, at constant η and λ.
        summary: of ``summarize_clocks``, for any of the same points.
        paper: the law as t* shows it, which comes first.
        tolerance: accuracy within which a λ is as good as the best.
        metric: the quantity by which points are judged.
    """
    summary = summary.reindex(range(len(peaks))).set_axis(peaks.index)
    clocks = [paper]
    for name in smoothed_clocks(metric):
        seen = summary[f"{name}_observed"].eq(True).to_numpy(dtype=np.bool_)
        times = peaks.assign(
            t_star=summary[f"{name}_epoch"],
            t_star_step=summary[f"{name}_step"],
            kappa=_positive_lam(peaks, summary[f"{name}_kappa"]),
            censored=~seen,
        )
        times = times[np.isfinite(times["t_star"].to_numpy(dtype=np.float64))]
        clocks.append(clock_of(name, fit_exponents(times), fit_decay_time(times), times))
    return (*clocks, _read_edge(peaks, summary, tolerance)) if metric.is_accuracy else tuple(clocks)


def _read_edge(peaks: pd.DataFrame, summary: pd.DataFrame, tolerance: float) -> Clock:
    fit = fit_edge(peaks, summary[list(_WITHIN)].to_numpy(dtype=np.float64), tolerance)
    return Clock(
        name="edge",
        exponent=fit.gamma,
        kappa=fit.kappa,
        spread=fit.spread,
        points_used=fit.points_used,
        censored=0,
    )


def _positive_lam(peaks: pd.DataFrame, kappa: pd.Series) -> Floats:
    return np.where(peaks["lam"].to_numpy(dtype=np.float64) > 0, kappa.to_numpy(dtype=np.float64), np.nan)
