"""The sweep directory: where things lie in it, how a file is read, and how one is written whole or not at all."""

import io
import os
import re
import secrets
import shutil
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem

from results.places import ObjectPath, Place
from search_spaces.errors import InputError

# No value comes twice, so that a dictionary is in vain: 26 bytes a row with one, 17.5 with bytes split into streams,
# written in half and read in four fifths of the time.
_DISTINCT = {"decay_time", "train_loss", "test_loss", "weight_norm", "eta_eff"}

_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")  # of ``_whole``
REQUESTS = 16  # to an object store at a time; one takes some 20 ms
_LOCAL = LocalFileSystem()
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class SweepDir:
    """Paths of one sweep."""

    root: Place

    @property
    def name(self) -> str:
        """Name of the sweep."""
        return self.root.name

    @property
    def poll_seconds(self) -> float:
        """Between two looks at whether ``stop`` is there: 20 ms of a request a second would be 2 % of the training."""
        return 5.0 if isinstance(self.root, ObjectPath) else 1.0

    @property
    def grid(self) -> Place:
        """The grid as resolved."""
        return self.root / "grid.yaml"

    @property
    def plan(self) -> Place:
        """Points and packs of the latest run."""
        return self.root / "plan.json"

    @property
    def rows(self) -> Place:
        """Folder of the part files.

        While no run is under way ``pandas.read_parquet`` of it is the whole table; else there may be parts that do not
        count any more, which ``results.frames.read_rows`` leaves out.
        """
        return self.root / "rows"

    @property
    def checkpoints(self) -> Place:
        """States of the packs that are in training."""
        return self.root / "checkpoints"

    @property
    def weights(self) -> Place:
        """Weights of points at their ends, if the grid asks for them."""
        return self.root / "weights"

    @property
    def attempts(self) -> Place:
        """An empty file for every attempt at a pack: its number is taken."""
        return self.root / "attempts"

    @property
    def memory(self) -> Place:
        """An empty file for every number of points that some worker had no memory for."""
        return self.root / "memory"

    @property
    def given_up(self) -> Place:
        """For every pack whose worker died too often in the latest run, a file that says why."""
        return self.root / "given-up"

    @property
    def lock(self) -> Place:
        """Held by the process that runs the sweep, and says which it is."""
        return self.root / "lock"

    @property
    def stop(self) -> Place:
        """There while workers are asked to commit and leave."""
        return self.root / "stop"

    @property
    def points(self) -> Place:
        """One row a point, with its outcome."""
        return self.root / "points.parquet"

    @property
    def analysis(self) -> Place:
        """``peaks.parquet``, ``verdicts.json`` and ``figures/``."""
        return self.root / "analysis"

    @property
    def report(self) -> Place:
        """The report, one self-contained page."""
        return self.root / "report.html"

    @property
    def prediction(self) -> Place:
        """Page of ``sweeper predict``; of a probe only."""
        return self.root / "prediction.html"

    @property
    def forecast(self) -> Place:
        """The same as JSON."""
        return self.analysis / "forecast.json"

    @property
    def logs(self) -> Place:
        """Logs of packs and failed points."""
        return self.root / "logs"

    def inside(self, path: Place) -> str:
        """Name of a file of the sweep as seen from its folder."""
        return str(path).removeprefix(f"{self.root}/")


def files_of(directory: SweepDir) -> dict[Place, int]:
    """Every file of a sweep, with its bytes.

    Raises:
        InputError: there is a link, a pipe or a device. A sweep has none, one made by others might lead out of its
            folder what is written or deleted in it, and reading a pipe waits for ever.
    """
    root = directory.root
    if isinstance(root, ObjectPath):
        return {root / name: size for name, size in root.sizes().items()}
    found: dict[Place, int] = {}
    for entry in _walk(root):
        with suppress(FileNotFoundError):  # removed since it was listed
            found[Path(entry.path)] = entry.stat(follow_symlinks=False).st_size
    return found


def refuse_links(directory: SweepDir) -> None:
    """Raise what ``files_of`` would, in half of its time; an object store has no links."""
    if isinstance(directory.root, Path):
        deque(_walk(directory.root), maxlen=0)


def leftovers(directory: SweepDir) -> list[Place]:
    """Files of writers that were killed before their rename. Errors as of ``files_of``."""
    root = directory.root
    if isinstance(root, ObjectPath):  # it makes none, but a folder may have been copied there
        return [path for path in files_of(directory) if _TEMPORARY.fullmatch(path.name)]
    return sorted(Path(entry.path) for entry in _walk(root) if _TEMPORARY.fullmatch(entry.name))


