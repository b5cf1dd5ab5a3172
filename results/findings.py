"""Everything that is computed from a sweep's measurements before anything is judged or drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from results.fits import ExponentFit, KappaFit, fit_exponents, fit_kappa
from results.peaks import find_peaks
from results.tables import tuned_and_predicted, within_budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Tables and fits of one sweep.

    Attributes:
        peaks: of ``find_peaks``, one row a point.
        within: of ``within_budget``, one row a point and budget.
        prediction: of ``tuned_and_predicted``, one row per η and budget.
        exponents: of ``fit_exponents``.
        kappa: of ``fit_kappa``.
        tolerance: that of t*.
    """

    peaks: pd.DataFrame
    within: pd.DataFrame
    prediction: pd.DataFrame
    exponents: ExponentFit
    kappa: KappaFit
    tolerance: float


def find(rows: pd.DataFrame, points: pd.DataFrame, tolerance: float, budgets: Sequence[float]) -> Findings:
    """Compute the findings of a sweep.

    Args:
        rows: measurements, columns of ``results.schema`` and further axes; may be empty.
        points: one row a point, with ``seed``, ``eta``, ``lam``, ``mu``, ``outcome``.
        tolerance: accuracy within which a measurement counts as the maximum (paper: 0.5 %).
        budgets: T in epochs at which λ_pred is compared with the tuned λ.

    Raises:
        ValueError: a column is missing or a point occurs twice.
    """
    peaks = find_peaks(rows, points, tolerance)
    return Findings(
        peaks=peaks,
        within=within_budget(rows, budgets, tolerance),
        prediction=tuned_and_predicted(rows, peaks, budgets, tolerance),
        exponents=fit_exponents(peaks),
        kappa=fit_kappa(peaks),
        tolerance=tolerance,
    )
