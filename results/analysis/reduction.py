"""Reduction of the measurements to tables as long as there are points, in one pass.

Everything asked of a sweep's rows is asked of the rows of each point alone. So rows are read in batches of whole
points, and each batch is reduced where it was read. Fits, verdicts and figures use the small tables.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from results.analysis.budgets import find_probes, last_steady_epochs, within_budget_from
from results.analysis.clocks.reading import summarize_clocks
from results.analysis.curves import collapse_curves_from
from results.analysis.peaks import summarize_peaks
from results.analysis.regime import TrainingRegime
from results.analysis.segments import AXES, Floats, extra_axes, floats, sort_measurements
from search_spaces.sections.metric import TEST_ACCURACY, Metric

__all__ = ["ROW_COLUMNS", "Question", "Reduction", "join", "reduce_rows"]

ROW_COLUMNS = ("point", "step", "epoch", "decay_time", "test_acc", "train_acc", "train_loss", "test_loss")
# Number of curves that a figure can show. With one for every point a reader would see one gray area, and the table of
# curves would be the largest of all.
MAX_CURVES = 200


@dataclass(frozen=True, kw_only=True)
class Question:
    """The quantities asked of every point.

    Attributes:
        points: one row a point, with its axes and ``outcome``; no further columns but those of ``POINT_COLUMNS``.
        tolerance: accuracy within which a measurement counts as the maximum.
        budgets: T in epochs.
        regime: how the points trained.
        metric: the quantity by which points are judged.
    """

    points: pd.DataFrame
    tolerance: float
    budgets: Sequence[float]
    regime: TrainingRegime
    metric: Metric = TEST_ACCURACY

    @cached_property
    def axes(self) -> pd.DataFrame:
        """Points with their axes alone (P rows)."""
        kept = [name for name in ("point", *AXES, "budget") if name in self.points]
        return self.points[[*kept, *extra_axes(self.points)]]

    @cached_property
    def limits(self) -> Floats:
        """Last epoch of each point at constant η and λ (P,)."""
        return last_steady_epochs(self.points, self.regime)

    @cached_property
    def drawn(self) -> np.ndarray:
        """Points whose curve is drawn (P,): all with λ > 0, or as many as can be told apart."""
        eta, lam = floats(self.points, "eta"), floats(self.points, "lam")
        positive = np.flatnonzero(lam > 0)
        ordered = positive[np.lexsort((eta[positive], eta[positive] * lam[positive]))]
        spread = np.linspace(0, len(ordered) - 1, min(len(ordered), MAX_CURVES)).round().astype(np.int64)
        wanted = np.zeros(len(lam), dtype=np.bool_)
        wanted[ordered[spread]] = True
        return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """Tables of some points, or of all.

    Attributes:
        peaks: table of ``summarize_peaks``, indexed by the position of the point.
        steady: the same of the measurements at constant η and λ; None if neither changes.
        clocks: table of ``summarize_clocks``, likewise indexed, at constant η and λ.
        within: table of ``within_budget``.
        probes: table of ``find_probes``.
        curves: table of ``collapse_curves``, of the points whose curve is drawn.
    """

    peaks: pd.DataFrame
    steady: pd.DataFrame | None
    clocks: pd.DataFrame
    within: pd.DataFrame
    probes: pd.DataFrame
    curves: pd.DataFrame


def reduce_rows(rows: pd.DataFrame, question: Question) -> Reduction:
    """Reduce the rows of some points.

    Args:
        rows: measurements in any order; of a point all its rows are needed.
        question: the quantities asked of every point.
    """
    metric = question.metric
    segments = sort_measurements(rows, question.points["point"], metric)
    constant = bool(np.isinf(question.limits).all())
    steady = segments if constant else segments.until(question.limits[segments.owner])
    peaks = summarize_peaks(segments, question.tolerance, metric)
    axes, fell = question.axes, ~peaks["censored"].to_numpy(dtype=np.bool_)
    chosen = question.drawn[segments.owner]
    drawn = segments.only(chosen)
    star = floats(peaks, "t_star_step")[chosen]
    return Reduction(
        peaks=peaks,
        steady=None if constant else summarize_peaks(steady, question.tolerance, metric),
        clocks=summarize_clocks(steady, metric),
        within=within_budget_from(segments, axes.iloc[segments.owner], fell, question.budgets, question.regime),
        probes=find_probes(steady, axes, question.budgets, question.tolerance, metric),
        curves=collapse_curves_from(
            drawn, axes.drop(columns="budget", errors="ignore").iloc[drawn.owner], star, metric
        ),
    )


def join(parts: Iterable[Reduction], points: pd.DataFrame) -> Reduction:
    """Join the tables of batches into those of all points.

    Args:
        parts: reductions of batches, at least one.
        points: all points; the joined tables are in their order, and ``within`` is in the order of their ids.
    """
    parts = list(parts)
    ids = points["point"].to_numpy(dtype=object)

    def joined(name: str, ids: np.ndarray = ids) -> pd.DataFrame:
        tables = [table for table in (getattr(part, name) for part in parts) if len(table)]
        if not tables:
            empty: pd.DataFrame = getattr(parts[0], name)
            return empty
        table = pd.concat(tables, ignore_index=True)
        order = table["point"].map(pd.Series(np.arange(len(ids)), index=ids))
        if "budget_at" in table:
            order += len(ids) * pd.factorize(table["budget_at"])[0]
        ordered: pd.DataFrame = table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
        return ordered

    steady = [part.steady for part in parts if part.steady is not None]
    return Reduction(
        peaks=pd.concat([part.peaks for part in parts]),
        steady=pd.concat(steady) if steady else None,
        clocks=pd.concat([part.clocks for part in parts]),
        within=joined("within", np.sort(ids)),
        probes=joined("probes"),
        curves=joined("curves"),
    )
