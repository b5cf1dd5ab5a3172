"""Commits: what the footer of a part says beside the rows.

One rename commits the rows of a part, the ends of the points that ended with them, and the name of the checkpoint.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Annotated, NamedTuple

import pyarrow as pa
from pydantic import AfterValidator, Field, FiniteFloat, TypeAdapter

from results.store.files import read_schema
from results.store.part_names import PartName
from results.store.paths import AnyPath, StoreError
from results.store.schema import COLUMNS, MAX_SECONDS, SCHEMA_VERSION, VERSION_KEY
from results.store.sweep_dir import SweepDir, map_reads
from search_spaces.errors import MAX_LINE, InputError, first_problem, one_line
from search_spaces.outcome import Outcome
from search_spaces.sections.metric import Metric
from search_spaces.sections.section import MAX_STEPS, MAX_TIME

COMMIT_KEY = b"sweeper.commit"
REMEDY = "run 'sweeper verify SWEEP_DIR --repair', then the same command again: what the file held is trained anew."


def readable(text: str) -> str:
    """Return a text of a file, bounded and without anything that steers a terminal.

    What is in order stays as it is, with its lines, so that a table says the same as the parts that it was made from.
    """
    return text if len(text) <= MAX_LINE and text.replace("\n", "").isprintable() else one_line(text)


def _known_kappa(kappa: float | None) -> float | None:
    """Return κ, or None for a number that is none: it serves displays alone."""
    return kappa if kappa is not None and 0 <= kappa <= MAX_TIME else None


# The types of what the footers say. A directory may come from anybody.
Id = Annotated[str, Field(pattern=r"^[0-9a-z]{1,64}$")]
Line = Annotated[str, AfterValidator(readable)]


class OtherVersionError(InputError):
    """A part that another version of this program wrote. It is not damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointEnd:
    """The end of one point.

    Attributes:
        point: id of the point.
        pack: id of the pack that it was trained in.
        attempt: number of the attempt at the pack.
        outcome: how the point ended.
        steps: optimizer steps taken.
        seconds: wall time of its pack until then.
        why: cause of a divergence or failure, empty otherwise.
        best_test_acc: maximum test accuracy; None if never measured, and where the grid has another metric.
        kappa: decay time at t*, for progress displays; the analysis recomputes it. None for λ = 0, and where t* is only
            a lower bound, since the maximum came in the last tenth of the run or the run broke off.
        device: the device that it trained on, as ``NVIDIA H200``.
        best_metric: best value of the metric of the grid, where that is not the test accuracy; None if never measured.
    """

    point: Id
    pack: Id
    attempt: Annotated[int, Field(ge=0, le=10**9)]
    outcome: Outcome
    steps: Annotated[int, Field(ge=0, le=MAX_STEPS)]
    seconds: Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]
    why: Line = ""
    best_test_acc: Annotated[float, Field(ge=0, le=MAX_TIME)] | None = None
    kappa: Annotated[float | None, AfterValidator(_known_kappa)] = None
    device: Line = ""
    best_metric: FiniteFloat | None = None

    def best(self, metric: Metric) -> float | None:
        """Return the best value of ``metric``, that of the grid; None if it was never measured."""
        return self.best_test_acc if metric.is_accuracy else self.best_metric

    def values(self) -> dict[str, object]:
        """Return the attributes by name; ``best_metric`` only where the grid has another metric than the accuracy."""
        values = asdict(self)
        if self.best_metric is None:
            del values["best_metric"]
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The content of a part beside its rows.

    Attributes:
        ends: ends of the points that ended with these rows.
        checkpoint: file name of the state of training after these rows; None if training cannot go on from here.
        finished: whether every point of the pack has ended.
    """

    ends: tuple[PointEnd, ...] = ()
    checkpoint: str | None = None
    finished: bool = False


_COMMIT = TypeAdapter(Commit)


class Footer(NamedTuple):
    """The footer of a part.

    Attributes:
        columns: schema of the rows without metadata; equal schemas are one object.
        commit: the commit.
    """

    columns: pa.Schema
    commit: Commit


def read_footer(directory: SweepDir, name: PartName) -> Footer:
    """Read the footer of a part, in 0.1 ms.

    Raises:
        OtherVersionError: another version of this program wrote the part.
        InputError: the part is damaged.
        FileNotFoundError: the part has been replaced since it was listed.
    """
    path = directory.rows / name.file
    schema = _checked_schema(path)
    try:
        commit = _COMMIT.validate_json(schema.metadata[COMMIT_KEY])
    except (ValueError, KeyError, TypeError) as error:  # no metadata at all
        problem = first_problem(error) if isinstance(error, ValueError) else str(error)
        raise InputError(f"{path}: what it says of ended points is damaged ({problem}); {REMEDY}") from None
    return Footer(_interned(schema.remove_metadata()), commit)


def read_footers(directory: SweepDir, names: Iterable[PartName]) -> list[Footer]:
    """Read the footers of parts. Errors as of ``read_footer``."""
    return map_reads(directory, lambda name: read_footer(directory, name), names)


def read_commit(directory: SweepDir, name: PartName) -> Commit:
    """Read the commit of a part. Errors as of ``read_footer``."""
    return read_footer(directory, name).commit


def read_commits(directory: SweepDir, names: Iterable[PartName]) -> list[Commit]:
    """Read the commits of parts. Errors as of ``read_footer``."""
    return [footer.commit for footer in read_footers(directory, names)]


def read_columns(directory: SweepDir, names: Iterable[PartName]) -> list[pa.Schema]:
    """Read the schemas of parts, without metadata; equal schemas are one object. Errors as of ``read_footer``."""
    rows = directory.rows
    return map_reads(directory, lambda name: _interned(_checked_schema(rows / name.file).remove_metadata()), names)


def _checked_schema(path: AnyPath) -> pa.Schema:
    """The schema of a part with its metadata, once its version and its columns are right."""
    try:
        schema = read_schema(path)
    except (FileNotFoundError, StoreError):
        raise
    except (pa.ArrowException, OSError) as error:
        problem = str(error).splitlines()[0].rpartition("': ")[2]  # without the file, which the library may name first
        raise InputError(f"{path}: not a whole Parquet file ({problem}); {REMEDY}") from None
    version = _version(schema)
    if version != SCHEMA_VERSION:
        kind = InputError if version is None else OtherVersionError
        raise kind(
            f"{path}: written with version {version or '?'} of the row schema, but this program has version "
            f"{SCHEMA_VERSION}; read it with the sweeper that wrote it, or run the grid under another --name."
        )
    if wrong := _wrong_columns(_interned(schema.remove_metadata())):
        raise InputError(f"{path}: not the columns of a table of rows ({', '.join(wrong)}); {REMEDY}")
    return schema


def _version(schema: pa.Schema) -> int | None:
    """Version of the row schema; None if the file does not say it."""
    text = (schema.metadata or {}).get(VERSION_KEY, b"").decode(errors="replace")
    return int(text) if re.fullmatch(r"\d{1,9}", text) else None


@lru_cache(maxsize=16)
def _interned(columns: pa.Schema) -> pa.Schema:
    """One object for equal schemas: all parts of a sweep have the same columns, 5 KB each."""
    return columns


@lru_cache(maxsize=16)
def _wrong_columns(schema: pa.Schema) -> tuple[str, ...]:
    """Columns that are missing, that stand there twice, or whose type is not that of ``results.store.schema``."""
    types: defaultdict[str, list[pa.DataType]] = defaultdict(list)
    for field in schema:
        types[field.name].append(field.type)
    return tuple(column.name for column in COLUMNS if types[column.name] != [column.type])
