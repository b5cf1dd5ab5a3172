"""Two sweeps on the same axes: which is more accurate, which is faster, and whether that can be told."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy import stats

from results.analysis.bootstrap import Estimate
from results.analysis.segments import ROUNDING, extra_axes, floats
from results.claims.verdict import format_interval

__all__ = ["INCONCLUSIVE", "Contest", "Side", "best_within", "chosen_points", "compare"]

INCONCLUSIVE = "inconclusive"
MIN_UNITS = 3  # two seeds agree by chance: accuracies are multiples of one image, and equal ones have no spread
BUDGETS = 120  # of the curve of the best accuracy against epochs, evenly in log T


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two sweeps.

    Attributes:
        name: in sentences and in the figure.
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
        """What one setting is a value of: every axis but the seed."""
        return ["eta", "lam", "mu", *extra_axes(self.peaks)]

    @property
    def epochs(self) -> float:
        """The longest that a point was trained."""
        return float(np.nanmax(floats(self.peaks, "last_epoch")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """One thing in which two sweeps are compared."""

    claim: str
    a: float | None
    b: float | None
    value: float | None  # b - a for an accuracy, b/a for a time
    interval: tuple[float, float] | None  # 95 %
    winner: str  # name of a sweep, or INCONCLUSIVE
    why: str  # one sentence, with the numbers

    def to_json(self) -> dict[str, object]:
        """A dict for ``json.dumps``."""
        return asdict(self) | {"interval": None if self.interval is None else list(self.interval)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Units:
    """Over what an interval is taken: seeds, or the cells of η and further axes that both sweeps hold."""

    columns: tuple[str, ...]  # tell one unit from another; none where an interval cannot be had
    words: str


def compare(a: Side, b: Side, accuracy: float | None = None) -> list[Contest]:
    """Compare the best accuracy of two sweeps, and the time at which each first reaches a given one.

    A sweep stands for its best setting (λ, and every other axis but the seed), chosen by the mean over its seeds: for
    sweeps of λ that is the tuned λ. Among more settings the best is a little better by chance. Intervals are Student's
    t over seeds, paired where both sweeps have three or more of the same; with fewer than three, over the η (and
    further axes) that both sweeps hold, each with its own best λ. A winner has the whole interval on its side.

    Args:
        a: one sweep.
        b: the other.
        accuracy: to be reached. By default the smaller of the two maxima, of the worst seed, less the tolerance.

    Returns:
        ``best_accuracy`` over all that was trained; ``accuracy_within``, up to the epochs that both trained, where one
        trained longer; ``time_epochs`` and ``time_steps`` to the accuracy.
    """
    units = _units(a, b)
    best = [_best(side, _maxima(side, np.inf), units) for side in (a, b)]
    contests = [_accuracy("best_accuracy", a, b, best, units, "")]
    both = min(a.epochs, b.epochs)
    if max(a.epochs, b.epochs) > 1.01 * both:  # a budget in whole steps may end up to one step early
        within = [_best(side, _maxima(side, both), units) for side in (a, b)]
        contests.append(_accuracy("accuracy_within", a, b, within, units, f" within {both:.4g} epochs"))
    worst = min(float(part.min()) for part in best if len(part)) if any(map(len, best)) else math.nan
    target = worst - max(a.tolerance, b.tolerance) if accuracy is None else accuracy
    return [*contests, *(_time(a, b, target, units, clock) for clock in ("epoch", "step"))]


def best_within(side: Side) -> pd.DataFrame:
    """Best accuracy over all settings within T epochs, mean over seeds, for T up to the longest run: T, acc, lam."""
    measured = _measured(side)
    if not (measured["epoch"] > 0).any():
        return pd.DataFrame(columns=["T", "acc", "lam"])
    budgets = np.geomspace(float(measured["epoch"][measured["epoch"] > 0].min()), side.epochs, BUDGETS)
    place = np.searchsorted(budgets * (1 + 1e-9), floats(measured, "epoch"))
    best = measured.groupby(["point", place], observed=True)["test_acc"].max().unstack()
    best = best.reindex(columns=range(BUDGETS)).cummax(axis=1).ffill(axis=1)
    settings = side.peaks.set_index("point")[side.settings].loc[best.index.astype(object)]
    mean = best.set_index(pd.MultiIndex.from_frame(settings)).groupby(side.settings, dropna=False).mean()
    known = mean.loc[:, mean.notna().any()]
    lams = mean.index.get_level_values("lam").to_numpy(dtype=np.float64)
    at = known.fillna(-1.0).to_numpy().argmax(axis=0)
    return pd.DataFrame({"T": budgets[known.columns], "acc": known.max().to_numpy(), "lam": lams[at]})


def chosen_points(side: Side) -> pd.DataFrame:
    """The points (one a seed) of the setting that is best by mean maximum."""
    values = _maxima(side, np.inf)
    if values.empty:
        return side.peaks.iloc[:0]
    settings = values.groupby(side.settings, dropna=False)
    mean = settings["value"].transform("mean").to_numpy()
    chosen: pd.DataFrame = values[settings.ngroup().to_numpy() == settings.ngroup().to_numpy()[int(np.argmax(mean))]]
    return chosen


def _measured(side: Side) -> pd.DataFrame:
    measured: pd.DataFrame = side.rows[np.isfinite(floats(side.rows, "test_acc"))]
    return measured


def _maxima(side: Side, epochs: float) -> pd.DataFrame:
    """Each point's seed and setting with its best test accuracy within so many epochs, `value`."""
    inside = _measured(side)
    inside = inside[floats(inside, "epoch") <= epochs * (1 + 1e-9)]
    return _with_value(side, inside.groupby("point", observed=True)["test_acc"].max())


