"""Part files: what the packs of a sweep have committed. See docs/durability.md.

The rows of a part and, in its footer, the ends of the points that ended with them are committed together by one rename.
"""

import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from results.part_names import NOTHING, PartName, digest_of, parse_name, standing
from results.places import ObjectPath, Place, StoreError
from results.schema import COLUMNS, SCHEMA_VERSION, VERSION_KEY
from results.store import SweepDir, each, names_in, read_schema, table_bytes, version_of, write_bytes
from search_spaces.errors import InputError, first_problem
from search_spaces.outcome import Outcome

COMMIT_KEY = b"sweeper.commit"
_Result = TypeVar("_Result")


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


def all_parts(directory: SweepDir, pack: str | None = None) -> list[PartName]:
    """Every part on the disk, of one pack or of all, whether it counts or not.

    Raises:
        InputError: a Parquet file among the parts that has no name of a part.
    """
    names = []
    for file in names_in(directory.rows, "" if pack is None else f"{pack}-"):
        name = parse_name(file)
        if name is not None:
            names.append(name)
        elif file.endswith(".parquet"):
            path = directory.rows / file
            raise InputError(f"{path}: this Parquet file was not written by sweeper; move it out of the rows folder.")
    return names


def parts(directory: SweepDir, pack: str | None = None) -> list[PartName]:
    """The parts that count, of one pack or of all."""
    return standing(all_parts(directory, pack))


def parts_by_pack(directory: SweepDir) -> dict[str, list[PartName]]:
    """The parts that count, of each pack that has some."""
    by_pack: defaultdict[str, list[PartName]] = defaultdict(list)
    for name in parts(directory):
        by_pack[name.pack].append(name)
    return dict(by_pack)


def parts_behind(directory: SweepDir, pack: str | None = None) -> list[PartName]:
    """The parts that do not count: of attempts that others have taken over from, or behind one that is missing."""
    every = all_parts(directory, pack)
    return sorted(set(every) - set(standing(every)))


def remove(directory: SweepDir, names: Iterable[PartName]) -> None:
    """Delete parts; it is no error if one is gone already."""
    for name in names:
        (directory.rows / name.file).unlink(missing_ok=True)


def write_part(
    directory: SweepDir, pack: str, attempt: int, names: Sequence[PartName], rows: pa.Table, commit: Commit
) -> PartName:
    """Commit rows, ends and checkpoint together; the file appears whole or not at all.

    Args:
        directory: the sweep.
        pack: whose.
        attempt: the caller's own number, from ``claim``.
        names: the parts before, from the first on.
        rows: a table of ``row_schema``; may be empty.
        commit: goes into the footer.
    """
    metadata = {
        VERSION_KEY: str(SCHEMA_VERSION),
        **(rows.schema.metadata or {}),
        COMMIT_KEY: json.dumps(asdict(commit)),
    }
    content = table_bytes(rows.replace_schema_metadata(metadata))
    before = names[-1].digest if names else NOTHING
    name = PartName(pack=pack, attempt=attempt, sequence=len(names), before=before, digest=digest_of(content))
    write_bytes(directory.rows / name.file, content)
    return name


def is_whole(directory: SweepDir, name: PartName) -> bool:
    """Whether a part's content is what its name says."""
    return digest_of((directory.rows / name.file).read_bytes()) == name.digest


def refuse_damaged(directory: SweepDir, name: PartName) -> None:
    """Read every byte of a part, once as long as it does not change.

    Raises:
        InputError: its content is not what its name says.
        FileNotFoundError: it has been replaced since it was listed.
    """
    path = directory.rows / name.file
    if _digest_at(path, _version_of(path)) != name.digest:
        raise _damaged(path)


def _damaged(path: Place) -> InputError:
    return InputError(f"{path}: damaged, its content is not what its name says; {_REMEDY}")


@lru_cache(maxsize=100_000)
def _digest_at(path: Place, _version: Hashable) -> str:
    return digest_of(path.read_bytes())


def _version_of(path: Place) -> Hashable:
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
    return each(directory, lambda name: _whole_footer(rows / name.file), names)


def _whole_footer(path: Place) -> Footer:
    footer = _checked_footer(path)
    if isinstance(footer.commit, str):
        raise InputError(f"{path}: what it says of ended points is damaged ({footer.commit}); {_REMEDY}")
    return Footer(footer.columns, footer.commit)


def read_commit(directory: SweepDir, name: PartName) -> Commit:
    """What a part commits. Errors as of ``read_footers``."""
    return _whole_footer(directory.rows / name.file).commit


def read_commits(directory: SweepDir, names: Iterable[PartName]) -> list[Commit]:
    """The same of many."""
    return [footer.commit for footer in read_footers(directory, names)]


_COMMIT = TypeAdapter(Commit)
_REMEDY = "run 'sweeper verify SWEEP_DIR --repair', then the same command again: what the file held is trained anew."


def checked_schema(path: Place) -> pa.Schema:
    """Schema, without metadata, of a part that is whole, ours, and of this version.

    Raises:
        InputError: it is not.
        FileNotFoundError: it has been replaced since it was listed.
    """
    return _checked_footer(path).columns


def _checked_footer(path: Place) -> _Footer:
    footer = _footer(path)
    if footer.version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: written with version {footer.version or '?'} of the row schema, but this "
            f"program has version {SCHEMA_VERSION}; read it with the sweeper that wrote it, or run the grid under "
            "another --name."
        )
    if footer.wrong:
        raise InputError(f"{path}: not the columns of a table of rows ({', '.join(footer.wrong)}); {_REMEDY}")
    return footer


