"""Part files: what the packs of a sweep have committed. See docs/durability.md.

The rows of a part and, in its footer, the ends of the points that ended with them are committed together by one rename.
"""

import io
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from results.store.commits import COMMIT_KEY, REMEDY, Commit, part_version, read_commit
from results.store.files import names_in, table_bytes, write_bytes
from results.store.part_names import NO_PARENT, PartName, digest_of, parse_name, valid_parts
from results.store.paths import AnyPath, ObjectPath, StoreError
from results.store.schema import SCHEMA_VERSION, VERSION_KEY
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError

_Result = TypeVar("_Result")


def all_parts_in(directory: SweepDir, pack: str | None = None) -> list[PartName]:
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


def valid_parts_in(directory: SweepDir, pack: str | None = None) -> list[PartName]:
    """The parts that count, of one pack or of all."""
    return valid_parts(all_parts_in(directory, pack))


def valid_parts_by_pack(directory: SweepDir) -> dict[str, list[PartName]]:
    """The parts that count, of each pack that has some."""
    by_pack: defaultdict[str, list[PartName]] = defaultdict(list)
    for name in valid_parts_in(directory):
        by_pack[name.pack].append(name)
    return dict(by_pack)


def superseded_parts(directory: SweepDir, pack: str | None = None) -> list[PartName]:
    """The parts that do not count: of attempts that others have taken over from, or behind one that is missing."""
    every = all_parts_in(directory, pack)
    return sorted(set(every) - set(valid_parts(every)))


def remove_parts(directory: SweepDir, names: Iterable[PartName]) -> None:
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
    parent = names[-1].digest if names else NO_PARENT
    name = PartName(pack=pack, attempt=attempt, sequence=len(names), parent_digest=parent, digest=digest_of(content))
    write_bytes(directory.rows / name.file, content)
    return name


def is_intact(directory: SweepDir, name: PartName) -> bool:
    """Whether a part's content is what its name says."""
    return digest_of((directory.rows / name.file).read_bytes()) == name.digest


def refuse_damaged(directory: SweepDir, name: PartName) -> None:
    """Read every byte of a part, once as long as it does not change.

    Raises:
        InputError: its content is not what its name says.
        FileNotFoundError: it has been replaced since it was listed.
    """
    path = directory.rows / name.file
    if _digest_at(path, part_version(path)) != name.digest:
        raise _damaged(path)


def _damaged(path: AnyPath) -> InputError:
    return InputError(f"{path}: damaged, its content is not what its name says; {REMEDY}")


@lru_cache(maxsize=100_000)
def _digest_at(path: AnyPath, _version: Hashable) -> str:
    return digest_of(path.read_bytes())


def read_consistent(directory: SweepDir, read: Callable[[list[PartName]], _Result], pack: str | None = None) -> _Result:
    """``read`` of the parts that count, again if some are replaced meanwhile, as happens while a sweep runs."""
    for _ in range(100):
        try:
            return read(valid_parts_in(directory, pack))
        except FileNotFoundError:
            continue
    return read(valid_parts_in(directory, pack))


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
        names: the parts to keep, from the first on. The caller deletes them (``superseded_parts``).
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
        raise InputError(f"{path}: its rows cannot be read ({str(error).splitlines()[0]}); {REMEDY}") from None
    if any(rows[column].null_count for column in ("point", "step") if column in rows.column_names):
        raise InputError(f"{path}: a row without a point or a step; {REMEDY}")
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
