"""The gallery's memory: one record for each figure and scale, as JSON beside its picture.

A record holds all that the gallery shows of a figure, so that its sweeps need not be kept.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter

from results.gallery.beyond import BEYOND
from results.gallery.exhibits import EXHIBITS, Exhibit
from results.store.files import write_bytes, write_text
from search_spaces.errors import InputError, first_problem

__all__ = [
    "ENTRIES",
    "FOLDER",
    "SCALES",
    "Finding",
    "Mark",
    "Record",
    "Scale",
    "SweepUsed",
    "read_records",
    "write_record",
]

ENTRIES: Mapping[str, Exhibit] = {**EXHIBITS, **BEYOND}  # in the order of the pages
FOLDER = "gallery"  # beside the two pages
Scale = Literal["paper", "small"]
SCALES: Mapping[Scale, str] = {"paper": "paper scale", "small": "small sibling"}
Mark = Literal["pass", "fail", "inconclusive", ""]  # empty: a number that nothing judges


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepUsed:
    """A sweep that a figure was drawn from.

    Attributes:
        grid: stem of its grid in ``grids/paper`` or ``grids/small``.
        name: of the sweep.
        trains: network and data in words.
        planned: points of the grid.
        missing: of these, points that have not ended.
        outcomes: number of ended points by outcome.
        seconds: of training, summed over workers.
        devices: it trained on; empty if not recorded.
        started: when it was first run, ISO 8601.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found, beside what the paper says of it.

    Attributes:
        what: in words.
        claim: its name in verdicts.json, or in a comparison; empty for a number read off the figure.
        of: the sweep, or the two.
        paper: the paper's number or words; empty if it prints none.
        agrees: whether that is as the paper has it; empty where nothing judges it.
        value: ours.
        interval: 95 %, or the range seen; None where there is none, as is a bound that is infinite.
        why: one sentence.
    """

    what: str
    claim: str
    of: str
    paper: str
    agrees: Mark
    value: float | None
    interval: Sequence[float | None] | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All that the gallery shows of one figure at one scale.

    Attributes:
        figure: key of ``ENTRIES``.
        scale: of the sweeps.
        drawn: date, ISO 8601.
        caption: of the picture, which lies beside the record.
        commands: that make it.
        sweeps: it was drawn from; none for theory alone.
        findings: in the order to be shown.
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
        """Points of its grids that have not ended."""
        return sum(sweep.missing for sweep in self.sweeps)


_RECORD = TypeAdapter(Record)


def write_record(folder: Path, record: Record, picture: bytes) -> None:
    """Write a record and its picture (PNG) into a folder, the picture first."""
    write_bytes(folder / f"{record.name}.png", picture)
    write_text(folder / f"{record.name}.json", json.dumps(asdict(record), indent=2, ensure_ascii=False) + "\n")


def read_records(folder: Path) -> dict[tuple[str, Scale], Record]:
    """Every record of a folder, by figure and scale; none where there is no folder.

    Raises:
        InputError: a record is damaged, or its picture is missing.
    """
    records = [_read(path) for path in sorted(folder.glob("*.json"))]
    return {(record.figure, record.scale): record for record in records}


def _read(path: Path) -> Record:
    remedy = "Remove it and draw the figure again: sweeper gallery SWEEP_DIR --out " + str(path.parent.parent)
    try:
        record = _from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: this record of the gallery is damaged ({first_problem(error)}). {remedy}") from None
    if record.name != path.stem:
        raise InputError(f"{path}: this record of the gallery is that of {record.name}. {remedy}")
    if not path.with_suffix(".png").is_file():
        raise InputError(f"{path}: the picture of this record, {path.stem}.png, is not there. {remedy}")
    return record


def _from_json(text: str) -> Record:
    record = _RECORD.validate_json(text)
    if record.figure not in ENTRIES:
        raise ValueError(f"no figure {record.figure}")
    return record
