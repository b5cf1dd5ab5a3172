"""Comparison of two sweeps on the same axes: which is more accurate, which is faster, and whether that can be told."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy import stats

from results.analysis.bootstrap import IntervalEstimate
from results.analysis.segments import ROUNDING, extra_axes, floats
from results.claims.verdict import format_interval

__all__ = ["INCONCLUSIVE", "Contest", "Side", "best_within", "chosen_points", "compare"]

INCONCLUSIVE = "inconclusive"
MIN_UNITS = 3  # two seeds agree by chance: accuracies are multiples of one image, and equal ones have no spread
CURVE_BUDGETS = 120  # budgets on the curve of the best accuracy, evenly spaced in log T


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two sweeps.

    Attributes:
        name: name of the sweep in sentences and in the figure.
        rows: measurements, columns of ``results.store.schema``.
        peaks: of ``find_peaks`` on them.
        tolerance: accuracy within which two measurements count as equal.
    """

    name: str
    rows: pd.DataFrame
    peaks: pd.DataFrame
    tolerance: float

    @property
    def settings(self) -> list[str]:
        """Axes that a setting is a value of: every axis but the seed."""
        return ["eta", "lam", "mu", *extra_axes(self.peaks)]

    @property
    def epochs(self) -> float:
        """Epochs of the longest run."""
        return float(np.nanmax(floats(self.peaks, "last_epoch")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """One quantity in which two sweeps are compared.

    Attributes:
        claim: name of the quantity, such as ``best_accuracy``.
        a: the quantity in the first sweep; None where it is not known.
        b: the quantity in the second sweep.
        value: b - a of an accuracy, b/a of a time; None where one of them is not known.
        interval: 95 % interval of the value; None where there are too few seeds.
        winner: name of the better sweep, or ``INCONCLUSIVE``.
        why: one sentence of reasons, with the numbers.
    """

    claim: str
    a: float | None
    b: float | None
    value: float | None
    interval: tuple[float, float] | None
    winner: str
    why: str

    def to_json(self) -> dict[str, object]:
        """Return a dict for ``json.dumps``."""
        return asdict(self) | {"interval": None if self.interval is None else list(self.interval)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Units:
    """Independent units that an interval is taken over.

    Attributes:
        columns: columns that tell one unit from another; empty where no interval can be had.
        words: name of the units in a sentence.
    """

    columns: tuple[str, ...]
    words: str


def compare(a: Side, b: Side, accuracy: float | None = None) -> list[Contest]:
    """Compare the best accuracy of two sweeps, and the time at which each first reaches a given one.

    A sweep is represented by its best setting (λ, and every other axis but the seed), chosen by the mean over its
    seeds. For sweeps of λ that is the tuned λ. Among more settings the best is a little better by chance.

    Intervals are Student's t over seeds, paired where both sweeps have three or more of the same seeds. With fewer than
    three, they are over the η (and further axes) that both sweeps hold, each with its own best λ. A winner has the
    whole interval on its side.

    Args:
        a: one sweep.
        b: the other sweep.
        accuracy: test accuracy to be reached. By default the smaller of the two maxima, of the worst seed, less the
            tolerance.

    Returns:
        ``best_accuracy`` over all that was trained; ``accuracy_within``, up to the epochs that both trained, where one
            trained longer; ``time_epochs`` and ``time_steps`` to the accuracy.
    """
    units = _choose_units(a, b)
    best = [_best_by_unit(side, _maxima_within(side, np.inf), units) for side in (a, b)]
    contests = [_compare_accuracies("best_accuracy", a, b, best, units, "")]
    both = min(a.epochs, b.epochs)
    if max(a.epochs, b.epochs) > 1.01 * both:  # a budget in whole steps may end up to one step early
        within = [_best_by_unit(side, _maxima_within(side, both), units) for side in (a, b)]
        contests.append(_compare_accuracies("accuracy_within", a, b, within, units, f" within {both:.4g} epochs"))
    worst = min(float(part.min()) for part in best if len(part)) if any(map(len, best)) else math.nan
    target = worst - max(a.tolerance, b.tolerance) if accuracy is None else accuracy
    return [*contests, *(_compare_times(a, b, target, units, clock) for clock in ("epoch", "step"))]


def best_within(side: Side) -> pd.DataFrame:
    """Find the best accuracy over all settings within T epochs, as a mean over seeds, for T up to the longest run.

    Returns:
        Columns ``T`` (epochs, evenly spaced in log T), ``acc`` and ``lam`` (that of the best setting).
    """
    measured = _measured(side)
    if not (measured["epoch"] > 0).any():
        return pd.DataFrame(columns=["T", "acc", "lam"])
    budgets = np.geomspace(float(measured["epoch"][measured["epoch"] > 0].min()), side.epochs, CURVE_BUDGETS)
    place = np.searchsorted(budgets * (1 + 1e-9), floats(measured, "epoch"))
    best = measured.groupby(["point", place], observed=True)["test_acc"].max().unstack()
    best = best.reindex(columns=range(CURVE_BUDGETS)).cummax(axis=1).ffill(axis=1)
    settings = side.peaks.set_index("point")[side.settings].loc[best.index.astype(object)]
    mean = best.set_index(pd.MultiIndex.from_frame(settings)).groupby(side.settings, dropna=False).mean()
    known = mean.loc[:, mean.notna().any()]
    lams = mean.index.get_level_values("lam").to_numpy(dtype=np.float64)
    at = known.fillna(-1.0).to_numpy().argmax(axis=0)
    return pd.DataFrame({"T": budgets[known.columns], "acc": known.max().to_numpy(), "lam": lams[at]})


def chosen_points(side: Side) -> pd.DataFrame:
    """Return the points (one a seed) of the setting with the best mean maximum."""
    values = _maxima_within(side, np.inf)
    if values.empty:
        return side.peaks.iloc[:0]
    settings = values.groupby(side.settings, dropna=False)
    mean = settings["value"].transform("mean").to_numpy()
    chosen: pd.DataFrame = values[settings.ngroup().to_numpy() == settings.ngroup().to_numpy()[int(np.argmax(mean))]]
    return chosen


def _measured(side: Side) -> pd.DataFrame:
    """Return the rows with a finite test accuracy."""
    measured: pd.DataFrame = side.rows[np.isfinite(floats(side.rows, "test_acc"))]
    return measured


def _maxima_within(side: Side, epochs: float) -> pd.DataFrame:
    """Return the seed and setting of each point with its best test accuracy within so many epochs (``value``)."""
    inside = _measured(side)
    inside = inside[floats(inside, "epoch") <= epochs * (1 + 1e-9)]
    return _with_value(side, inside.groupby("point", observed=True)["test_acc"].max())


def _log_times(side: Side, accuracy: float, clock: str) -> pd.DataFrame:
    """Return the seed and setting of each point with -log of when it first reaches an accuracy (``value``).

    The value is -inf for a point that never reaches it. ``clock`` is ``epoch`` or ``step``.
    """
    measured = _measured(side)
    reached = measured[floats(measured, "test_acc") >= accuracy - ROUNDING]
    first = reached.groupby("point", observed=True)[clock].min().clip(lower=1e-9)
    never = pd.Series(-np.inf, index=pd.Index(measured["point"].unique(), dtype=object))
    return _with_value(side, pd.concat([-np.log(first), never[~never.index.isin(first.index)]]))


def _with_value(side: Side, value: pd.Series) -> pd.DataFrame:
    """Return the seed and setting of each point that has a value (by point id), with that ``value``."""
    table = side.peaks[["point", "seed", *side.settings]].assign(value=side.peaks["point"].map(dict(value.items())))
    known: pd.DataFrame = table[table["value"].notna()]
    return known


def _choose_units(a: Side, b: Side) -> _Units:
    """Choose the units of intervals: seeds if both sweeps have three, else cells of η and further axes, else none."""
    if min(side.peaks["seed"].nunique() for side in (a, b)) >= MIN_UNITS:
        return _Units(columns=("seed",), words="seeds")
    shared = [name for name in a.settings if name in b.settings and name != "lam"]
    cells = [set(side.peaks[shared].itertuples(index=False, name=None)) for side in (a, b)]
    if len(cells[0] & cells[1]) >= MIN_UNITS:
        return _Units(columns=tuple(shared), words="cells of eta and further axes")
    return _Units(columns=(), words="")


def _best_by_unit(side: Side, values: pd.DataFrame, units: _Units) -> pd.Series:
    """Return the value of the best setting in each unit, by unit; of the whole sweep where there are no units."""
    if values.empty:
        return pd.Series(dtype="float64")
    if units.columns == ("seed",):
        whole = values.groupby([*side.settings, "seed"], dropna=False)["value"].max().unstack("seed").dropna()
        return whole.iloc[int(whole.mean(axis=1).argmax())] if len(whole) else pd.Series(dtype="float64")
    mean = values.groupby(side.settings, dropna=False)["value"].mean().reset_index()
    if not units.columns:
        return pd.Series([mean["value"].max()])
    best: pd.Series = mean.groupby(list(units.columns), dropna=False)["value"].max()
    return best


def _compare_accuracies(claim: str, a: Side, b: Side, best: Sequence[pd.Series], units: _Units, within: str) -> Contest:
    """Compare the best accuracies; the larger wins."""
    known = [float(part.mean()) if len(part) else None for part in best]
    left, right = known
    if left is None or right is None:
        return _undecided(claim, "one sweep has no measurement of test accuracy")
    found, count = _difference(best[0], best[1])
    if math.isnan(found.value):
        found = IntervalEstimate(value=right - left, interval=None)
    why = (
        f"best test accuracy{within} is {left:.4f} in {a.name} and {right:.4f} in {b.name}, a difference of "
        f"{found.value:+.4f}{_format_difference(found, count, units)}"
    )
    winner = _winner(found, a.name, b.name)
    return Contest(claim=claim, a=left, b=right, value=found.value, interval=found.interval, winner=winner, why=why)


def _compare_times(a: Side, b: Side, accuracy: float, units: _Units, clock: str) -> Contest:
    """Compare the epochs or steps to an accuracy; the smaller wins."""
    claim, unit = f"time_{clock}s", f"{clock}s"
    if math.isnan(accuracy):
        return _undecided(claim, "one sweep has no measurement of test accuracy")
    fast = [_best_by_unit(side, _log_times(side, accuracy, clock), units) for side in (a, b)]
    reached = [len(part) > 0 and bool(np.isfinite(part).all()) for part in fast]
    left, right = (float(np.exp(-part.mean())) if ok else None for part, ok in zip(fast, reached, strict=True))
    words = [
        f"{side.name} {'in ' + f'{time:.4g} {unit}' if time else 'not in every run'}"
        for side, time in ((a, left), (b, right))
    ]
    why = f"test accuracy {accuracy:.4f} is reached: {words[0]}, {words[1]}"
    if left is None or right is None:
        winner = _sole_winner(a, b, fast, units, accuracy) if any(reached) else INCONCLUSIVE
        return Contest(claim=claim, a=left, b=right, value=None, interval=None, winner=winner, why=why)
    found, count = _difference(fast[1], fast[0])  # -log t, so that the difference is log b/a
    ratio = _exponential(found, right / left)
    winner = _winner(found, b.name, a.name)
    why += f", a ratio of {ratio.value:.3g}{_format_difference(ratio, count, units)}"
    return Contest(claim=claim, a=left, b=right, value=ratio.value, interval=ratio.interval, winner=winner, why=why)


def _sole_winner(a: Side, b: Side, fast: Sequence[pd.Series], units: _Units, accuracy: float) -> str:
    """Name the sweep that alone reaches an accuracy in all units, if the other never does though it trained as long."""
    for side, other, own in ((a, b, fast[0]), (b, a, fast[1])):
        epochs = _best_by_unit(side, _log_times(side, accuracy, "epoch"), units)
        alone = len(own) >= MIN_UNITS and bool(np.isfinite(own).all())
        other_best = _maxima_within(other, np.inf)["value"].max()
        if alone and other_best < accuracy - ROUNDING and float(np.exp(-epochs.min())) <= other.epochs:
            return side.name
    return INCONCLUSIVE


def _difference(left: pd.Series, right: pd.Series) -> tuple[IntervalEstimate, int]:
    """Return the mean of right - left with Student's 95 % interval, and the number of units behind it.

    The test is paired where the units agree, and Welch's where they differ.
    """
    paired = (right - left).dropna()
    if len(paired) >= MIN_UNITS:
        error = float(stats.sem(paired))
        return _student(float(paired.mean()), error, len(paired) - 1.0), len(paired)
    count = min(len(left), len(right))
    if count < MIN_UNITS:
        return IntervalEstimate(value=float(right.mean() - left.mean()), interval=None), count
    parts = [float(stats.sem(part)) ** 2 for part in (left, right)]
    weights = sum(v**2 / (len(part) - 1) for v, part in zip(parts, (left, right), strict=True))
    freedom = sum(parts) ** 2 / weights if weights else float(count - 1)
    return _student(float(right.mean() - left.mean()), math.sqrt(sum(parts)), freedom), count


def _student(value: float, error: float, freedom: float) -> IntervalEstimate:
    """Return Student's 95 % interval from a standard error and its degrees of freedom."""
    half = float(stats.t.ppf(0.975, freedom)) * error
    return IntervalEstimate(value=value, interval=(value - half, value + half))


def _exponential(found: IntervalEstimate, plain: float) -> IntervalEstimate:
    """Return the ratio of times whose logarithm differs by ``found``; the plain ratio where that has no interval."""
    if found.interval is None:
        return IntervalEstimate(value=plain, interval=None)
    low, high = found.interval
    bounds = (math.exp(max(low, -700.0)), math.exp(min(high, 700.0)))
    return IntervalEstimate(value=math.exp(found.value), interval=bounds)


def _winner(found: IntervalEstimate, below: str, above: str) -> str:
    """Return the name that has the whole interval of a difference: ``below`` if negative, ``above`` if positive."""
    if found.interval is None or found.interval[0] <= 0 <= found.interval[1]:
        return INCONCLUSIVE
    return below if found.interval[1] < 0 else above


def _format_difference(found: IntervalEstimate, count: int, units: _Units) -> str:
    """Format an interval and the number of units behind it for a sentence."""
    if found.interval is None:
        return f" (no interval: it takes {MIN_UNITS} seeds, or {MIN_UNITS} eta, in both sweeps)"
    return f"{format_interval(found)} over {count} {units.words}"


def _undecided(claim: str, why: str) -> Contest:
    """Make a contest that cannot be decided for want of measurements."""
    return Contest(claim=claim, a=None, b=None, value=None, interval=None, winner=INCONCLUSIVE, why=why)
