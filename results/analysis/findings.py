"""Findings of a sweep: everything that is computed from its measurements before anything is judged or drawn."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from results.analysis.budgets import tuned_and_predicted_from
from results.analysis.clocks.noise import AccuracyNoise, measure_noise
from results.analysis.clocks.reading import PAPER_CLOCK, Clock, clock_of, read_clocks
from results.analysis.fits import DecayTimeFit, ExponentFit, KappaFit, fit_exponents, fit_kappa
from results.analysis.peaks import find_peaks_from, improvement
from results.analysis.reduction import Question, Reduction, join, reduce_rows
from results.analysis.regime import TrainingRegime
from results.analysis.segments import POINT_COLUMNS, extra_axes
from search_spaces.sections.metric import TEST_ACCURACY, Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Tables and fits of one sweep.

    Attributes:
        peaks: table of ``find_peaks``, one row a point.
        steady: the same of the measurements before the first change of η or λ; ``peaks`` itself if neither changes.
        within: table of ``within_budget``, one row for each point and budget; ``acc`` is the best of the metric.
        prediction: table of ``tuned_and_predicted``, one row for each η and budget, likewise.
        exponents: result of ``fit_exponents`` on ``steady``.
        kappa: result of ``fit_kappa`` on ``steady``.
        clocks: the law as each clock shows it, the paper's first; its fits are ``exponents`` and ``kappa``.
        noise: noise of the test accuracies.
        curves: table of ``collapse_curves``, of the points whose curve is drawn.
        tolerance: distance from the best of the sweep within which a value counts as the best: an accuracy, unless the
            metric is another one.
        budgets: T in epochs at which λ_pred is compared with the tuned λ.
        regime: how the points trained.
        metric: the quantity by which points are judged.
    """

    peaks: pd.DataFrame
    steady: pd.DataFrame
    within: pd.DataFrame
    prediction: pd.DataFrame
    exponents: ExponentFit
    kappa: KappaFit
    clocks: tuple[Clock, ...]
    noise: AccuracyNoise
    curves: pd.DataFrame
    tolerance: float
    budgets: Sequence[float]
    regime: TrainingRegime
    metric: Metric


def find(
    rows: pd.DataFrame,
    points: pd.DataFrame,
    tolerance: float,
    budgets: Sequence[float],
    regime: TrainingRegime | None = None,
    metric: Metric = TEST_ACCURACY,
) -> Findings:
    """Compute the findings of a sweep.

    Args:
        rows: measurements, columns of ``results.store.schema`` and further axes; may be empty.
        points: one row a point, with ``seed``, ``eta``, ``lam``, ``mu``, ``outcome``.
        tolerance: accuracy within which a measurement counts as the maximum (paper: 0.5 %).
        budgets: T in epochs at which λ_pred is compared with the tuned λ.
        regime: how the points trained; at constant η and λ if None.
        metric: the quantity by which points are judged.

    Raises:
        ValueError: a column is missing or a point occurs twice.
    """
    axes = extra_axes(points) if rows.empty else [name for name in extra_axes(points) if name in rows]
    question = build_question(points, axes, tolerance, budgets, regime or TrainingRegime(), metric)
    return find_from([reduce_rows(rows, question)], question)


def build_question(
    points: pd.DataFrame,
    further: Collection[str],
    tolerance: float,
    budgets: Sequence[float],
    regime: TrainingRegime,
    metric: Metric = TEST_ACCURACY,
) -> Question:
    """Build the question that ``reduce_rows`` answers for every point.

    Args:
        points: one row a point, as for ``find``.
        further: axes beyond those of every sweep that rows have as columns; other columns of ``points`` are dropped.
        tolerance: accuracy within which a measurement counts as the maximum.
        budgets: T in epochs.
        regime: how the points trained.
        metric: the quantity by which points are judged.
    """
    kept = [name for name in points if name in POINT_COLUMNS or name in further]
    return Question(points=points[kept], tolerance=tolerance, budgets=budgets, regime=regime, metric=metric)


def find_from(parts: Iterable[Reduction], question: Question) -> Findings:
    """Compute the findings of a sweep from its rows, reduced in parts that hold whole points.

    Args:
        parts: reductions by ``reduce_rows``; together they may hold each point once.
        question: the question that they answer.
    """
    reduced, metric, regime = join(parts, question.points), question.metric, question.regime
    peaks, scale = find_peaks_from(reduced.peaks, question.points, metric), improvement(reduced.peaks, metric)
    steady = peaks if reduced.steady is None else find_peaks_from(reduced.steady, question.points, metric)
    exponents, kappa = fit_exponents(steady), fit_kappa(steady)
    paper = clock_of(PAPER_CLOCK, exponents, DecayTimeFit(kappa.kappa, kappa.kappa_gstd))
    prediction = tuned_and_predicted_from(
        reduced.within, reduced.probes, steady, question.budgets, regime, scale, extreme=metric.extreme
    )
    return Findings(
        peaks=peaks,
        steady=steady,
        within=_as_values(reduced.within, metric),
        prediction=_as_values(prediction, metric),
        exponents=exponents,
        kappa=kappa,
        clocks=read_clocks(steady, reduced.clocks, paper, question.tolerance, metric),
        noise=measure_noise(steady, reduced.clocks["noise"].reindex(range(len(steady))), metric),
        curves=reduced.curves,
        tolerance=question.tolerance * scale,
        budgets=question.budgets,
        regime=regime,
        metric=metric,
    )


def _as_values(table: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Return a table of budgets with values of the metric in place of scores."""
    scores = [name for name in ("acc", "acc_tuned", "acc_zero", "acc_pred") if name in table]
    return table.assign(**{name: metric.score(table[name]) for name in scores})
