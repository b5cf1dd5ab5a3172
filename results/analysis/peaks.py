"""Peak of each point: t*, κ, and whether the maximum was really seen or the run ended too early."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.analysis.segments import (
    PEAK_COLUMNS,
    POINT_COLUMNS,
    ROUNDING,
    Bools,
    Floats,
    Ints,
    Segments,
    StoredFloats,
    extra_axes,
    floats,
    require,
    sort_measurements,
)
from results.analysis.selection import MIN_LEARNED_SHARE, PAST_PEAK_DECAY_TIME
from search_spaces.outcome import TRAINED
from search_spaces.sections.metric import TEST_ACCURACY, Metric

__all__ = ["find_peak_indices", "find_peaks", "find_peaks_from", "improvement", "summarize_peaks"]

LASTING = 2.0  # t* within which a run that stays on a plateau would have shown a later maximum
TAIL_START = 0.9  # share of a run's last epoch at which its last tenth starts


def find_peaks(
    rows: pd.DataFrame, points: pd.DataFrame, tolerance: float = 0.005, metric: Metric = TEST_ACCURACY
) -> pd.DataFrame:
    """Find t* of every point: the earliest measurement within ``tolerance`` of the best metric of the point.

    This is the optimum time of the paper's figures 2a, 2d, 3a and 3d. Points without any measurement are kept, with
    NaN.

    Args:
        rows: measurements, columns of ``results.store.schema``, in any order; may be empty.
        points: one row a point, with its axes and ``outcome``.
        tolerance: absolute accuracy; the paper takes 0.5 %. Of another metric it is a share of the way from
            the first measurement to the best.
        metric: the quantity by which points are judged.

    Returns:
        One row for each row of ``points``, in that order. Its own columns come first, then ``t_star`` (epochs),
            ``t_star_step`` (steps), ``kappa`` (decay time at t*, NaN for λ = 0), ``best_test_acc``, ``best_epoch``,
            ``last_test_acc`` (at the last measurement), ``best_train_acc``, ``t_train1`` (epoch of the first
            measurement with training accuracy 1, NaN if none), ``acc_train1`` (test accuracy there), ``t_min_loss``
            (epoch of the smallest training loss), ``min_train_loss``, ``last_train_loss`` (mean over the last tenth of
            the run; NaN where none was measured), ``last_epoch``, ``last_step``, ``last_decay_time``,
            ``measurements``, ``censored`` (t* is only a lower bound), ``censored_why`` ("" if not). With another metric
            than the test accuracy come ``best_`` and ``last_`` of it, and ``learned``: whether the point came at least
            half of the way to the best value of the sweep.

    Raises:
        ValueError: a column is missing, a point occurs twice, or ``tolerance`` is not in [0, 1).
    """
    if not 0 <= tolerance < 1:
        raise ValueError(f"tolerance is an accuracy between 0 and 1, not {tolerance}")
    require(points, ("point", "eta", "lam", "outcome"), "points")
    kept = [name for name in points.columns if name in POINT_COLUMNS]
    # A column that only `points` has is bookkeeping; an axis of the grid is in both tables.
    axes = [name for name in extra_axes(points) if rows.empty or name in rows.columns]
    segments = sort_measurements(rows, points["point"], metric)
    return find_peaks_from(summarize_peaks(segments, tolerance, metric), points[[*kept, *axes]], metric)


def find_peaks_from(summary: pd.DataFrame, points: pd.DataFrame, metric: Metric = TEST_ACCURACY) -> pd.DataFrame:
    """Return the table of ``find_peaks`` from summaries.

    Args:
        summary: of ``summarize_peaks``, for any points among these.
        points: columns to keep of every point.
        metric: the quantity by which points are judged.
    """
    summary = summary.reindex(range(len(points)))
    if not metric.is_accuracy:
        best, gain = metric.score(floats(summary, metric.best)), improvement(summary, metric)
        learned = best >= _top(best) - (1 - MIN_LEARNED_SHARE) * gain
        summary = summary.drop(columns=_FIRST).assign(learned=learned)
    peaks = pd.concat([points.reset_index(drop=True), summary], axis=1)
    peaks["kappa"] = np.where(floats(peaks, "lam") > 0, floats(peaks, "kappa"), np.nan)
    peaks["measurements"] = peaks["measurements"].fillna(0).astype(np.int64)
    unmeasured = peaks["measurements"].to_numpy() == 0
    peaks["censored"] = unmeasured | peaks["censored"].eq(True).to_numpy(dtype=np.bool_)
    peaks["censored_why"] = _reasons(peaks, unmeasured, metric)
    return peaks


def improvement(summary: pd.DataFrame, metric: Metric) -> float:
    """Return the scale of a sweep's metric: 1 of an accuracy, else the way from the first measurements to the best.

    The way begins at their median: of points that diverge at once, the first measurement may be anything.

    Args:
        summary: of ``summarize_peaks``.
        metric: the quantity by which points are judged.
    """
    if metric.is_accuracy:
        return 1.0
    best, first = (metric.score(floats(summary, name)) for name in (metric.best, _FIRST))
    return _top(best) - float(np.nanmedian(first)) if np.isfinite(best).any() else 0.0


def _top(best: Floats) -> float:
    """Return the largest of some scores (n,), NaN apart; -inf if there is none."""
    return float(np.max(best, initial=-np.inf, where=np.isfinite(best)))


def summarize_peaks(segments: Segments, tolerance: float, metric: Metric = TEST_ACCURACY) -> pd.DataFrame:
    """Return the columns of ``find_peaks`` for each segment (S rows), indexed by the position of its point.

    With another metric than the test accuracy, ``_FIRST`` stands in place of ``learned``, which needs all points.
    """
    last, peak = segments.last, find_peak_indices(segments, tolerance, metric)
    fit = _training_fit(segments, peak.tail)
    columns: dict[str, object] = {
        "t_star": segments.epoch[peak.star],
        "t_star_step": segments.step[peak.star].astype(np.float64),
        "kappa": segments.decay_time[peak.star],
        "best_test_acc": peak.best_score if metric.is_accuracy else _known_maximum(segments),
        "best_epoch": segments.epoch[peak.best],
        "last_test_acc": segments.test_acc[last],
        "best_train_acc": np.where(np.isfinite(fit.best_acc), fit.best_acc, np.nan),
        "t_train1": _at(segments.epoch, fit.fitted),
        "acc_train1": _at(segments.test_acc, fit.fitted),
        "t_min_loss": _at(segments.epoch, fit.min_loss_at),
        "min_train_loss": np.where(np.isfinite(fit.min_loss), fit.min_loss, np.nan),
        "last_train_loss": fit.last_loss,
        "last_epoch": segments.epoch[last],
        "last_step": segments.step[last].astype(np.float64),
        "last_decay_time": segments.decay_time[last],
        "measurements": last - segments.start + 1,
    }
    columns["censored"] = ~peak.observed
    columns["censored_why"] = peak.censored_why
    table = pd.DataFrame(columns, index=segments.owner, columns=list(PEAK_COLUMNS))
    if metric.is_accuracy:
        return table
    ends = {metric.best: peak.best_score, metric.last: segments.score[last], _FIRST: segments.score[segments.start]}
    return table.assign(**{name: metric.score(scores) for name, scores in ends.items()})


def _known_maximum(segments: Segments) -> Floats:
    """Return the maximum test accuracy of each segment (S,); NaN where none was measured."""
    maximum = segments.maximum(np.where(np.isnan(segments.test_acc), -np.inf, segments.test_acc))
    return np.where(np.isfinite(maximum), maximum, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakIndices:
    """Positions of t* and of the maximum in each of S segments, and why t* is only a lower bound.

    Attributes:
        star: measurement at t* (S,).
        best: measurement at the best of the metric (S,).
        best_score: score of the metric there (S,).
        tail: first measurement of the last tenth of the run (S,).
        censored_why: why t* is only a lower bound (S,); empty where t* was observed.
    """

    star: Ints
    best: Ints
    best_score: Floats
    tail: Ints
    censored_why: np.ndarray

    @property
    def observed(self) -> Bools:
        """Segments whose t* was observed (S,)."""
        mask: Bools = self.censored_why == ""
        return mask


def find_peak_indices(segments: Segments, tolerance: float, metric: Metric = TEST_ACCURACY) -> PeakIndices:
    """Find in each segment the earliest measurement within ``tolerance`` of the best metric, and the best itself."""
    score = segments.score
    maximum, first = segments.maximum(score), score[segments.start]
    margin = metric.margin(tolerance + ROUNDING, maximum, first)
    star = segments.first_where(score >= segments.spread(maximum - margin))
    best = segments.first_where(score == segments.spread(maximum))
    tail = segments.first_at(TAIL_START * segments.epoch[segments.last])
    # t* is censored where the maximum or t* lies in the last tenth, or accuracy was not seen to fall. The rule was
    # chosen on real curves cut short at random: it missed 16 of 288 and flagged 0 of 27 whole ones. "Maximum in the
    # last tenth" alone missed 52. A plateau as long again as t*, past decay time 1, is as good as a fall: of such runs
    # trained four times as long, 13 of 16 kept their t*, and the others moved by 4 to 21 %.
    flat = segments.mean_from(tail, score) >= maximum - metric.margin(tolerance / 2 + ROUNDING, maximum, first)
    end = segments.last
    lasted = segments.epoch[end] >= LASTING * segments.epoch[star]
    lasted &= segments.decay_time[end] >= PAST_PEAK_DECAY_TIME
    reasons = [reason.format(extreme=metric.extreme, turn=_TURNS[metric.mode]) for reason in _WHY]
    why = np.select([lasted, best >= tail, star >= tail, flat], ["", *reasons], default="")
    return PeakIndices(star=star, best=best, best_score=maximum, tail=tail, censored_why=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class _TrainingFit:
    """Fit to the training set of each of S segments; an index of -1 or an infinite value where none was measured.

    Attributes:
        fitted: first measurement with training accuracy 1 (S,).
        best_acc: maximum training accuracy (S,).
        min_loss: minimum training loss (S,).
        min_loss_at: first measurement with it (S,).
        last_loss: mean training loss over the last tenth of the run (S,).
    """

    fitted: Ints
    best_acc: Floats
    min_loss: Floats
    min_loss_at: Ints
    last_loss: Floats


def _training_fit(segments: Segments, tail: Ints) -> _TrainingFit:
    """Find how well each segment fits the training set; ``tail`` (S,) is where its last tenth starts."""
    acc = np.where(np.isnan(segments.train_acc), -np.inf, segments.train_acc)
    loss = np.where(np.isfinite(segments.train_loss), segments.train_loss, np.inf)
    smallest = -segments.maximum(-loss)
    return _TrainingFit(
        fitted=segments.first_where(segments.train_acc >= np.float64(1 - ROUNDING)),
        best_acc=segments.maximum(acc),
        min_loss=smallest,
        min_loss_at=np.where(np.isfinite(smallest), segments.first_where(loss == segments.spread(smallest)), -1),
        last_loss=segments.mean_from(tail, segments.train_loss),
    )


_WHY = (
    "{extreme} in the last tenth of the run",
    "t* in the last tenth of the run",
    "not seen to {turn}: mean of the last tenth within half the tolerance of the {extreme}",
)
_TURNS = {"max": "fall", "min": "rise"}
_FIRST = "first"  # column of summaries: value of the metric at the first measurement


def _reasons(peaks: pd.DataFrame, unmeasured: Bools, metric: Metric) -> pd.Series:
    """Return why each t* is only a bound, led by the outcome where the run did not train as meant."""
    why = peaks["censored_why"].astype(object).where(~unmeasured, f"no measurement of {metric.title}")
    cut_short = ~peaks["outcome"].isin(TRAINED) & why.ne("")
    return why.where(~cut_short, peaks["outcome"].astype(object) + ": " + why).astype(object)


def _at(values: StoredFloats, index: np.ndarray) -> Floats:
    """Return the values at measurements (S,); NaN where an index is -1."""
    out = np.full(len(index), np.nan)
    out[index >= 0] = values[index[index >= 0]]
    return out
