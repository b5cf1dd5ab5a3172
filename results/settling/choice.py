"""The rule that chooses which points to add: the extension with the lowest cost for its chance to decide a claim.

A claim is decided once its interval lies inside its band, or outside. ``narrowing`` says to which share of its width an
extension should narrow the interval, from a standard error s to s'. The value moves as points are added: about its
present place by √(s² - s'²), since the old points stay. Both together give the chance that the claim is then decided.
Among the extensions of the kinds that the claim lacks, that with the lowest ratio of epochs to chance is chosen. The
claim is judged again afterwards, and another extension is chosen.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

from results.claims.judge import CLAIMS_BY_NAME, Verdict
from results.claims.verdict import Lack
from results.settling.design import Design, design_of, extended, narrowing
from results.settling.extensions import Extension, extensions
from search_spaces.errors import counted
from search_spaces.sections.grid import Grid

__all__ = ["WayOut", "cheapest", "decision_chance", "ways_out"]

MAX_OPTION = 60  # characters; ``sweeper settle`` takes longer ones as well
ENOUGH_CHANCE = 0.5
MIN_CHANCE = 1e-3  # below it extensions differ by their cost alone
Z95 = 1.96  # standard errors from the value to an end of a 95 % interval


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOut:
    """What would settle an open claim.

    Attributes:
        claim: name of the claim.
        extension: the points to add; None where no point of this grid's kind helps.
        enough: whether the extension decides the claim more likely than not; otherwise it is the first step.
        seconds: training time of the extension on one worker; None where it is not known.
        longer: whether longer runs would help, which are another sweep.
    """

    claim: str
    extension: Extension | None
    enough: bool
    seconds: float | None
    longer: bool = False

    @property
    def option(self) -> str:
        """The extension as an option of ``sweeper run``; empty without one, or if a line could not hold it."""
        setting = "" if self.extension is None else f"--set {self.extension.setting}"
        return setting if len(setting) <= MAX_OPTION else ""

    def to_json(self) -> dict[str, object]:
        """Return a dict for ``json.dumps``."""
        found = self.extension
        return {
            "setting": found.setting if found else None,
            "points": found.points if found else 0,
            "seconds": self.seconds,
            "enough": self.enough,
            "text": str(self),
        }

    def __str__(self) -> str:
        """Return one sentence: what to add, and what that costs."""
        found = self.extension
        if found is None:
            if self.longer:
                return "Longer runs may help: another sweep, with a larger budget and another --name."
            return "No further point of this grid should help; another network or more data may."
        what = _WORDS[found.lack].format(n=len(found.values), s="s" * (len(found.values) != 1))
        values = ", ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in found.values)
        more = "" if self.enough else ", which may not be enough"
        if not found.points:
            return f"Add {what} ({values}){more}: no training."
        time = "" if self.seconds is None else f", about {_duration(self.seconds)} on one worker"
        return f"Add {what} ({values}){more}: {counted(found.points, 'point')}{time}."


_WORDS = {
    "seeds": "{n} seed{s}",
    "smaller_lam": "{n} smaller λ",
    "larger_lam": "{n} larger λ",
    "finer_lam": "{n} λ between those of the grid",
    "eta": "{n} η",
    "budgets": "{n} budget{s} to the analysis",
}


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def ways_out(
    verdicts: Sequence[Verdict],
    peaks: pd.DataFrame,
    grid: Grid,
    seconds_per_epoch: float | None,
    exhausted: Collection[tuple[str, Lack]] = (),
) -> Mapping[str, WayOut]:
    """Choose for each inconclusive claim the cheapest extension of the grid that should decide it.

    Args:
        verdicts: of ``judge``.
        peaks: of ``find_peaks``, at constant η and λ.
        grid: the grid of the sweep.
        seconds_per_epoch: training time of an epoch of one point, on one worker; None if unknown.
        exhausted: claims with kinds of points that have not decided them and are not to be added again.

    Returns:
        Claim to its way out, in the order of the verdicts.
    """
    design = design_of(peaks)

    @cache
    def candidates_of(lack: Lack) -> Sequence[Extension]:
        return list(extensions(grid, peaks, lack))

    def way_out(verdict: Verdict) -> WayOut:
        lacks = [lack for lack in verdict.lacks if (verdict.claim, lack) not in exhausted]
        extension, enough = cheapest(verdict, [e for lack in lacks for e in candidates_of(lack)], design)
        return WayOut(
            claim=verdict.claim,
            extension=extension,
            enough=enough,
            seconds=extension.epochs * seconds_per_epoch if extension and seconds_per_epoch else None,
            longer="longer" in lacks,
        )

    return {verdict.claim: way_out(verdict) for verdict in verdicts if verdict.verdict == "inconclusive"}


def cheapest(verdict: Verdict, candidates: Sequence[Extension], design: Design) -> tuple[Extension | None, bool]:
    """Choose the extension with the lowest cost for its chance to decide a claim.

    Where no narrower interval would help, since the claim has none yet or lacks other points before seeds, it is the
    first kind that the claim lacks, with two values if it takes several.

    Args:
        verdict: the verdict on the claim.
        candidates: extensions of the kinds that the claim lacks.
        design: the cells of the sweep.

    Returns:
        The extension, None without candidates; and whether it decides the claim more likely than not.
    """
    if not candidates:
        return None, False
    if verdict.lacks[0] != "seeds" or verdict.interval is None or verdict.band is None:
        same = [c for c in candidates if c.lack == candidates[0].lack]
        return same[min(1, len(same) - 1)], False
    quantity = CLAIMS_BY_NAME[verdict.claim].quantity
    widths = [narrowing(quantity, design, extended(design, c.cells)) for c in candidates]
    chances = [decision_chance(verdict, width) for width in widths]
    best = min(range(len(candidates)), key=lambda k: candidates[k].epochs / max(chances[k], MIN_CHANCE))
    return candidates[best], chances[best] >= ENOUGH_CHANCE


def decision_chance(verdict: Verdict, width: float) -> float:
    """Return the chance that a claim is decided once its interval has narrowed.

    Args:
        verdict: an inconclusive verdict with a value, an interval and a band.
        width: share of its width to which the interval narrows, 0 to 1.
    """
    assert verdict.value is not None
    assert verdict.interval is not None
    assert verdict.band is not None
    (low, high), (bottom, top) = verdict.band, verdict.interval
    half = (top - bottom) / 2 * width
    moves = stats.norm(verdict.value, max((top - bottom) / 2 / Z95 * np.sqrt(max(0.0, 1 - width**2)), 1e-300))
    inside = max(0.0, float(moves.cdf(high - half) - moves.cdf(low + half)))
    return inside + float(moves.cdf(low - half)) + float(moves.sf(high + half))
