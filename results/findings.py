"""Everything that is computed from a sweep's measurements before anything is judged or drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from results.fits import ExponentFit, KappaFit, fit_exponents, fit_kappa
from results.peaks import find_peaks
from results.setup import Setup
from results.tables import steady_rows, tuned_and_predicted, within_budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Tables and fits of one sweep.

    Attributes:
        peaks: of ``find_peaks``, one row a point.
        steady: the same of the measurements before the first change of η or λ; ``peaks`` itself if neither changes.
        within: of ``within_budget``, one row a point and budget.
        prediction: of ``tuned_and_predicted``, one row per η and budget.
        exponents: of ``fit_exponents`` on ``steady``.
        kappa: of ``fit_kappa`` on ``steady``.
        tolerance: that of t*.
        setup: how the points trained.
    """

    peaks: pd.DataFrame
    steady: pd.DataFrame
    within: pd.DataFrame
    prediction: pd.DataFrame
    exponents: ExponentFit
    kappa: KappaFit
    tolerance: float
    setup: Setup


def find(
    rows: pd.DataFrame,
    points: pd.DataFrame,
    tolerance: float,
    budgets: Sequence[float],
    setup: Setup | None = None,
) -> Findings:
    """Compute the findings of a sweep.

    Args:
        rows: measurements, columns of ``results.schema`` and further axes; may be empty.
        points: one row a point, with ``seed``, ``eta``, ``lam``, ``mu``, ``outcome``.
        tolerance: accuracy within which a measurement counts as the maximum (paper: 0.5 %).
        budgets: T in epochs at which λ_pred is compared with the tuned λ.
        setup: how the points trained; if None, at constant η and λ.

    Raises:
        ValueError: a column is missing or a point occurs twice.
    """
    setup = setup or Setup()
    peaks = find_peaks(rows, points, tolerance)
    before = steady_rows(rows, points, setup)
    steady = peaks if before is rows else find_peaks(before, points, tolerance)
    return Findings(
        peaks=peaks,
        steady=steady,
        within=within_budget(rows, budgets, tolerance, setup),
        prediction=tuned_and_predicted(rows, steady, budgets, tolerance, setup),
        exponents=fit_exponents(steady),
        kappa=fit_kappa(steady),
        tolerance=tolerance,
        setup=setup,
    )