def is_ours(directory: SweepDir, name: PartName) -> bool:
    """Whether a part is of this version of the program. Errors as of ``checked_schema``."""
    version = _footer(directory.rows / name.file).version
    return version is None or version == SCHEMA_VERSION


def _footer(path: Place) -> _Footer:
    return _footer_at(path, _version_of(path))


@lru_cache(maxsize=1_000_000)  # a part is written once, and reading one takes 0.1 ms: of 10,000 every few seconds, 1 s
def _footer_at(path: Place, _stamp: Hashable) -> _Footer:
    try:
        schema = read_schema(path)
    except (FileNotFoundError, StoreError):
        raise
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a whole Parquet file ({_in_short(error)}); {_REMEDY}") from None
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
    """Columns that are missing, there twice, or of another type than ``results.schema`` says."""
    types: defaultdict[str, list[pa.DataType]] = defaultdict(list)
    for field in schema:
        types[field.name].append(field.type)
    return tuple(column.name for column in COLUMNS if types[column.name] != [column.type])


def snapshot(directory: SweepDir, read: Callable[[list[PartName]], _Result], pack: str | None = None) -> _Result:
    """``read`` of the parts that count, again if some are replaced meanwhile, as happens while a sweep runs."""
    for _ in range(100):
        try:
            return read(parts(directory, pack))
        except FileNotFoundError:
            continue
    return read(parts(directory, pack))


def read_ends(directory: SweepDir, pack: str | None = None) -> dict[str, PointEnd]:
    """The ledger: point id to its end, of one pack's parts or of all. Reads footers only.

    Raises:
        InputError: a file among the parts is damaged or not of this program.
    """
    commits = snapshot(directory, partial(read_commits, directory), pack)
    return {end.point: end for commit in commits for end in commit.ends}


def settled_ends(directory: SweepDir) -> dict[str, PointEnd]:
    """The ends that no crash takes back: what is behind the last checkpoint of a pack may be trained again."""
    ends: dict[str, PointEnd] = {}
    waiting: defaultdict[str, list[PointEnd]] = defaultdict(list)

    def commits(names: list[PartName]) -> list[tuple[str, Commit]]:
        return [(name.pack, commit) for name, commit in zip(names, read_commits(directory, names), strict=True)]

    for pack, commit in snapshot(directory, commits):
        waiting[pack] += commit.ends
        if commit.checkpoint is not None or commit.finished:
            ends |= {end.point: end for end in waiting.pop(pack)}
    return ends


def compact(
    directory: SweepDir,
    names: Sequence[PartName],
    attempt: int,
    schema: pa.Schema,
    *,
    keep: Collection[str],
    commit: Commit,
    defaults: Mapping[str, object] | None = None,
) -> PartName:
    """Put the first parts of a pack into one, in the name of a new attempt, and nothing else counts any more.

    Args:
        directory: the sweep.
        names: the parts to keep, from the first on. The caller deletes them (``parts_behind``).
        attempt: the caller's own number, from ``claim``.
        schema: of the table to come; a grid may have gained an axis.
        keep: ids of the points whose rows and ends stay.
        commit: what the new part says, but for the ends.
        defaults: for an axis gained, the value that the points had before it was one.
    """
    tables = [_conform(read_part(directory, name), schema, defaults or {}) for name in names]
    rows = pa.concat_tables([schema.empty_table(), *tables])
    rows = rows.filter(pc.is_in(rows["point"], pa.array(sorted(keep), pa.string())))
    ends = tuple(end for name in names for end in read_commit(directory, name).ends if end.point in keep)
    return write_part(directory, names[0].pack, attempt, (), rows, replace(commit, ends=ends))


def _conform(rows: pa.Table, schema: pa.Schema, defaults: Mapping[str, object]) -> pa.Table:
    """``rows`` with the columns of ``schema``."""
    columns = [
        rows[field.name].cast(field.type)
        if field.name in rows.schema.names
        else pa.array([defaults.get(field.name)] * len(rows), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def read_part(directory: SweepDir, name: PartName, columns: list[str] | None = None) -> pa.Table:
    """One part, whole or some of its columns; ``point`` comes as a dictionary.

    Raises:
        InputError: its rows are damaged.
        FileNotFoundError: it has been replaced since it was listed.
    """
    path = directory.rows / name.file
    try:
        with _opened(directory, name) as file:
            rows = file.read(columns, use_threads=False)  # parts are small
    except (FileNotFoundError, StoreError):
        raise
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: its rows cannot be read ({str(error).splitlines()[0]}); {_REMEDY}") from None
    if any(rows[column].null_count for column in ("point", "step") if column in rows.column_names):
        raise InputError(f"{path}: a row without a point or a step; {_REMEDY}")
    return rows


def _opened(directory: SweepDir, name: PartName) -> pq.ParquetFile:
    """A part that is whole; of an object store it is fetched once."""
    path = directory.rows / name.file
    if isinstance(path, ObjectPath):
        content = path.read_bytes()
        if digest_of(content) != name.digest:
            raise _damaged(path)
        return pq.ParquetFile(io.BytesIO(content), read_dictionary=["point"])
    refuse_damaged(directory, name)
    return pq.ParquetFile(path, read_dictionary=["point"], pre_buffer=False)
