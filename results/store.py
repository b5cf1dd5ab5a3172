"""The sweep directory: where things lie, and how a file is written whole or not at all."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from search_spaces.errors import InputError

# No value comes twice, so that a dictionary is in vain: 26 bytes a row with one, 17.5 with bytes split into streams,
# written in half and read in four fifths of the time.
_DISTINCT = {"decay_time", "train_loss", "test_loss", "weight_norm", "eta_eff"}


@dataclass(frozen=True, slots=True)
class SweepDir:
    """Paths of one sweep."""

    root: Path

    @property
    def name(self) -> str:
        """Name of the sweep."""
        return self.root.name

    @property
    def grid(self) -> Path:
        """The grid as resolved."""
        return self.root / "grid.yaml"

    @property
    def plan(self) -> Path:
        """Points and packs of the latest run."""
        return self.root / "plan.json"

    @property
    def rows(self) -> Path:
        """Folder of the part files.

        While no run is under way ``pandas.read_parquet`` of it is the whole table; else there may be parts that do not
        count any more, which ``results.frames.read_rows`` leaves out.
        """
        return self.root / "rows"

    @property
    def checkpoints(self) -> Path:
        """States of the packs that are in training."""
        return self.root / "checkpoints"

    @property
    def weights(self) -> Path:
        """Weights of points at their ends, if the grid asks for them."""
        return self.root / "weights"

    @property
    def attempts(self) -> Path:
        """An empty file for every attempt at a pack: its number is taken."""
        return self.root / "attempts"

    @property
    def given_up(self) -> Path:
        """For every pack whose worker died too often in the latest run, a file that says why."""
        return self.root / "given-up"

    @property
    def lock(self) -> Path:
        """Held by the process that runs the sweep, and says which it is."""
        return self.root / "lock"

    @property
    def stop(self) -> Path:
        """There while workers are asked to commit and leave."""
        return self.root / "stop"

    @property
    def points(self) -> Path:
        """One row a point, with its outcome."""
        return self.root / "points.parquet"

    @property
    def analysis(self) -> Path:
        """``peaks.parquet``, ``verdicts.json`` and ``figures/``."""
        return self.root / "analysis"

    @property
    def report(self) -> Path:
        """The report, one self-contained page."""
        return self.root / "report.html"

    @property
    def prediction(self) -> Path:
        """Page of ``sweeper predict``; of a probe only."""
        return self.root / "prediction.html"

    @property
    def forecast(self) -> Path:
        """The same as JSON."""
        return self.analysis / "forecast.json"

    @property
    def logs(self) -> Path:
        """Logs of packs and failed points."""
        return self.root / "logs"


def files_of(directory: SweepDir) -> Iterator[Path]:
    """Every file in the folder of a sweep.

    Raises:
        InputError: there is a link, a pipe or a device. A sweep has none, one made by others might lead out of its
            folder what is written or deleted in it, and reading a pipe waits for ever.
    """
    folders = [str(directory.root)]
    while folders:
        for entry in _entries(folders.pop()):
            if entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                raise InputError(
                    f"{entry.path}: neither a file nor a folder, but a link, a pipe or a device. Nothing in the folder "
                    "of a sweep may be one: put what it stands for in its place, or remove it. (The folder itself may "
                    "be a link.)"
                )


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:  # removed since it was listed
        return []


def read_limited(path: Path, most: int) -> bytes:
    """Content of a file that is not to fill the memory.

    Raises:
        InputError: it has more than ``most`` bytes.
    """
    size = path.stat().st_size
    if size > most:
        raise InputError(f"{path}: {size:,} bytes; at most {most:,} are expected. It was not written by sweeper.")
    return path.read_bytes()


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


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with _whole(path) as file:
        file.write(content)


def write_table(path: Path, table: pa.Table) -> None:
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
