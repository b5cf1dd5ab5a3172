"""What a search has found after so many steps, and when it is good enough."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from searches.table import Table


@dataclass(frozen=True, slots=True)
class Run:
    """A run that a search has made.

    Attributes:
        index: of its λ in the table.
        share: of its steps that it was given; less than 1 if the search stopped it.
    """

    index: int
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Found:
    """The incumbent of a search from some moment on.

    Attributes:
        spent: steps until then, in runs.
        index: of its λ in the table.
    """

    spent: float
    index: int


def incumbents(runs: Iterable[Run], table: Table, seed: int, most: float) -> Iterator[Found]:
    """The λ of the best accuracy so far, after each run that improves on it.

    Args:
        runs: in turn, as long as they are asked for.
        table: what they give.
        seed: of all runs of this search.
        most: steps that it may spend, in runs.
    """
    spent, best = 0.0, -math.inf
    for run in runs:
        spent += run.share
        if spent > most * (1 + 1e-9):
            return
        accuracy = table.best(run.index, seed, run.share)
        if accuracy > best:
            best = accuracy
            yield Found(spent, run.index)


def gaps_at(spent: Sequence[float], gaps: Sequence[float], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gap of one search at given moments: that of its incumbent then, ∞ before there is one.

    Args:
        spent: moments of its incumbents, ascending (n,).
        gaps: of these (n,).
        at: moments (K,).
    """
    place = np.searchsorted(np.asarray(spent) * (1 - 1e-9), at, side="right")
    return np.concatenate([[math.inf], gaps])[place]


def quantiles(searches: NDArray[np.float64], levels: Sequence[float]) -> NDArray[np.float64]:
    """Gaps that so large a share of the searches do not exceed, without interpolation (∞ has none), (levels, K).

    Args:
        searches: gaps (searches, K).
        levels: shares, in (0, 1].
    """
    ordered = np.sort(searches, axis=0)
    return ordered[[max(0, math.ceil(level * len(ordered) - 1e-9) - 1) for level in levels]]


def good_from(at: NDArray[np.float64], gaps: NDArray[np.float64], enough: float) -> float:
    """The moment from which gaps stay within ``enough``; ∞ if they do not.

    >>> good_from(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.01, 0.001, 0.02, 0.002]), 0.004)
    4.0
    """
    bad = np.flatnonzero(gaps > enough)
    first = int(bad[-1]) + 1 if len(bad) else 0
    return float(at[first]) if first < len(at) else math.inf
