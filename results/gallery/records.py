"""Records of the gallery: all that its pages show of one figure at one scale.

A record is self-sufficient: its sweeps need not be kept. ``record_files`` stores records as JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict

Scale = Literal["paper", "small"]
SCALES: Mapping[Scale, str] = {"paper": "paper scale", "small": "small sibling"}
Agreement = Literal["pass", "fail", "inconclusive", ""]  # empty: a number that is not judged


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepUsed:
    """A sweep that a figure was drawn from.

    Attributes:
        grid: Stem of its grid in ``grids/paper`` or ``grids/small``.
        name: Name of the sweep.
        trains: Network and data in words.
        planned: Number of points of the grid.
        missing: Number of these points that have not ended.
        outcomes: Number of ended points by outcome.
        seconds: Training time in seconds, summed over workers.
        devices: Names of the devices that trained; empty if not recorded.
        started: When the sweep was first run, ISO 8601.
        samples: Number of training and of test samples; None if not recorded.
    """

    grid: str
    name: str
    trains: str
    planned: int
    missing: int
    outcomes: Mapping[str, int]
    seconds: float
    devices: Sequence[str]
    started: str
    samples: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result, beside the paper's.

    Attributes:
        what: The result's title in words.
        claim: Its name in verdicts.json or in a comparison; empty for a number read off the figure.
        of: The sweep, or the two sweeps compared.
        paper: The paper's number or words; empty if it prints none.
        agrees: Whether our result agrees with the paper; empty where it is not judged.
        value: Our value; None if there is none.
        interval: Its 95 % interval, or the range seen; None if there is none. An infinite bound is None.
        why: One sentence of explanation.
    """

    what: str
    claim: str
    of: str
    paper: str
    agrees: Agreement
    value: float | None
    interval: Sequence[float | None] | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All that the gallery shows of one figure at one scale.

    Attributes:
        figure: Key of ``results.gallery.exhibits.ALL_EXHIBITS``.
        scale: Scale of the sweeps.
        drawn: Date of drawing, ISO 8601.
        caption: Caption of the picture, which lies beside the record.
        commands: Commands that reproduce the figure.
        sweeps: Sweeps that it was drawn from; none for theory alone.
        findings: Findings in the order of the page.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    figure: str
    scale: Scale
    drawn: str
    caption: str
    commands: Sequence[str]
    sweeps: Sequence[SweepUsed]
    findings: Sequence[Finding]

    @property
    def name(self) -> str:
        """File name of the record and its picture, without ending."""
        return f"{self.figure}-{self.scale}"

    @property
    def missing(self) -> int:
        """Number of points of its grids that have not ended."""
        return sum(sweep.missing for sweep in self.sweeps)

    @property
    def grids(self) -> list[str]:
        """Stems of its grids, each once."""
        return list(dict.fromkeys(sweep.grid for sweep in self.sweeps))

    @property
    def has_several_subjects(self) -> bool:
        """True if its findings are about different sweeps."""
        return len({finding.of for finding in self.findings}) > 1


Records = Mapping[tuple[str, Scale], Record]  # by figure and scale
