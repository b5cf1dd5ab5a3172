"""One pass over the measurements: what the analysis needs of each point, in tables as long as there are points.

Everything asked of a sweep's rows is asked of each point's rows alone. So rows are read in batches of whole points,
each is reduced where it was read, and what is fitted, judged and drawn are the small tables.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from results.analysis.budgets import find_probes, last_steady_epochs, within_budget_from
from results.analysis.curves import collapse_curves_from
from results.analysis.peaks import summarize_peaks
from results.analysis.regime import TrainingRegime
from results.analysis.segments import AXES, Floats, extra_axes, floats, sort_measurements

__all__ = ["ROW_COLUMNS", "Question", "Reduction", "join", "reduce_rows"]

ROW_COLUMNS = ("point", "step", "epoch", "decay_time", "test_acc", "train_acc", "train_loss")
# Curves that a figure can show; with as many as there are points a reader would see one grey area, and the table of
# curves would be the largest of all.
MAX_CURVES = 200


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of every point.

    Attributes:
        points: one row a point, with its axes and ``outcome``; no further columns but those of ``POINT_COLUMNS``.
        tolerance: accuracy within which a measurement counts as the maximum.
        budgets: T in epochs.
        regime: how the points trained.
    """

    points: pd.DataFrame
    tolerance: float
    budgets: Sequence[float]
    regime: TrainingRegime

    @cached_property
    def axes(self) -> pd.DataFrame:
        """The points with their axes alone (P rows)."""
        kept = [name for name in ("point", *AXES, "budget") if name in self.points]
        return self.points[[*kept, *extra_axes(self.points)]]

    @cached_property
    def limits(self) -> Floats:
        """The last epoch at constant η and λ of each point (P,)."""
        return last_steady_epochs(self.points, self.regime)

    @cached_property
    def drawn(self) -> np.ndarray:
        """Whether the curve of a point is wanted (P,): of all with lam > 0, or as many as can be told apart."""
        eta, lam = floats(self.points, "eta"), floats(self.points, "lam")
        positive = np.flatnonzero(lam > 0)
        ordered = positive[np.lexsort((eta[positive], eta[positive] * lam[positive]))]
        spread = np.linspace(0, len(ordered) - 1, min(len(ordered), MAX_CURVES)).round().astype(np.int64)
        wanted = np.zeros(len(lam), dtype=np.bool_)
        wanted[ordered[spread]] = True
        return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """Tables of some points or of all.

    Attributes:
        peaks: of ``summarize_peaks``, by position of the point.
        steady: the same of the measurements at constant η and λ; None if neither changes.
        within: of ``within_budget``.
        probes: of ``find_probes``.
        curves: of ``collapse``, of the points whose curve is drawn.
    """

    peaks: pd.DataFrame
    steady: pd.DataFrame | None
    within: pd.DataFrame
    probes: pd.DataFrame
    curves: pd.DataFrame


def reduce_rows(rows: pd.DataFrame, question: Question) -> Reduction:
    """Reduce the rows of some points; of a point all its rows are needed, in any order."""
    segments = sort_measurements(rows, question.points["point"])
    constant = bool(np.isinf(question.limits).all())
    steady = segments if constant else segments.until(question.limits[segments.owner])
    peaks = summarize_peaks(segments, question.tolerance)
    axes, fell = question.axes, ~peaks["censored"].to_numpy(dtype=np.bool_)
    chosen = question.drawn[segments.owner]
    drawn = segments.only(chosen)
    star = floats(peaks, "t_star_step")[chosen]
    return Reduction(
        peaks=peaks,
        steady=None if constant else summarize_peaks(steady, question.tolerance),
        within=within_budget_from(segments, axes.iloc[segments.owner], fell, question.budgets, question.regime),
        probes=find_probes(steady, axes, question.budgets, question.tolerance),
        curves=collapse_curves_from(drawn, axes.drop(columns="budget", errors="ignore").iloc[drawn.owner], star),
    )


def join(parts: Iterable[Reduction], points: pd.DataFrame) -> Reduction:
    """The tables of all points from those of batches: in the order of ``points``, ``within`` in that of their ids."""
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
        within=joined("within", np.sort(ids)),
        probes=joined("probes"),
        curves=joined("curves"),
    )
