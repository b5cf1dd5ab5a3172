"""Tables of what each figure of a sweep shows: the CSV saved beside a figure is exactly what it shows.

Input tables may lack columns, be empty or hold NaN. What cannot be drawn is left out here, so that drawing never fails.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from results.analysis.bootstrap import IntervalEstimate
from results.analysis.clocks.reading import Clock
from results.analysis.fits import ExponentFit, KappaFit
from results.analysis.segments import floats
from results.figures.columns import BROKEN_OUTCOMES, is_positive, numeric_column
from search_spaces.sections.metric import TEST_ACCURACY, Metric

MAX_CURVE_ROWS = 12_000  # in one figure: the SVG of the paper's largest grid stays near one megabyte
MAX_PREDICTED_ETAS = 6  # more overlap until they are unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class LawLine:
    """The fitted law log10 t*_steps = intercept + slope · log10(ηλ/(1-μ)); NaN where a number is not known.

    Attributes:
        slope: Slope of the fit.
        slope_low: Lower end of its interval.
        slope_high: Upper end of its interval.
        intercept: Intercept of the fit, log10 of steps.
        kappa: κ, the decay time at t* with the slope fixed to -1.
        kappa_low: Lower end of its interval.
        kappa_high: Upper end of its interval.
        decay_per_rate: Decay time of a step where ηλ/(1-μ) is 1: 1 if λ is a weight decay, 2 in the convention
            ``square``, the number of training samples in ``per_sample``.
    """

    slope: float
    slope_low: float
    slope_high: float
    intercept: float
    kappa: float
    kappa_low: float
    kappa_high: float
    decay_per_rate: float = 1.0


def law_line(exponents: ExponentFit, kappa: KappaFit, peaks: pd.DataFrame) -> LawLine | None:
    """Return the law to draw.

    Args:
        exponents: Fit of the slopes.
        kappa: Fit of κ.
        peaks: Table of the points, at constant η and λ.

    Returns:
        None if no slope could be fitted.
    """
    if exponents.gamma is None:
        return None
    return _line(exponents.gamma, exponents.intercept, kappa.kappa, peaks)


def clock_line(clock: Clock) -> LawLine | None:
    """Return the law as a clock shows it.

    Args:
        clock: A clock that is read off single points.

    Returns:
        None if no exponent could be fitted.
    """
    if clock.exponent is None or clock.times is None:
        return None
    return _line(clock.exponent, clock.intercept, clock.kappa, clock.times)


def _line(
    exponent: IntervalEstimate, intercept: float, kappa: IntervalEstimate | None, points: pd.DataFrame
) -> LawLine:
    """Return the line of a fitted exponent, with κ, in the units of the points."""
    slope, slope_low, slope_high = _bounds(exponent)
    middle, low, high = _bounds(kappa)
    return LawLine(
        slope=slope,
        slope_low=slope_low,
        slope_high=slope_high,
        intercept=intercept,
        kappa=middle,
        kappa_low=low,
        kappa_high=high,
        decay_per_rate=_decay_per_rate(points),
    )


def _decay_per_rate(peaks: pd.DataFrame) -> float:
    """Return the median of κ over t*·ηλ/(1-μ), t* in steps; they differ by the grid's convention of λ."""
    star = peaks[(floats(peaks, "t_star_step") > 0) & (floats(peaks, "kappa") > 0)]
    if star.empty:
        return 1.0
    rate = floats(star, "eta") * floats(star, "lam") / (1.0 - floats(star, "mu"))
    return float(np.median(floats(star, "kappa") / (floats(star, "t_star_step") * rate)))


class _Bounds(NamedTuple):
    """An estimate with the ends of its interval.

    Attributes:
        value: The estimate.
        low: Lower end of its interval.
        high: Upper end of its interval.
    """

    value: float
    low: float
    high: float


def _bounds(estimate: IntervalEstimate | None) -> _Bounds:
    """Return value, low and high of an estimate; NaN where there is none."""
    nan = float("nan")
    if estimate is None:
        return _Bounds(nan, nan, nan)
    return _Bounds(estimate.value, *(estimate.interval or (nan, nan)))


