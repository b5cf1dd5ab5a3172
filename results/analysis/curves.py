"""Learning curves on one axis of decay time."""

import numpy as np
import pandas as pd

from results.analysis.segments import AXES, Bools, Floats, Ints, Segments, extra_axes, floats, sort_measurements
from search_spaces.sections.metric import TEST_ACCURACY, Metric

MAX_CURVE_MEASUREMENTS = 400


def collapse_curves(rows: pd.DataFrame, peaks: pd.DataFrame) -> pd.DataFrame:
    """Thin test accuracy against decay time to 400 measurements a point, evenly in log step (figure S4).

    The first measurement, that at t* and the last are always kept. Points with λ = 0 have no decay time and are left
    out.

    Args:
        rows: measurements.
        peaks: of ``find_peaks`` on them.

    Returns:
        Columns ``point``, the axes of ``peaks`` (``seed``, ``eta``, ``lam``, ``mu``, further ones), ``step``,
            ``epoch``, ``decay_time``, ``test_acc``.
    """
    shown = peaks[floats(peaks, "lam") > 0].reset_index(drop=True)
    segments = sort_measurements(rows, shown["point"])
    names = ["point", *(name for name in AXES if name in shown.columns), *extra_axes(shown)]
    return collapse_curves_from(
        segments, shown[names].iloc[segments.owner], floats(shown, "t_star_step")[segments.owner]
    )


def collapse_curves_from(
    segments: Segments, axes: pd.DataFrame, star: Floats, metric: Metric = TEST_ACCURACY
) -> pd.DataFrame:
    """Return the table of ``collapse_curves`` from sorted measurements.

    Args:
        segments: measurements in S segments.
        axes: ``point`` and axes of each segment (S rows).
        star: t* of each segment in steps (S,).
        metric: the quantity of the curves, whose column takes the place of ``test_acc``.
    """
    kept = np.flatnonzero(_thinned(segments, star))
    curves = axes.iloc[segments.segment[kept]].reset_index(drop=True)
    return curves.assign(
        step=segments.step[kept],
        epoch=segments.epoch[kept],
        decay_time=segments.decay_time[kept],
        **{metric.column: metric.score(segments.score[kept])},
    )


def _thinned(segments: Segments, star: Floats) -> Bools:
    """Select the measurements to keep (n,): the first of each bin of log step, the one at t* (S,), and the last."""
    first, last, segment = segments.step[segments.start], segments.step[segments.last], segments.segment
    width = np.log1p(last - first) / (MAX_CURVE_MEASUREMENTS - 2)
    since = np.log1p(segments.step - first[segment])
    bins: Ints = (since / np.maximum(width, 1e-300)[segment]).astype(np.int64)
    bins = np.minimum(bins, MAX_CURVE_MEASUREMENTS - 3)
    key = segment * MAX_CURVE_MEASUREMENTS + bins
    keep: Bools = np.append(True, np.diff(key) != 0)[: len(key)]
    keep[segments.last] = True
    kept: Bools = keep | (segments.step == star[segment])
    return kept
