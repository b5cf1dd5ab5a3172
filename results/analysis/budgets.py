"""Tables over budgets: the best accuracy within T, and the tuned beside the predicted λ."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from results.analysis.fits import geometric_mean_c
from results.analysis.peaks import find_peak_indices
from results.analysis.regime import TrainingRegime
from results.analysis.segments import AXES, Bools, Floats, Segments, extra_axes, floats, require, sort_measurements
from results.analysis.selection import PAST_PEAK_DECAY_TIME, in_law
from search_spaces.sections.metric import TEST_ACCURACY, Metric

TUNED_MARGIN = 0.001  # λ within 0.1 % of the best accuracy count as tuned: the error bars of the paper's figure 4b
PROBE_SHARE = 0.1  # a probe lasts a tenth of the budget
# Columns of ``results.store.schema`` that are no axes, named here so that a table from a notebook may lack some.
MEASURED = (
    *("sweep", "pack", "attempt", "budget", "step", "epoch", "decay_time", "eta_t", "lam_t"),
    *("train_acc", "test_acc", "train_loss", "test_loss", "weight_norm"),
)


def steady_rows(rows: pd.DataFrame, points: pd.DataFrame, regime: TrainingRegime) -> pd.DataFrame:
    """Return the measurements before the first change of η or λ, which the law is about (paper, section 3).

    Args:
        rows: measurements.
        points: one row a point, with its axes and, where ``regime`` has a schedule, ``budget``.
        regime: how the points trained.
    """
    shares = regime.constant_shares(points)
    if (shares == 1).all():
        return rows
    limit = pd.Series(last_steady_epochs(points, regime), index=points["point"].to_numpy())
    steady: pd.DataFrame = rows[floats(rows, "epoch") <= limit.reindex(rows["point"]).to_numpy()]
    return steady


def last_steady_epochs(points: pd.DataFrame, regime: TrainingRegime) -> Floats:
    """Return the last epoch of each point at its first η and λ (n,): infinite if they never change, -1 if at once."""
    shares = regime.constant_shares(points)
    if (shares == 1).all():
        return np.full(len(points), np.inf)
    ends = np.where(shares == 1, np.inf, shares * floats(points, "budget"))
    # At the epoch of the decay all steps so far were taken at the first η; at a share of 0 nothing is steady.
    return np.where(shares > 0, ends * (1 + 1e-9), -1.0)


def usual_budgets(points: pd.DataFrame, regime: TrainingRegime) -> tuple[float, ...]:
    """Choose the budgets T of a sweep that names none: a hundredth, a tenth and the whole of the longest, in epochs.

    Where a schedule stretches with the budget, a point shows its own budget alone: then the three longest budgets.

    Args:
        points: one row a point, with its axes and ``budget``.
        regime: how the points trained.
    """
    budgets = sorted({float(budget) for budget in floats(points, "budget")})
    if not budgets:
        return ()
    return tuple(budgets[-3:]) if regime.stretched(points).any() else tuple(budgets[-1] / k for k in (100, 10, 1))


def within_budget(
    rows: pd.DataFrame, budgets: Sequence[float], tolerance: float = 0.005, regime: TrainingRegime | None = None
) -> pd.DataFrame:
    """Find the best test accuracy of each point within each budget (the paper's figures 2c, 2f, 3c, 3f).

    A run that ended before T counts with its own maximum (the paper's "maximum during training") if that maximum was
    past. It was past where accuracy was seen to fall, or where the run trained to a decay time of
    ``PAST_PEAK_DECAY_TIME``. Any other run could still have risen until T.

    Where a schedule stretches with the budget, only points whose own budget is T count. A run whose η decays at other
    epochs, read at T, shows what no run of T epochs does.

    Args:
        rows: measurements, columns of ``results.store.schema`` and further axes.
        budgets: T in epochs.
        tolerance: accuracy by which a fall is recognized, as in ``find_peaks``.
        regime: how the points trained; at constant η if None.

    Returns:
        One row for each point with measurements and each budget: ``point``, the axes (``seed``, ``eta``, ``lam``,
            ``mu``, further ones), ``budget_at`` (T), ``acc`` (NaN if the point does not count), ``reached`` (last
            epoch, at most T).

    Raises:
        ValueError: a column is missing; with a schedule that includes ``budget``.
    """
    segments = sort_measurements(rows)
    fell = find_peak_indices(segments, tolerance).observed
    return within_budget_from(segments, _axes_of(rows, segments), fell, budgets, regime or TrainingRegime())


def within_budget_from(
    segments: Segments, axes: pd.DataFrame, fell: Bools, budgets: Sequence[float], regime: TrainingRegime
) -> pd.DataFrame:
    """Return the table of ``within_budget`` from sorted measurements; ``acc`` is the best score of their metric.

    Args:
        segments: measurements of S points.
        axes: their ``point`` and axes (S rows).
        fell: whose maximum was seen to be past (S,).
        budgets: T in epochs.
        regime: how the points trained.

    Raises:
        ValueError: ``axes`` lacks ``budget`` where a schedule is stretched to it.
    """
    stretched = regime.stretched(axes)
    if stretched.any():
        require(axes, ("budget",), "rows")
    ends = segments.epoch[segments.last]
    past = fell | (segments.decay_time[segments.last] >= PAST_PEAK_DECAY_TIME)
    parts = []
    for budget in dict.fromkeys(float(b) for b in budgets):
        stop = segments.first_at(np.full(len(ends), budget * (1 + 1e-9)), after=True)
        inside = segments.maximum(segments.score, stop)
        # A budget in whole steps may end up to one step early. A tolerance of 1 % is far below what moves a maximum.
        counts = (ends >= 0.99 * budget) | past
        if stretched.any():
            own_budget = (ends >= 0.99 * budget) & (np.abs(floats(axes, "budget") / budget - 1) <= 0.01)
            counts = np.where(stretched, own_budget, counts)
        acc = np.where(counts & np.isfinite(inside), inside, np.nan)
        parts.append(axes.assign(budget_at=budget, acc=acc, reached=np.minimum(ends, budget)))
    table = pd.concat(parts) if parts else axes.assign(budget_at=np.nan, acc=np.nan, reached=np.nan).iloc[:0]
    return table.drop(columns="budget", errors="ignore").reset_index(drop=True)


def tuned_and_predicted(
    rows: pd.DataFrame,
    peaks: pd.DataFrame,
    budgets: Sequence[float],
    tolerance: float = 0.005,
    regime: TrainingRegime | None = None,
) -> pd.DataFrame:
    """Put the tuned λ of every budget beside λ_pred = c/T of a probe ten times shorter (figure 4).

    With a piecewise schedule λ_pred = c/T₁, where T₁ is the epoch of the first decay (later version of the paper,
    section 3). The accuracy is then to peak when η first falls, and c is measured before that. With warm-up, a cosine
    or AutoL2 there is no stretch at constant η and λ to measure c on, and no λ_pred.

    c is the geometric mean of t*·λ over the probe points (``find_probes``). These are the points of the law, at the
    same η, seed and further axes, whose measurements up to T/10 alone show their maximum to be past.
    ``results.analysis.fits`` says why c is not estimated as elsewhere. ``acc_pred`` is interpolated linearly in log λ
    between the neighbors in the grid.

    Args:
        rows: measurements.
        peaks: of ``find_peaks`` on them, or on their ``steady_rows``.
        budgets: T in epochs.
        tolerance: as in ``within_budget``.
        regime: how the points trained; at constant η if None.

    Returns:
        One row for each combination of ``seed``, ``eta``, ``mu``, further axes, and each budget. After these axes come
            ``budget_at`` (T), ``peak_at`` (T or T₁, by which the accuracy is to peak; NaN where λ_pred is not defined),
            ``lam_tuned``, ``lam_tuned_low``, ``lam_tuned_high`` (all λ within 0.1 % of the best), ``lams`` (number of λ
            > 0 with an accuracy within this budget), ``lam_min`` and ``lam_max`` of these, ``acc_tuned``, ``acc_zero``
            (λ = 0), ``probe_points``, ``c`` (epochs), ``lam_pred``, ``acc_pred`` (NaN outside ``lam_min`` to
            ``lam_max``), ``gap`` (``acc_tuned`` - ``acc_pred``), ``ratio`` (``lam_pred``/``lam_tuned``), ``why`` ("" if
            complete).

    Raises:
        ValueError: a column is missing.
    """
    require(peaks, ("point", "seed", "eta", "lam", "mu", "t_star", "censored"), "peaks")
    regime = regime or TrainingRegime()
    within = within_budget(rows, budgets, tolerance, regime)
    steady = sort_measurements(steady_rows(rows, peaks, regime), peaks["point"])
    probes = find_probes(steady, peaks[["point"]], budgets, tolerance)
    return tuned_and_predicted_from(within, probes, peaks, budgets, regime)


def find_probes(
    steady: Segments,
    points: pd.DataFrame,
    budgets: Sequence[float],
    tolerance: float,
    metric: Metric = TEST_ACCURACY,
) -> pd.DataFrame:
    """Find t* as probes of a tenth of each budget see it, for the points whose maximum is past by then.

    It is past where ``find_peaks`` has an observed t* and the probe had trained to a decay time of
    ``PAST_PEAK_DECAY_TIME``. Before that a fall may be one of the first epochs: on digits 12 of 188 such probes gave a
    t* more than 25 % too early, up to a factor of 50. At a decay time of 1 none did.

    Args:
        steady: measurements at constant η and λ.
        points: those that the segments belong to, with ``point``.
        budgets: T in epochs.
        tolerance: as in ``find_peaks``.
        metric: the quantity by which points are judged.

    Returns:
        Columns ``point``, ``budget_at`` (T), ``t_star`` (epochs).
    """
    parts = []
    for budget in dict.fromkeys(float(b) for b in budgets):
        short = steady.until(np.full(len(steady.start), PROBE_SHARE * budget * (1 + 1e-9)))
        peak = find_peak_indices(short, tolerance, metric)
        seen = peak.observed & (short.decay_time[short.last] >= PAST_PEAK_DECAY_TIME)
        ids = points["point"].iloc[short.owner[seen]].to_numpy()
        parts.append(pd.DataFrame({"point": ids, "budget_at": budget, "t_star": short.epoch[peak.star[seen]]}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["point", "budget_at", "t_star"])


def tuned_and_predicted_from(
    within: pd.DataFrame,
    probes: pd.DataFrame,
    peaks: pd.DataFrame,
    budgets: Sequence[float],
    regime: TrainingRegime,
    scale: float = 1.0,
    *,
    extreme: str = "maximum",
) -> pd.DataFrame:
    """Return the table of ``tuned_and_predicted`` from reduced tables; accuracies are scores of the metric.

    Args:
        within: of ``within_budget``.
        probes: of ``find_probes``.
        peaks: of ``find_peaks``, at constant η and λ.
        budgets: T in epochs.
        regime: how the points trained.
        scale: of the metric, by ``improvement``; the margin of a tuned λ is a share of it.
        extreme: the best of the metric in words.
    """
    axes = ["seed", "eta", "mu", *extra_axes(peaks)]
    learned = peaks.loc[in_law(peaks), ["point", "lam"]]
    records: list[dict[str, object]] = []
    for budget in dict.fromkeys(float(b) for b in budgets):
        accuracies = within.loc[within["budget_at"] == budget, ["point", "acc"]].astype({"point": object})
        reached = peaks[["point", "lam"]].merge(accuracies, on="point", how="left").set_axis(peaks.index)
        seen = learned.merge(probes[probes["budget_at"] == budget], on="point").set_index("point")
        for _, group in peaks.groupby(axes, dropna=False, sort=True):
            cell = {name: group[name].iloc[0] for name in axes}
            here = reached.loc[group.index]
            probe = seen[seen.index.isin(group["point"])]
            never = regime.never_constant(group)
            share = regime.constant_share(cell)
            predicted = _undefined(never) if never else _predicted(probe, here, budget, share, extreme)
            records.append(cell | {"budget_at": budget} | _tuned(here, TUNED_MARGIN * scale) | predicted)
    table = pd.DataFrame(records, columns=[*axes, "budget_at", *_TUNED, *_PREDICTED])
    table = table.astype(dict.fromkeys(["budget_at", *_TUNED, *_PREDICTED[:-1]], "float64"))
    table = table.sort_values([*axes, "budget_at"], ignore_index=True)
    gap, ratio = table["acc_tuned"] - table["acc_pred"], table["lam_pred"] / table["lam_tuned"]
    why = table.pop("why")
    return table.assign(gap=gap, ratio=ratio, why=why)


def _axes_of(rows: pd.DataFrame, segments: Segments) -> pd.DataFrame:
    """Return the axes of each segment's point (S rows) from its first row; ``budget`` is the point's own."""
    extra = [name for name in extra_axes(rows) if name not in MEASURED]
    names = ["point", *(name for name in (*AXES, "budget") if name in rows.columns), *extra]
    if rows.empty:
        return pd.DataFrame(columns=names, index=range(0))
    first = rows[names][~rows["point"].duplicated()].set_index("point")
    return first.loc[segments.points[segments.owner]].reset_index(names="point")


_TUNED = ("lam_tuned", "lam_tuned_low", "lam_tuned_high", "lams", "lam_min", "lam_max", "acc_tuned", "acc_zero")
_PREDICTED = ("peak_at", "probe_points", "c", "lam_pred", "acc_pred", "why")


def _best_by_lam(here: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return the λ > 0 with an accuracy (L,), ascending, and the best accuracy at each (L,); points may share a λ."""
    counted = here[(floats(here, "lam") > 0) & np.isfinite(floats(here, "acc"))]
    best = counted.groupby("lam", sort=True)["acc"].max()
    return best.index.to_numpy(dtype=np.float64), best.to_numpy(dtype=np.float64)


def _tuned(here: pd.DataFrame, margin: float) -> dict[str, object]:
    """Return the tuned λ of one combination and budget, its range, and the accuracies, by the names of ``_TUNED``."""
    lam, acc = _best_by_lam(here)
    zero = floats(here, "acc")[floats(here, "lam") == 0]
    acc_zero = float(np.nanmax(zero)) if np.isfinite(zero).any() else np.nan
    if not len(lam):
        return dict(zip(_TUNED, (np.nan, np.nan, np.nan, 0, np.nan, np.nan, np.nan, acc_zero), strict=True))
    best = int(np.argmax(acc))
    spread = lam[acc >= acc[best] - margin]
    values: tuple[object, ...] = (lam[best], spread[0], spread[-1], len(lam), lam[0], lam[-1], acc[best], acc_zero)
    return dict(zip(_TUNED, values, strict=True))


def _predicted(probe: pd.DataFrame, here: pd.DataFrame, budget: float, share: float, extreme: str) -> dict[str, object]:
    """Return c of the probe points, and λ_pred = c over the epochs at constant η (a ``share`` of the budget)."""
    if probe.empty:
        before = " before the first decay" if share < 1 else ""
        why = f"no {extreme} is past{before} within a tenth of the budget of {budget:g} epochs"
        return _undefined(why) | {"peak_at": share * budget}
    c = geometric_mean_c(probe)
    lam_pred = c / (share * budget)
    acc, why = _interpolated(*_best_by_lam(here), lam_pred)
    return dict(zip(_PREDICTED, (share * budget, len(probe), c, lam_pred, acc, why), strict=True))


def _undefined(why: str) -> dict[str, object]:
    """Return the columns of a combination without λ_pred, with the reason."""
    return dict(zip(_PREDICTED, (np.nan, 0, np.nan, np.nan, np.nan, why), strict=True))


def _interpolated(lam: Floats, acc: Floats, at: float) -> tuple[float, str]:
    """Interpolate accuracies (L,) at a λ, linearly in log λ; return NaN and the reason outside the grid."""
    if not len(lam):
        return np.nan, "no lam > 0 has an accuracy within this budget"
    if not lam[0] * (1 - 1e-9) <= at <= lam[-1] * (1 + 1e-9):
        return np.nan, f"lam_pred = {at:.3g} lies outside the grid's {lam[0]:.3g} to {lam[-1]:.3g}"
    return float(np.interp(np.log(at), np.log(lam), acc)), ""
