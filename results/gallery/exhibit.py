"""An exhibit of the gallery: a figure, what is asserted about it, and what is compared with our sweeps."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from results.gallery.records import SCALES, Agreement, Scale


class Reading(NamedTuple):
    """A number read off the table of a figure.

    Attributes:
        value: The number; NaN if the table does not hold it.
        remark: A phrase that says where it was read; may be empty.
    """

    value: float
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The paper's statement about one claim of ``results.claims.judge``.

    Attributes:
        claim: Name of the claim.
        paper: The paper's number or words for it, short.
        grids: Stems of the grids on which the claim is judged; empty for all grids of the figure.
        holds: False if the paper says that the claim does not hold here.
        unjudged_at_small_scale: Why the result of a small sibling is not judged; empty if it is judged.
    """

    claim: str
    paper: str
    grids: tuple[str, ...] = ()
    holds: bool = True
    unjudged_at_small_scale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """The paper's statement about two sweeps side by side.

    Attributes:
        claim: Name of a contest of ``results.claims.comparison.compare``: ``best_accuracy``, ``time_epochs``, …
        better: Stem of the grid that the paper says is better.
        other: Stem of the other grid.
        words: The statement in words.
    """

    claim: str
    better: str
    other: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number that is read off our figure and shown beside the paper's.

    Attributes:
        name: Name of the number, with its unit.
        paper: The paper's number, with its set-up; empty if the paper prints none.
        read: Function from the figure's table to the number.
        maximum: Largest value that agrees with the paper; None if the number is not judged.
    """

    name: str
    paper: str
    read: Callable[[pd.DataFrame], Reading]
    maximum: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One figure of the gallery: of the paper, or beyond it (``results.gallery.beyond``).

    Attributes:
        label: The paper's number of the figure; beyond the paper, B and a number.
        title: Subject of the figure in a few words.
        assertion: The paper's assertion in its own words; beyond the paper, that of ``source``.
        source: Where the assertion stands.
        printed: Numbers that the source prints with the figure; empty if there are none.
        advice: What the figure means for the choice of λ; empty if nothing.
        layout: Name in ``results.figures.paper.catalog.FIGURES``.
        grids: Stems of the files in ``grids/paper`` that it is drawn from; small siblings lie in ``grids/small``.
        statements: Statements about single claims.
        expectations: Statements about pairs of sweeps.
        numbers: Numbers to read off the figure.
        left_open: Why the small sibling leaves statements open; empty if it leaves none.
        eta: η of the panels that show only one, at paper scale; None lets the layout choose.
        beyond: True if the figure is not in the paper; its grids are then in ``grids/small`` alone.
    """

    label: str
    title: str
    assertion: str
    source: str
    printed: str = ""
    advice: str = ""
    layout: str
    grids: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    numbers: tuple[Number, ...] = ()
    left_open: str = ""
    eta: float | None = None
    beyond: bool = False

    @property
    def heading(self) -> str:
        """Heading of the figure on both pages."""
        return self.label if self.beyond else f"Figure {self.label}"

    @property
    def heading_level(self) -> int:
        """Level of the heading: 2, or 3 below the heading "Beyond the paper"."""
        return 3 if self.beyond else 2

    @property
    def anchor(self) -> str:
        """The anchor that code hosts give to the heading."""
        return re.sub(r"[^\w\- ]", "", self.heading.lower()).replace(" ", "-")

    @property
    def scales(self) -> tuple[Scale, ...]:
        """Scales that the figure can have, the paper's first."""
        return ("small",) if self.beyond else tuple(SCALES)

    @property
    def printed_numbers(self) -> str:
        """Printed numbers in words; empty beyond the paper if there are none."""
        return self.printed or ("" if self.beyond else "none in the text")

    @property
    def finding_headings(self) -> tuple[str, ...]:
        """Headings of the five columns of findings."""
        if self.beyond:
            return ("found", "said", "ours [interval]", "as said?", "why")
        return ("found", "paper", "ours [interval]", "as in the paper?", "why")

    def scale_heading(self, scale: Scale) -> str:
        """Return the heading of a record at a scale; empty if the figure has one scale only."""
        return SCALES[scale].capitalize() if len(self.scales) > 1 else ""

    def name_at(self, scale: Scale) -> str:
        """Return the heading with the scale, if the figure has more than one."""
        return f"{self.heading}, {SCALES[scale]}" if len(self.scales) > 1 else self.heading

    def in_words(self, agreement: Agreement) -> str:
        """Return an agreement in words; empty where nothing is judged."""
        holds = "as said" if self.beyond else "as in the paper"
        return {"pass": holds, "fail": "not so", "inconclusive": "inconclusive", "": ""}[agreement]
