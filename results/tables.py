"""Tables over budgets: the best accuracy within T, the tuned and the predicted lam, and the curves of the collapse."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from results.fits import PAST_PEAK, in_law
from results.peaks import find_peaks, summarise
from results.segments import PEAK_COLUMNS, Bools, Floats, Ints, Segments, extra_axes, floats, require, sort_measurements
from results.setup import Setup

__all__ = [
    "CURVE_MEASUREMENTS",
    "PAST_PEAK",
    "SPREAD",
    "collapse",
    "steady_rows",
    "tuned_and_predicted",
    "within_budget",
]

SPREAD = 0.001  # lam within 0.1 % of the best accuracy are as good as tuned: error bars of the paper's figure 4b
PROBE_SHARE = 0.1  # a short probe lasts a tenth of the budget
CURVE_MEASUREMENTS = 400
AXES = ("seed", "eta", "lam", "mu")
# Of `results.schema`; named here so that a table from a notebook may lack some.
MEASURED = (
    *("sweep", "pack", "attempt", "budget", "step", "epoch", "decay_time", "eta_t", "lam_t"),
    *("train_acc", "test_acc", "train_loss", "test_loss", "weight_norm"),
)


def steady_rows(rows: pd.DataFrame, points: pd.DataFrame, setup: Setup) -> pd.DataFrame:
    """The measurements before the first change of η or λ, which the law is about (paper, section 3).

    Args:
        rows: measurements.
        points: one row a point, with its axes and, where `setup` has a schedule, `budget`.
        setup: how the points trained.
    """
    shares = setup.constant_shares(points)
    if (shares == 1).all():
        return rows
    ends = np.where(shares == 1, np.inf, shares * floats(points, "budget"))
    # At the epoch of the decay all steps so far were taken at the first η; at a share of 0 nothing is steady.
    limit = pd.Series(np.where(shares > 0, ends * (1 + 1e-9), -1.0), index=points["point"].to_numpy())
    steady: pd.DataFrame = rows[floats(rows, "epoch") <= limit.reindex(rows["point"]).to_numpy()]
    return steady


def within_budget(
    rows: pd.DataFrame, budgets: Sequence[float], tolerance: float = 0.005, setup: Setup | None = None
) -> pd.DataFrame:
    """Best test accuracy of each point over its measurements up to each budget (the paper's figures 2c, 2f, 3c, 3f).

    A run that ended before T counts with its own maximum (the paper's "maximum during training") if that maximum was
    past: it was seen to fall, or it trained to a decay time of `PAST_PEAK`. Any other could still have risen until T.
    Where a schedule stretches with the budget, only points whose own budget is T count: read at T, a run whose η
    decays at other epochs shows what no run of T epochs does.

    Args:
        rows: measurements, columns of `results.schema` and further axes.
        budgets: T in epochs.
        tolerance: accuracy, for "seen to fall", as in `find_peaks`.
        setup: how the points trained; constant η if None.

    Returns:
        One row for each point with measurements and each budget: `point`, the axes (`seed`, `eta`, `lam`, `mu`,
        further ones), `budget_at` (T), `acc` (NaN if the point does not count), `reached` (last epoch, at most T).

    Raises:
        ValueError: a column is missing; with a schedule that includes `budget`.
    """
    segments = sort_measurements(rows)
    axes = _axes_of(rows, segments)
    stretched = (setup or Setup()).stretched(axes)
    if stretched.any():
        require(rows, ("budget",), "rows")
    ends = segments.epoch[segments.last]
    fell = ~summarise(segments, tolerance)["censored"].to_numpy(dtype=np.bool_)
    past = fell | (segments.decay_time[segments.last] >= PAST_PEAK)
    parts = []
    for budget in dict.fromkeys(float(b) for b in budgets):
        inside = segments.maximum(np.where(segments.epoch <= budget * (1 + 1e-9), segments.test_acc, -np.inf))
        # A budget in whole steps may end up to one step early: 1 % is far below what moves a maximum.
        counts = (ends >= 0.99 * budget) | past
        if stretched.any():
            own = (ends >= 0.99 * budget) & (np.abs(floats(axes, "budget") / budget - 1) <= 0.01)
            counts = np.where(stretched, own, counts)
        acc = np.where(counts & np.isfinite(inside), inside, np.nan)
        parts.append(axes.assign(budget_at=budget, acc=acc, reached=np.minimum(ends, budget)))
    table = pd.concat(parts) if parts else axes.assign(budget_at=np.nan, acc=np.nan, reached=np.nan).iloc[:0]
    return table.drop(columns="budget", errors="ignore").reset_index(drop=True)


def tuned_and_predicted(
    rows: pd.DataFrame,
    peaks: pd.DataFrame,
    budgets: Sequence[float],
    tolerance: float = 0.005,
    setup: Setup | None = None,
) -> pd.DataFrame:
    """The tuned lam of every budget beside lam_pred = c/T from what a ten times shorter probe would know (figure 4).

    With a piecewise schedule lam_pred = c/T₁, T₁ the epoch of the first decay (later version of the paper, section 3):
    the accuracy is to peak when η first falls, and c is measured before that. With warm-up, a cosine or AutoL2 there is
    no stretch at constant η and λ to measure c on, and no lam_pred.

    c is the geometric mean of t*·lam over the probe points: those of the law, at the same eta, seed and further axes,
    whose measurements up to T/10 alone show their maximum to be past. acc_pred is interpolated linearly in log lam
    between the grid's neighbours.

    Args:
        rows: measurements.
        peaks: of `find_peaks` on them, or on their `steady_rows`.
        budgets: T in epochs.
        tolerance: as in `within_budget`.
        setup: how the points trained; constant η if None.

    Returns:
        One row for each combination of `seed`, `eta`, `mu`, further axes, and each budget: these, then `budget_at`
        (T), `peak_at` (T or T₁, by which the accuracy is to peak; NaN where lam_pred is not defined), `lam_tuned`,
        `lam_tuned_low`, `lam_tuned_high` (all lam within 0.1 % of the best), `lams` (how many lam > 0 have an accuracy
        within this budget), `lam_min` and `lam_max` of these, `acc_tuned`, `acc_zero` (lam = 0), `probe_points`, `c`
        (epochs), `lam_pred`, `acc_pred` (NaN outside lam_min to lam_max), `gap` (acc_tuned -
        acc_pred), `ratio` (lam_pred/lam_tuned), `why` ("" if complete).

    Raises:
        ValueError: a column is missing.
    """
    axes = ["seed", "eta", "mu", *extra_axes(peaks)]
    require(peaks, ("point", "seed", "eta", "lam", "mu", "t_star", "censored"), "peaks")
    setup = setup or Setup()
    within = within_budget(rows, budgets, tolerance, setup)[["point", "budget_at", "acc"]]
    steady = steady_rows(rows, peaks, setup)
    records: list[dict[str, object]] = []
    for budget in dict.fromkeys(float(b) for b in budgets):
        probes = _probes(steady, peaks, PROBE_SHARE * budget, tolerance)
        for _, group in peaks.groupby(axes, dropna=False, sort=True):
            cell = {name: group[name].iloc[0] for name in axes}
            here = group[["point", "lam"]].merge(within[within["budget_at"] == budget], on="point")
            probe = probes[probes["point"].isin(group["point"])]
            never = setup.never_constant(group)
            predicted = _undefined(never) if never else _predicted(probe, here, budget, setup.constant_share(cell))
            records.append(cell | {"budget_at": budget} | _tuned(here) | predicted)
    table = pd.DataFrame(records, columns=[*axes, "budget_at", *_TUNED, *_PREDICTED])
    table = table.astype(dict.fromkeys(["budget_at", *_TUNED, *_PREDICTED[:-1]], "float64"))
    table = table.sort_values([*axes, "budget_at"], ignore_index=True)
    gap, ratio = table["acc_tuned"] - table["acc_pred"], table["lam_pred"] / table["lam_tuned"]
    why = table.pop("why")
    return table.assign(gap=gap, ratio=ratio, why=why)


def collapse(rows: pd.DataFrame, peaks: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy against decay time, thinned to 400 measurements a point, evenly in log step (figure S4).

    First, best (t*) and last measurement are always kept. Points with lam = 0 have no decay time and are left out.

    Args:
        rows: measurements.
        peaks: of `find_peaks` on them.

    Returns:
        Columns `point`, the axes of `peaks` (`seed`, `eta`, `lam`, `mu`, further ones), `step`, `epoch`,
        `decay_time`, `test_acc`.
    """
    shown = peaks[floats(peaks, "lam") > 0].reset_index(drop=True)
    segments = sort_measurements(rows, shown["point"])
    kept = np.flatnonzero(_thinned(segments, floats(shown, "t_star_step")[segments.owner]))
    names = ["point", *(name for name in AXES if name in shown.columns), *extra_axes(shown)]
    curves = shown[names].iloc[segments.owner[segments.segment[kept]]].reset_index(drop=True)
    return curves.assign(
        step=segments.step[kept],
        epoch=segments.epoch[kept],
        decay_time=segments.decay_time[kept],
        test_acc=segments.test_acc[kept],
    )


def _axes_of(rows: pd.DataFrame, segments: Segments) -> pd.DataFrame:
    """Axes of each segment's point (S rows), from its first row; `budget` is the point's own."""
    extra = [name for name in extra_axes(rows) if name not in MEASURED]
    names = ["point", *(name for name in (*AXES, "budget") if name in rows.columns), *extra]
    if rows.empty:
        return pd.DataFrame(columns=names, index=range(0))
    first = rows[names][~rows["point"].duplicated()].set_index("point")
    return first.loc[segments.points[segments.owner]].reset_index(names="point")


_TUNED = ("lam_tuned", "lam_tuned_low", "lam_tuned_high", "lams", "lam_min", "lam_max", "acc_tuned", "acc_zero")
_PREDICTED = ("peak_at", "probe_points", "c", "lam_pred", "acc_pred", "why")


def _best_by_lam(here: pd.DataFrame) -> tuple[Floats, Floats]:
    """The lam > 0 with an accuracy, ascending, and the best accuracy at each: two points may share a lam."""
    counted = here[(floats(here, "lam") > 0) & np.isfinite(floats(here, "acc"))]
    best = counted.groupby("lam", sort=True)["acc"].max()
    return best.index.to_numpy(dtype=np.float64), best.to_numpy(dtype=np.float64)


def _tuned(here: pd.DataFrame) -> dict[str, object]:
    lam, acc = _best_by_lam(here)
    zero = floats(here, "acc")[floats(here, "lam") == 0]
    acc_zero = float(np.nanmax(zero)) if np.isfinite(zero).any() else np.nan
    if not len(lam):
        return dict(zip(_TUNED, (np.nan, np.nan, np.nan, 0, np.nan, np.nan, np.nan, acc_zero), strict=True))
    best = int(np.argmax(acc))
    spread = lam[acc >= acc[best] - SPREAD]
    values: tuple[object, ...] = (lam[best], spread[0], spread[-1], len(lam), lam[0], lam[-1], acc[best], acc_zero)
    return dict(zip(_TUNED, values, strict=True))


def _probes(rows: pd.DataFrame, peaks: pd.DataFrame, epochs: float, tolerance: float) -> pd.DataFrame:
    """What probes of so many epochs see: the peaks of points that are past by then, of those that learn at all."""
    if rows.empty:
        return peaks.iloc[:0]
    learned = peaks.loc[in_law(peaks), "point"]
    short = rows[(floats(rows, "epoch") <= epochs * (1 + 1e-9)) & rows["point"].isin(learned)]
    seen = find_peaks(short, peaks[peaks["point"].isin(short["point"])].drop(columns=list(PEAK_COLUMNS)), tolerance)
    return seen[~seen["censored"].to_numpy(dtype=np.bool_)]


def _predicted(probe: pd.DataFrame, here: pd.DataFrame, budget: float, share: float) -> dict[str, object]:
    """The c of the probe points, and lam_pred = c over the epochs at constant η, a `share` of the budget."""
    if probe.empty:
        before = " before the first decay" if share < 1 else ""
        why = f"no maximum is past{before} within a tenth of the budget of {budget:g} epochs"
        return _undefined(why) | {"peak_at": share * budget}
    c = float(np.exp(np.mean(np.log(floats(probe, "t_star") * floats(probe, "lam")))))
    lam_pred = c / (share * budget)
    acc, why = _interpolated(*_best_by_lam(here), lam_pred)
    return dict(zip(_PREDICTED, (share * budget, len(probe), c, lam_pred, acc, why), strict=True))


def _undefined(why: str) -> dict[str, object]:
    return dict(zip(_PREDICTED, (np.nan, 0, np.nan, np.nan, np.nan, why), strict=True))


def _interpolated(lam: Floats, acc: Floats, at: float) -> tuple[float, str]:
    if not len(lam):
        return np.nan, "no lam > 0 has an accuracy within this budget"
    if not lam[0] * (1 - 1e-9) <= at <= lam[-1] * (1 + 1e-9):
        return np.nan, f"lam_pred = {at:.3g} lies outside the grid's {lam[0]:.3g} to {lam[-1]:.3g}"
    return float(np.interp(np.log(at), np.log(lam), acc)), ""


def _thinned(segments: Segments, star: Floats) -> Bools:
    """Which measurements to keep (n,): the first of each bin of log step, the one at t* (S,), and the last."""
    first, last = segments.step[segments.start], segments.step[segments.last]
    width = np.log1p(last - first) / (CURVE_MEASUREMENTS - 2)
    since = np.log1p(segments.step - first[segments.segment])
    bins: Ints = (since / np.maximum(width, 1e-300)[segments.segment]).astype(np.int64)
    bins = np.minimum(bins, CURVE_MEASUREMENTS - 3)
    key = segments.segment * CURVE_MEASUREMENTS + bins
    keep: Bools = np.append(True, np.diff(key) != 0)[: len(key)]
    keep[segments.last] = True
    kept: Bools = keep | (segments.step == star[segments.segment])
    return kept