def _log_times(side: Side, accuracy: float, clock: str) -> pd.DataFrame:
    """Each point's seed and setting with -log of when it first reaches the accuracy, -inf for never: `value`."""
    measured = _measured(side)
    reached = measured[floats(measured, "test_acc") >= accuracy - ROUNDING]
    first = reached.groupby("point", observed=True)[clock].min().clip(lower=1e-9)
    never = pd.Series(-np.inf, index=pd.Index(measured["point"].unique(), dtype=object))
    return _with_value(side, pd.concat([-np.log(first), never[~never.index.isin(first.index)]]))


def _with_value(side: Side, value: pd.Series) -> pd.DataFrame:
    table = side.peaks[["point", "seed", *side.settings]].assign(value=side.peaks["point"].map(dict(value.items())))
    known: pd.DataFrame = table[table["value"].notna()]
    return known


def _units(a: Side, b: Side) -> _Units:
    if min(side.peaks["seed"].nunique() for side in (a, b)) >= MIN_UNITS:
        return _Units(columns=("seed",), words="seeds")
    shared = [name for name in a.settings if name in b.settings and name != "lam"]
    cells = [set(side.peaks[shared].itertuples(index=False, name=None)) for side in (a, b)]
    if len(cells[0] & cells[1]) >= MIN_UNITS:
        return _Units(columns=tuple(shared), words="cells of eta and further axes")
    return _Units(columns=(), words="")


def _best(side: Side, values: pd.DataFrame, units: _Units) -> pd.Series:
    """Value of the best setting in each unit, by unit; of the whole sweep where there are no units."""
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


def _accuracy(claim: str, a: Side, b: Side, best: Sequence[pd.Series], units: _Units, within: str) -> Contest:
    known = [float(part.mean()) if len(part) else None for part in best]
    left, right = known
    if left is None or right is None:
        return _open(claim, "one sweep has no measurement of test accuracy")
    found, count = _difference(best[0], best[1])
    if math.isnan(found.value):
        found = Estimate(value=right - left, interval=None)
    why = (
        f"best test accuracy{within} is {left:.4f} in {a.name} and {right:.4f} in {b.name}, a difference of "
        f"{found.value:+.4f}{_over(found, count, units)}"
    )
    winner = _winner(found, a.name, b.name)
    return Contest(claim=claim, a=left, b=right, value=found.value, interval=found.interval, winner=winner, why=why)