def sweep_data(peaks: pd.DataFrame, within: pd.DataFrame, metric: Metric = TEST_ACCURACY) -> pd.DataFrame:
    """Return the table of the figure of a sweep.

    The panels are ``t_star`` (epochs), ``best_test_acc`` (or the best of another metric) and ``within_budget``. The
    last shows one η: that of most rows, the middle one of several.

    Returns:
        One row a mark: panel, point, eta, lam, seed, budget_at, y, and mark. The mark is observed, censored (y is a
        lower bound) or broken (the point diverged or failed).
    """
    points = _select(peaks, "point", "eta", "lam", "seed", "outcome", "t_star", metric.best, "censored")
    broken = points["outcome"].isin(BROKEN_OUTCOMES)
    time = points.assign(panel="t_star", y=points["t_star"], mark=_bound_marks(points))
    time = time[~broken & is_positive(time["y"]) & is_positive(time["lam"])]
    mark = np.where(broken, "broken", "observed")
    best = _with_finite_y(points.assign(panel=metric.best, y=points[metric.best], mark=mark))
    reached = _select(within, "point", "eta", "lam", "seed", "budget_at", "acc")
    reached = _with_finite_y(reached.assign(panel="within_budget", y=reached["acc"], mark="observed"))
    count = reached["eta"].value_counts().sort_index()
    fullest = count.index[count == count.max()]
    if len(fullest):
        reached = reached[reached["eta"] == fullest[(len(fullest) - 1) // 2]]
    return _concatenate([time, best, reached], ["panel", "point", "eta", "lam", "seed", "budget_at", "y", "mark"])


def collapse_data(peaks: pd.DataFrame, curves: pd.DataFrame, metric: Metric = TEST_ACCURACY) -> pd.DataFrame:
    """Return the table of the collapse on decay time.

    The panels are ``curve`` (the metric against s), ``peak`` (its best at κ) and ``law`` (t* in steps against
    ηλ/(1-μ)).

    Returns:
        One row a mark: panel, point, eta, lam, seed, x, y, mark. The mark is observed, censored, or outside: not in the
        fit, by column in_law of ``peaks`` if present. Points with λ = 0 have no decay time and are left out.
    """
    runs = _select(curves, "point", "eta", "lam", "seed", "decay_time", metric.column)
    runs = runs.assign(panel="curve", x=runs["decay_time"], y=runs[metric.column], mark="observed")
    runs = _with_finite_y(runs[is_positive(runs["x"]) & is_positive(runs["eta"]) & is_positive(runs["lam"])])
    place = runs.groupby(["point", "seed", "eta", "lam"], dropna=False).cumcount()
    runs = runs[place % max(1, -(-len(runs) // MAX_CURVE_ROWS)) == 0]
    measured = ("t_star_step", "kappa", metric.best, "censored", "in_law")
    points = _select(peaks, "point", "eta", "lam", "mu", "seed", "outcome", *measured)
    points = points[~points["outcome"].isin(BROKEN_OUTCOMES) & is_positive(points["lam"])]
    points = points.assign(mark=np.where(points["in_law"].eq(False), "outside", _bound_marks(points)))
    rate = (
        numeric_column(points, "eta")
        * numeric_column(points, "lam")
        / (1.0 - np.nan_to_num(numeric_column(points, "mu")))
    )
    law = points.assign(panel="law", x=rate, y=points["t_star_step"])
    peak = _with_finite_y(points.assign(panel="peak", x=points["kappa"], y=points[metric.best]))
    parts = [runs, peak[is_positive(peak["x"])], law[is_positive(law["x"]) & is_positive(law["y"])]]
    return _concatenate(parts, ["panel", "point", "eta", "lam", "seed", "x", "y", "mark"])


def prediction_data(prediction: pd.DataFrame) -> pd.DataFrame:
    """Return λ tuned and predicted, and their accuracies, for each η (at most six) and budget.

    Returns:
        Medians over seeds and further axes; lam_tuned_low and lam_tuned_high are the ends over all of them.
    """
    merge = dict.fromkeys(("lam_tuned", "lam_pred", "acc_tuned", "acc_pred", "acc_zero"), "median")
    merge |= {"lam_tuned_low": "min", "lam_tuned_high": "max"}
    rows = _select(prediction, "eta", "budget_at", *merge).apply(pd.to_numeric, errors="coerce")
    rows = rows[is_positive(rows["eta"]) & is_positive(rows["budget_at"])]
    rows = rows[is_positive(rows["lam_tuned"]) | is_positive(rows["lam_pred"])]
    etas = np.unique(numeric_column(rows, "eta"))
    keep = np.linspace(0, len(etas) - 1, min(len(etas), MAX_PREDICTED_ETAS)).round().astype(int)
    chosen: pd.DataFrame = rows[rows["eta"].isin(etas[keep])]
    return chosen.groupby(["eta", "budget_at"], as_index=False, sort=True).agg(merge)


def _bound_marks(points: pd.DataFrame) -> np.ndarray:
    """Return the mark of each point: censored or observed."""
    return np.where(points["censored"].eq(True), "censored", "observed")


def _with_finite_y(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a finite y."""
    finite: pd.DataFrame = rows[np.isfinite(numeric_column(rows, "y"))]
    return finite


def _select(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Return these columns alone, NaN where one is absent, under a fresh index."""
    return table.reindex(columns=list(names)).reset_index(drop=True)


def _concatenate(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Return the non-empty parts as one table of these columns."""
    full = [part.reindex(columns=list(columns)) for part in parts if len(part)]
    return pd.concat(full, ignore_index=True) if full else pd.DataFrame(columns=list(columns))
