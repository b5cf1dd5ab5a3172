"""The rule that chooses which points to add: the cheapest extension that should decide a claim.

A claim is decided once its interval lies inside its band, or outside. ``needed_share`` is the share of its width to
which the interval has to narrow for that, if its value stays. ``narrowing`` says to which share an extension should
narrow it. Among the extensions of the kinds that the claim lacks, the cheapest that narrows it enough is chosen. The
value moves as points are added, so the claim is judged again afterwards, and another extension is chosen.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.claims.judge import CLAIMS_BY_NAME, Verdict
from results.claims.verdict import Lack
from results.settling.design import Design, design_of, extended, narrowing
from results.settling.extensions import Extension, extensions
from search_spaces.errors import counted
from search_spaces.sections.grid import Grid

__all__ = ["WayOut", "cheapest", "needed_share", "ways_out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOut:
    """What would settle an open claim.

    Attributes:
        claim: name of the claim.
        extension: the points to add; None where no point of this grid's kind helps.
        enough: whether the extension should decide the claim; otherwise it is the first step.
        seconds: training time of the extension on one worker; None where it is not known.
    """

    claim: str
    extension: Extension | None
    enough: bool
    seconds: float | None

    def to_json(self) -> dict[str, object]:
        """Return a dict for ``json.dumps``."""
        found = self.extension
        return {
            "setting": found.setting if found else None,
            "points": len(found.points) if found else 0,
            "seconds": self.seconds,
            "enough": self.enough,
            "text": str(self),
        }

    def __str__(self) -> str:
        """Return one sentence: what to add, and what that costs."""
        found = self.extension
        if found is None:
            return "No further point of this grid would decide it; longer budgets, another network or more data may."
        what = _WORDS[found.lack].format(n=len(found.values), s="s" * (len(found.values) != 1))
        values = ", ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in found.values)
        more = "" if self.enough else ", as a first step"
        if not found.points:
            return f"Add {what} ({values}){more}: no training."
        time = "" if self.seconds is None else f", about {_duration(self.seconds)} on one worker"
        return f"Add {what} ({values}){more}: {counted(len(found.points), 'point')}{time}."


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
    found = {}
    for verdict in verdicts:
        if verdict.verdict == "inconclusive":
            lacks = [lack for lack in verdict.lacks if (verdict.claim, lack) not in exhausted]
            candidates = list(extensions(grid, peaks, lacks))
            extension, enough = cheapest(verdict, candidates, design)
            known = extension is not None and seconds_per_epoch is not None
            seconds = extension.epochs * seconds_per_epoch if known and extension and seconds_per_epoch else None
            found[verdict.claim] = WayOut(claim=verdict.claim, extension=extension, enough=enough, seconds=seconds)
    return found


def cheapest(verdict: Verdict, candidates: Sequence[Extension], design: Design) -> tuple[Extension | None, bool]:
    """Choose the cheapest extension that should decide a claim.

    Where none should, it is the one that narrows the interval most for its cost. Where no narrower interval would help,
    since the claim has none yet or lacks other points before seeds, it is the first kind that the claim lacks, with two
    values if it takes several.

    Args:
        verdict: the verdict on the claim.
        candidates: extensions of the kinds that the claim lacks.
        design: the cells of the sweep.

    Returns:
        The extension, None without candidates; and whether it should decide the claim.
    """
    if not candidates:
        return None, False
    share = needed_share(verdict) if verdict.lacks[0] == "seeds" else None
    if share is None:
        same = [c for c in candidates if c.lack == candidates[0].lack]
        return same[min(1, len(same) - 1)], False
    quantity = CLAIMS_BY_NAME[verdict.claim].quantity
    widths = [narrowing(quantity, design, extended(design, c.points)) for c in candidates]
    if enough := [c for c, width in zip(candidates, widths, strict=True) if width <= share]:
        return min(enough, key=lambda c: c.epochs), True
    costs = [float(np.log(width)) / c.epochs for c, width in zip(candidates, widths, strict=True)]
    return candidates[int(np.argmin(costs))], False


def needed_share(verdict: Verdict) -> float | None:
    """Return the share of its width to which an interval must narrow to lie inside or outside the band.

    None where the verdict has no interval or no band.
    """
    if verdict.value is None or verdict.interval is None or verdict.band is None:
        return None
    (low, high), (bottom, top), value = verdict.band, verdict.interval, verdict.value
    if value > high:
        return (value - high) / max(value - bottom, 1e-300)
    if value < low:
        return (low - value) / max(top - value, 1e-300)
    above = (high - value) / (top - value) if top > high else 1.0
    below = (value - low) / (value - bottom) if bottom < low else 1.0
    return min(above, below)