def _time(a: Side, b: Side, accuracy: float, units: _Units, clock: str) -> Contest:
    """Epochs or steps to an accuracy; the smaller wins."""
    claim, unit = f"time_{clock}s", f"{clock}s"
    if math.isnan(accuracy):
        return _open(claim, "one sweep has no measurement of test accuracy")
    fast = [_best(side, _log_times(side, accuracy, clock), units) for side in (a, b)]
    reached = [len(part) > 0 and bool(np.isfinite(part).all()) for part in fast]
    left, right = (float(np.exp(-part.mean())) if ok else None for part, ok in zip(fast, reached, strict=True))
    words = [
        f"{side.name} {'in ' + f'{time:.4g} {unit}' if time else 'not in every run'}"
        for side, time in ((a, left), (b, right))
    ]
    why = f"test accuracy {accuracy:.4f} is reached: {words[0]}, {words[1]}"
    if left is None or right is None:
        winner = _only(a, b, fast, units, accuracy) if any(reached) else INCONCLUSIVE
        return Contest(claim=claim, a=left, b=right, value=None, interval=None, winner=winner, why=why)
    found, count = _difference(fast[1], fast[0])  # -log t, so that the difference is log b/a
    ratio = _exponential(found, right / left)
    winner = _winner(found, b.name, a.name)
    why += f", a ratio of {ratio.value:.3g}{_over(ratio, count, units)}"
    return Contest(claim=claim, a=left, b=right, value=ratio.value, interval=ratio.interval, winner=winner, why=why)


def _only(a: Side, b: Side, fast: Sequence[pd.Series], units: _Units, accuracy: float) -> str:
    """The sweep that alone reaches an accuracy in all units, where the other never does though it trained as long."""
    for side, other, own in ((a, b, fast[0]), (b, a, fast[1])):
        epochs = _best(side, _log_times(side, accuracy, "epoch"), units)
        alone = len(own) >= MIN_UNITS and bool(np.isfinite(own).all())
        other_best = _maxima(other, np.inf)["value"].max()
        if alone and other_best < accuracy - ROUNDING and float(np.exp(-epochs.min())) <= other.epochs:
            return side.name
    return INCONCLUSIVE


def _difference(left: pd.Series, right: pd.Series) -> tuple[Estimate, int]:
    """Mean of right - left with Student's 95 % interval, and how many units it is over; Welch's if they differ."""
    paired = (right - left).dropna()
    if len(paired) >= MIN_UNITS:
        error = float(stats.sem(paired))
        return _student(float(paired.mean()), error, len(paired) - 1.0), len(paired)
    count = min(len(left), len(right))
    if count < MIN_UNITS:
        return Estimate(value=float(right.mean() - left.mean()), interval=None), count
    parts = [float(stats.sem(part)) ** 2 for part in (left, right)]
    weights = sum(v**2 / (len(part) - 1) for v, part in zip(parts, (left, right), strict=True))
    freedom = sum(parts) ** 2 / weights if weights else float(count - 1)
    return _student(float(right.mean() - left.mean()), math.sqrt(sum(parts)), freedom), count


def _student(value: float, error: float, freedom: float) -> Estimate:
    half = float(stats.t.ppf(0.975, freedom)) * error
    return Estimate(value=value, interval=(value - half, value + half))


def _exponential(found: Estimate, plain: float) -> Estimate:
    """The ratio of times whose logarithm differs by `found`; the plain ratio where that has no interval."""
    if found.interval is None:
        return Estimate(value=plain, interval=None)
    low, high = found.interval
    bounds = (math.exp(max(low, -700.0)), math.exp(min(high, 700.0)))
    return Estimate(value=math.exp(found.value), interval=bounds)


def _winner(found: Estimate, below: str, above: str) -> str:
    """Who has the whole interval of a difference on its side: `below` if it is negative, `above` if positive."""
    if found.interval is None or found.interval[0] <= 0 <= found.interval[1]:
        return INCONCLUSIVE
    return below if found.interval[1] < 0 else above


def _over(found: Estimate, count: int, units: _Units) -> str:
    if found.interval is None:
        return f" (no interval: it takes {MIN_UNITS} seeds, or {MIN_UNITS} eta, in both sweeps)"
    return f"{format_interval(found)} over {count} {units.words}"


def _open(claim: str, why: str) -> Contest:
    return Contest(claim=claim, a=None, b=None, value=None, interval=None, winner=INCONCLUSIVE, why=why)
