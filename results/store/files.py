"""Files of a sweep, in a folder or an object store: listed, read, and written whole or not at all."""

import io
import os
import secrets
import shutil
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem

from results.store.paths import AnyPath, ObjectPath
from search_spaces.errors import InputError

# No value comes twice, so that a dictionary is in vain: 26 bytes a row with one, 17.5 with bytes split into streams,
# written in half and read in four fifths of the time.
_DISTINCT = {"decay_time", "train_loss", "test_loss", "weight_norm", "eta_eff"}


# Of one Parquet file, once it is decompressed. A pack of 64 points of 10,000 measurements has 640,000 rows of 0.1 GB.
MAX_ROWS, MAX_TABLE_BYTES = 50_000_000, 8 * 10**9
_LOCAL = LocalFileSystem()


def names_in(folder: AnyPath, prefix: str = "") -> list[str]:
    """List the names in a folder that begin with ``prefix``, in order, without hidden files.

    An object store is asked for these names only.
    """
    if isinstance(folder, ObjectPath):
        found = list(folder.sizes(prefix))
    else:
        found = [entry.name for entry in entries_in(str(folder)) if entry.name.startswith(prefix)]
    return sorted(name for name in found if not name.startswith("."))


def sizes_in(folder: AnyPath, prefix: str = "") -> dict[str, int]:
    """Map the names in a folder that begin with ``prefix`` to sizes in bytes, each a call to the system."""
    if isinstance(folder, ObjectPath):
        return {name: size for name, size in folder.sizes(prefix).items() if not name.startswith(".")}
    found = {}
    for name in names_in(folder, prefix):
        with suppress(FileNotFoundError):  # removed since it was listed
            found[name] = (folder / name).stat().st_size
    return found


def entries_in(folder: str) -> list[os.DirEntry[str]]:
    """List files and folders in a folder; none if it is absent."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:  # removed since it was listed
        return []


def size_of(path: AnyPath) -> int:
    """Return the size of a file in bytes."""
    return path.size() if isinstance(path, ObjectPath) else path.stat().st_size


def version_of(path: AnyPath) -> Hashable:
    """Return a token that changes whenever the file is rewritten."""
    if isinstance(path, ObjectPath):
        return path.version()
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def read_limited(path: AnyPath, most: int) -> bytes:
    """Read a file that must not fill the memory.

    Raises:
        InputError: it has more than ``most`` bytes.
    """
    size = size_of(path)
    if size > most:
        raise InputError(f"{path}: {size:,} bytes; at most {most:,} are expected. It was not written by sweeper.")
    return path.read_bytes()


def read_parquet(path: AnyPath) -> pa.Table:
    """Read a Parquet file."""
    with open_parquet(path) as file:
        return file.read().replace_schema_metadata(None)  # that of pandas would be read as JSON, whoever wrote it


def read_schema(path: AnyPath) -> pa.Schema:
    """Read the schema of a Parquet file with its metadata, in half of the time that opening the file takes."""
    if isinstance(path, ObjectPath):
        return _parquet().inspect(io.BytesIO(path.read_bytes()))
    return _parquet().inspect(str(path), _LOCAL)


@cache
def _parquet() -> Any:
    from pyarrow.dataset import ParquetFileFormat  # noqa: PLC0415 - it imports pandas, in 0.2 s

    return ParquetFileFormat()


def open_parquet(path: AnyPath, content: bytes | None = None, **options: object) -> pq.ParquetFile:
    """Open a Parquet file, to read some of it. ``pyarrow.parquet.read_table`` would take a folder a=b for a column.

    Args:
        path: the file.
        content: its content, if that has been read already.
        options: as of ``pyarrow.parquet.ParquetFile``.

    Raises:
        InputError: it would fill the memory once it is decompressed.
    """
    if content is None and isinstance(path, ObjectPath):
        content = path.read_bytes()
    file = pq.ParquetFile(path if content is None else io.BytesIO(content), **options)
    metadata = file.metadata
    size = sum(metadata.row_group(k).total_byte_size for k in range(metadata.num_row_groups))
    if metadata.num_rows > MAX_ROWS or size > MAX_TABLE_BYTES:
        raise InputError(
            f"{path}: {metadata.num_rows:,} rows of {size:,} bytes; at most {MAX_ROWS:,} and {MAX_TABLE_BYTES:,} are "
            "expected of a file. It was not written by sweeper."
        )
    return file


@contextmanager
def local_copy(path: AnyPath) -> Iterator[Path]:
    """Provide a file on this machine while the block runs."""
    if isinstance(path, Path):
        yield path
        return
    with TemporaryDirectory(prefix="sweeper-") as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(path.read_bytes())
        yield copy


def make_folder(folder: AnyPath) -> None:
    """Create a folder if it is absent; an object store has none."""
    if isinstance(folder, Path):
        folder.mkdir(parents=True, exist_ok=True)


def clear(folder: AnyPath) -> None:
    """Remove a folder with its content."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        for name in folder.sizes():
            (folder / name).unlink(missing_ok=True)


def create(path: AnyPath) -> None:
    """Create an empty file, whose name is thereby taken.

    Raises:
        FileExistsError: the name is taken already.
    """
    if isinstance(path, Path):
        path.touch(exist_ok=False)
        return
    mine = secrets.token_bytes(16)
    try:
        path.create(mine)
    except FileExistsError:
        if path.read_bytes() != mine:  # else its first answer was lost, and the library had asked again
            raise


@contextmanager
def open_whole(path: Path, confirm: Callable[[], None] = lambda: None) -> Iterator[BinaryIO]:
    """Open a file that appears whole or not at all: it is written under a hidden name, flushed, then renamed.

    Args:
        path: the file.
        confirm: is called right before the rename, and raises if the file is not to appear.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        confirm()
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.filename is None:  # of a write: which file did not fit?
            error.filename = str(path)
        raise
    _flush_names(path.parent)


def _flush_names(folder: Path) -> None:
    """Make new and changed names in ``folder`` durable. On Linux a rename is durable once its folder is flushed."""
    if os.name == "nt":  # where no folder can be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: AnyPath, text: str) -> None:
    """Write a text file whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: AnyPath, content: bytes, confirm: Callable[[], None] = lambda: None) -> None:
    """Write a file whole or not at all.

    Args:
        path: the file.
        content: its content.
        confirm: is called as late as possible, and raises if the file is not to appear.
    """
    if isinstance(path, ObjectPath):
        confirm()
        path.write(content)
        return
    with open_whole(path, confirm) as file:
        file.write(content)


def write_table(path: AnyPath, table: pa.Table) -> None:
    """Write a Parquet file whole or not at all; readers never see the hidden temporary file."""
    write_bytes(path, table_bytes(table))


def table_bytes(table: pa.Table) -> bytes:
    """Return a table as the content of a Parquet file."""
    distinct = [name for name in table.column_names if name in _DISTINCT]
    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        compression="zstd",
        use_dictionary=[name for name in table.column_names if name not in _DISTINCT],
        use_byte_stream_split=distinct or False,
    )
    return buffer.getvalue()
