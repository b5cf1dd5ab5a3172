"""Part files: listed, written, read, compacted and removed. See docs/durability.md."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from results.store.commits import COMMIT_KEY, REMEDY, Commit, read_commit
from results.store.files import names_in, open_parquet, table_bytes, write_bytes
from results.store.part_names import NO_PARENT, PartName, digest_of, parse_name, valid_parts
from results.store.paths import ObjectPath, StoreError
from results.store.schema import SCHEMA_VERSION, VERSION_KEY, wrong_value
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError

_Result = TypeVar("_Result")


def all_parts_in(directory: SweepDir, pack: str | None = None) -> list[PartName]:
    """List every part on the disk, of one pack or of all, whether it counts or not.

    Raises:
        InputError: a Parquet file among the parts does not have the name of a part.
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
    """List the parts that count, of one pack or of all."""
    return valid_parts(all_parts_in(directory, pack))


def superseded_parts(directory: SweepDir, pack: str | None = None) -> list[PartName]:
    """List the parts that do not count: those of overtaken attempts, and those behind a part that is missing."""
    names = all_parts_in(directory, pack)
    return sorted(set(names) - set(valid_parts(names)))


def remove_parts(directory: SweepDir, names: Iterable[PartName]) -> None:
    """Delete parts; a part that is gone already is no error."""
    for name in names:
        (directory.rows / name.file).unlink(missing_ok=True)


def write_part(
    directory: SweepDir, pack: str, attempt: int, names: Sequence[PartName], rows: pa.Table, commit: Commit
) -> PartName:
    """Commit rows, ends and checkpoint together; the file appears whole or not at all.

    Args:
        directory: the sweep.
        pack: id of the pack.
        attempt: the caller's own number, from ``claim``.
        names: the pack's parts before this one, from the first on.
        rows: a table of ``row_schema``; may be empty.
        commit: the content of the footer.

    Returns:
        The name of the part.
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
    """Read every byte of a part; whether its content has the digest that its name says."""
    return digest_of((directory.rows / name.file).read_bytes()) == name.digest


def refuse_damaged(directory: SweepDir, name: PartName) -> None:
    """Read every byte of a part.

    Raises:
        InputError: its content does not have the digest that its name says.
        FileNotFoundError: it has been replaced since it was listed.
    """
    if not is_intact(directory, name):
        raise _damaged(directory, name)


def _damaged(directory: SweepDir, name: PartName) -> InputError:
    return InputError(f"{directory.rows / name.file}: damaged, its content is not what its name says; {REMEDY}")


def read_consistent(directory: SweepDir, read: Callable[[list[PartName]], _Result], pack: str | None = None) -> _Result:
    """Read the parts that count at one moment; read again if some are replaced meanwhile, as in a running sweep.

    Args:
        directory: the sweep.
        read: reads the parts whose names it is given.
        pack: id of the pack whose parts are read; all packs if None.

    Returns:
        The result of ``read``.
    """
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
    """Put the first parts of a pack into one part of a new attempt; no other part of the pack counts any more.

    Args:
        directory: the sweep.
        names: the parts to keep, from the first on. The caller deletes them (``superseded_parts``).
        attempt: the caller's own number, from ``claim``.
        schema: schema of the new part; a grid may have gained an axis.
        keep: ids of the points whose rows and ends stay.
        commit: the commit of the new part, apart from its ends.
        defaults: for an axis gained, the value that the points had before.

    Returns:
        The name of the new part.
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


def read_part(
    directory: SweepDir, name: PartName, columns: list[str] | None = None, *, check_digest: bool = True
) -> pa.Table:
    """Read one part, whole or some of its columns; ``point`` comes as a dictionary.

    Args:
        directory: the sweep.
        name: the part.
        columns: names of the columns; all if None.
        check_digest: whether to read every byte and compare the digest first. A caller that has just done so can skip
            it in a folder; what comes from an object store is always checked.

    Raises:
        InputError: its rows are damaged.
        FileNotFoundError: it has been replaced since it was listed.
    """
    path = directory.rows / name.file
    try:
        with _opened(directory, name, check_digest=check_digest) as file:
            # Parts are small. Metadata of pandas would be read as JSON later on, whoever wrote it.
            rows = file.read(columns, use_threads=False).replace_schema_metadata(None)
    except (FileNotFoundError, StoreError):
        raise
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: its rows cannot be read ({str(error).splitlines()[0]}); {REMEDY}") from None
    if any(rows[column].null_count for column in ("point", "step") if column in rows.column_names):
        raise InputError(f"{path}: a row without a point or a step; {REMEDY}")
    if wrong := wrong_value(rows):
        raise InputError(f"{path}: a value that no row has: {wrong}; {REMEDY}")
    return rows


def _opened(directory: SweepDir, name: PartName, *, check_digest: bool) -> pq.ParquetFile:
    """An intact part; a part of an object store is fetched once."""
    path = directory.rows / name.file
    if isinstance(path, ObjectPath):
        content = path.read_bytes()
        if digest_of(content) != name.digest:
            raise _damaged(directory, name)
        return open_parquet(path, content, read_dictionary=["point"])
    if check_digest:
        refuse_damaged(directory, name)
    return open_parquet(path, read_dictionary=["point"], pre_buffer=False)