def _walk(root: Path) -> Iterator[os.DirEntry[str]]:
    """The files below a folder. Errors as of ``files_of``."""
    folders = [str(root)]
    while folders:
        for entry in _entries(folders.pop()):
            if entry.is_file(follow_symlinks=False):
                yield entry
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                raise InputError(
                    f"{entry.path}: neither a file nor a folder, but a link, a pipe or a device. Nothing in the folder "
                    "of a sweep may be one: put what it stands for in its place, or remove it. (The folder itself may "
                    "be a link.)"
                )


def each(directory: SweepDir, read: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """``read`` of each, side by side where each is a request to an object store."""
    if not isinstance(directory.root, ObjectPath):
        return [read(item) for item in items]
    with ThreadPoolExecutor(REQUESTS) as pool:
        return list(pool.map(read, items))


def names_in(folder: Place, prefix: str = "") -> list[str]:
    """Names of the files in a folder that begin with ``prefix``, in order; hidden ones apart.

    Of an object store only those names are asked for.
    """
    if isinstance(folder, ObjectPath):
        found = list(folder.sizes(prefix))
    else:
        found = [entry.name for entry in _entries(str(folder)) if entry.name.startswith(prefix)]
    return sorted(name for name in found if not name.startswith("."))


def sizes_in(folder: Place, prefix: str = "") -> dict[str, int]:
    """The same with their bytes, each of which is a call to the system."""
    if isinstance(folder, ObjectPath):
        return {name: size for name, size in folder.sizes(prefix).items() if not name.startswith(".")}
    found = {}
    for name in names_in(folder, prefix):
        with suppress(FileNotFoundError):  # removed since it was listed
            found[name] = (folder / name).stat().st_size
    return found


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:  # removed since it was listed
        return []


def size_of(path: Place) -> int:
    """Bytes of a file."""
    return path.size() if isinstance(path, ObjectPath) else path.stat().st_size


def version_of(path: Place) -> Hashable:
    """Another value whenever a file has been written anew."""
    if isinstance(path, ObjectPath):
        return path.version()
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def read_limited(path: Place, most: int) -> bytes:
    """Content of a file that is not to fill the memory.

    Raises:
        InputError: it has more than ``most`` bytes.
    """
    size = size_of(path)
    if size > most:
        raise InputError(f"{path}: {size:,} bytes; at most {most:,} are expected. It was not written by sweeper.")
    return path.read_bytes()


def read_parquet(path: Place) -> pa.Table:
    """A Parquet file, whole."""
    with open_parquet(path) as file:
        return file.read()


def read_schema(path: Place) -> pa.Schema:
    """Schema of a Parquet file with its metadata, in half of the time that opening the file takes."""
    if isinstance(path, ObjectPath):
        return _parquet().inspect(io.BytesIO(path.read_bytes()))
    return _parquet().inspect(str(path), _LOCAL)


@cache
def _parquet() -> Any:
    from pyarrow.dataset import ParquetFileFormat  # noqa: PLC0415 - it imports pandas, in 0.2 s

    return ParquetFileFormat()


def open_parquet(path: Place, **options: object) -> pq.ParquetFile:
    """A Parquet file, to read some of it; ``options`` as of ``pyarrow.parquet.ParquetFile``.

    ``pyarrow.parquet.read_table`` would take a folder named a=b for a column.
    """
    return pq.ParquetFile(io.BytesIO(path.read_bytes()) if isinstance(path, ObjectPath) else path, **options)


@contextmanager
def local_copy(path: Place) -> Iterator[Path]:
    """A file as one of this machine, while the block runs."""
    if isinstance(path, Path):
        yield path
        return
    with TemporaryDirectory(prefix="sweeper-") as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(path.read_bytes())
        yield copy


def make_folder(folder: Place) -> None:
    """Make a folder if it is absent; an object store has none."""
    if isinstance(folder, Path):
        folder.mkdir(parents=True, exist_ok=True)


def clear(folder: Place) -> None:
    """Remove a folder with all that is in it."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        for name in folder.sizes():
            (folder / name).unlink(missing_ok=True)


def create(path: Place) -> None:
    """Make a file that says nothing but that its name is taken.

    Raises:
        FileExistsError: it is taken already.
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
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that appears whole or not at all: written under a hidden name, flushed to the disk, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _flush_names(path.parent)


def _flush_names(folder: Path) -> None:
    """Make new and changed names in ``folder`` durable: on Linux a rename is not until its folder is flushed."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Place, text: str) -> None:
    """Write a text file whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Place, content: bytes) -> None:
    """Write a file whole or not at all."""
    if isinstance(path, ObjectPath):
        path.write(content)
        return
    with _whole(path) as file:
        file.write(content)


def write_table(path: Place, table: pa.Table) -> None:
    """Write a Parquet file whole or not at all; readers never see the hidden temporary file."""
    write_bytes(path, table_bytes(table))


def table_bytes(table: pa.Table) -> bytes:
    """A table as the content of a Parquet file."""
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
