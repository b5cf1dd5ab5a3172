"""Commits: what the footer of a part says beside the rows."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import pyarrow as pa
from pydantic import TypeAdapter

from results.store.files import read_schema, version_of
from results.store.part_names import PartName
from results.store.paths import AnyPath, ObjectPath, StoreError
from results.store.schema import COLUMNS, SCHEMA_VERSION, VERSION_KEY
from results.store.sweep_dir import SweepDir, map_reads
from search_spaces.errors import InputError, first_problem
from search_spaces.outcome import Outcome

COMMIT_KEY = b"sweeper.commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class PointEnd:
    """The end of one point.

    Attributes:
        steps: optimizer steps taken.
        seconds: wall time of its pack until then.
        why: cause of a divergence or failure, empty otherwise.
        best_test_acc: maximum test accuracy (None if never measured).
        kappa: decay time at t*, for progress displays; the analysis recomputes it (None for λ = 0).
        device: what it trained on, as ``NVIDIA H200``.
    """

    point: str
    pack: str
    attempt: int
    outcome: Outcome
    steps: int
    seconds: float
    why: str = ""
    best_test_acc: float | None = None
    kappa: float | None = None
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What a part says beside its rows.

    Attributes:
        ends: of the points that ended with these rows.
        checkpoint: file name of the state of training after these rows; None if training cannot go on from here.
        finished: whether every point of the pack has ended.
    """

    ends: tuple[PointEnd, ...] = ()
    checkpoint: str | None = None
    finished: bool = False


def part_version(path: AnyPath) -> Hashable:
    """Of a part, which is written once: what a disk may do to it, no store does, and asking one is a request."""
    return None if isinstance(path, ObjectPath) else version_of(path)


class Footer(NamedTuple):
    """What the footer of a part of this program says.

    Attributes:
        columns: the schema without metadata; equal ones are one object.
    """

    columns: pa.Schema
    commit: Commit


@dataclass(frozen=True, slots=True)
class _Footer:
    """What a footer says, whoever wrote it.

    Attributes:
        version: of the row schema; None if it is not said.
        columns: the schema without metadata.
        wrong: columns that are not as they should be.
        commit: or what is wrong with it.
    """

    version: int | None
    columns: pa.Schema
    wrong: tuple[str, ...]
    commit: Commit | str


def read_footers(directory: SweepDir, names: Iterable[PartName]) -> list[Footer]:
    """What parts say in their footers.

    Raises:
        InputError: a file is damaged, or of another version of this program.
        FileNotFoundError: it has been replaced since it was listed.
    """
    rows = directory.rows
    return map_reads(directory, lambda name: _whole_footer(rows / name.file), names)


def _whole_footer(path: AnyPath) -> Footer:
    footer = _checked_footer(path)
    if isinstance(footer.commit, str):
        raise InputError(f"{path}: what it says of ended points is damaged ({footer.commit}); {REMEDY}")
    return Footer(footer.columns, footer.commit)


def read_commit(directory: SweepDir, name: PartName) -> Commit:
    """What a part commits. Errors as of ``read_footers``."""
    return _whole_footer(directory.rows / name.file).commit


def read_commits(directory: SweepDir, names: Iterable[PartName]) -> list[Commit]:
    """The same of many."""
    return [footer.commit for footer in read_footers(directory, names)]


_COMMIT = TypeAdapter(Commit)


REMEDY = "run 'sweeper verify SWEEP_DIR --repair', then the same command again: what the file held is trained anew."


def checked_schema(path: AnyPath) -> pa.Schema:
    """Schema, without metadata, of a part that is whole, ours, and of this version.

    Raises:
        InputError: it is not.
        FileNotFoundError: it has been replaced since it was listed.
    """
    return _checked_footer(path).columns


def _checked_footer(path: AnyPath) -> _Footer:
    footer = _footer(path)
    if footer.version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: written with version {footer.version or '?'} of the row schema, but this "
            f"program has version {SCHEMA_VERSION}; read it with the sweeper that wrote it, or run the grid under "
            "another --name."
        )
    if footer.wrong:
        raise InputError(f"{path}: not the columns of a table of rows ({', '.join(footer.wrong)}); {REMEDY}")
    return footer


def is_this_version(directory: SweepDir, name: PartName) -> bool:
    """Whether a part is of this version of the program. Errors as of ``checked_schema``."""
    version = _footer(directory.rows / name.file).version
    return version is None or version == SCHEMA_VERSION


def _footer(path: AnyPath) -> _Footer:
    return _footer_at(path, part_version(path))


@lru_cache(maxsize=1_000_000)  # a part is written once, and reading one takes 0.1 ms: of 10,000 every few seconds, 1 s
def _footer_at(path: AnyPath, _stamp: Hashable) -> _Footer:
    try:
        schema = read_schema(path)
    except (FileNotFoundError, StoreError):
        raise
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a whole Parquet file ({_in_short(error)}); {REMEDY}") from None
    return _Footer(_version(schema), *_shared(schema.remove_metadata()), _commit_in(schema))


def _in_short(error: Exception) -> str:
    """What the library says, without the file, which it may name first."""
    return str(error).splitlines()[0].rpartition("': ")[2]


@lru_cache(maxsize=16)
def _shared(columns: pa.Schema) -> tuple[pa.Schema, tuple[str, ...]]:
    """The columns, and which are wrong: once for all parts of a sweep, whose columns are equal and 5 KB each."""
    return columns, _wrong_columns(columns)


def _commit_in(schema: pa.Schema) -> Commit | str:
    try:
        return _COMMIT.validate_json(schema.metadata[COMMIT_KEY])
    except (ValueError, KeyError, TypeError) as error:  # no metadata at all
        return first_problem(error) if isinstance(error, ValueError) else str(error)


def _version(schema: pa.Schema) -> int | None:
    """Version of the row schema; None if the file does not say it."""
    text = (schema.metadata or {}).get(VERSION_KEY, b"").decode(errors="replace")
    return int(text) if re.fullmatch(r"\d{1,9}", text) else None


def _wrong_columns(schema: pa.Schema) -> tuple[str, ...]:
    """Columns that are missing, there twice, or of another type than ``results.store.schema`` says."""
    types: defaultdict[str, list[pa.DataType]] = defaultdict(list)
    for field in schema:
        types[field.name].append(field.type)
    return tuple(column.name for column in COLUMNS if types[column.name] != [column.type])
