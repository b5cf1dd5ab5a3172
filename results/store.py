"""The sweep directory: the only file that knows where things lie and how they are written.

A part file holds rows and, in its footer, the ends of the points that ended with them, so that one rename commits
both. The ledger of a sweep is the union of those footers: a point is done when a part says so.
"""

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from results.schema import SCHEMA_VERSION, VERSION_KEY, row_schema
from search_spaces.errors import InputError
from search_spaces.outcome import Outcome

ENDS_KEY = b"sweeper.ends"
_TEXT_COLUMNS = ["sweep", "point", "pack"]
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
        """Folder of the part files; ``pandas.read_parquet`` of it is the whole table."""
        return self.root / "rows"

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
    def logs(self) -> Path:
        """Logs of packs and failed points."""
        return self.root / "logs"


@dataclass(frozen=True, slots=True, kw_only=True)
class PointEnd:
    """The end of one point.

    Attributes:
        steps: optimizer steps taken.
        seconds: wall time of its pack until then.
        why: cause of a divergence or failure, empty otherwise.
        best_test_acc: maximum test accuracy (None if never measured).
        kappa: decay time at t*, for progress displays; the analysis recomputes it (None for λ = 0).
        device: what it trained on, as ``NVIDIA H200``; empty where that was not recorded.
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


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that appears whole or not at all: written under a hidden name, flushed to the disk, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with _whole(path) as file:
        file.write(content)


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet file whole or not at all; readers never see the hidden temporary file."""
    distinct = [name for name in table.column_names if name in _DISTINCT]
    with _whole(path) as file:
        pq.write_table(
            table,
            file,
            compression="zstd",
            use_dictionary=[name for name in table.column_names if name not in _DISTINCT],
            use_byte_stream_split=distinct or False,
        )


def part_name(pack: str, attempt: int, sequence: int) -> str:
    """File name of a part: pack, attempt and its number within the attempt."""
    return f"{pack}-{attempt:03d}-{sequence:05d}.parquet"


def write_part(directory: SweepDir, name: str, rows: pa.Table, ends: Iterable[PointEnd]) -> None:
    """Commit rows and the ends of points together.

    Args:
        directory: the sweep.
        name: from ``part_name``; an existing part of that name is replaced.
        rows: a table of ``row_schema``; may be empty.
        ends: points that ended with these rows.
    """
    metadata = dict(rows.schema.metadata or {}) | {ENDS_KEY: json.dumps([asdict(e) for e in ends]).encode()}
    write_table(directory.rows / name, rows.replace_schema_metadata(metadata))


def parts(directory: SweepDir, pack: str | None = None) -> list[Path]:
    """Part files in the order of their names, of one pack or of all."""
    pattern = "*.parquet" if pack is None else f"{pack}-*.parquet"
    return sorted(p for p in directory.rows.glob(pattern) if not p.name.startswith("."))


def next_attempt(directory: SweepDir, pack: str) -> int:
    """Number of the attempt that a pack is about to start."""
    return max((int(path.name.split("-")[1]) + 1 for path in parts(directory, pack)), default=0)


def read_ends(directory: SweepDir, pack: str | None = None) -> dict[str, PointEnd]:
    """The ledger: point id to its end, of one pack's parts or of all. Reads footers only.

    Raises:
        InputError: a file among the parts is damaged or not of this program.
    """
    ends: dict[str, PointEnd] = {}
    for path in parts(directory, pack):
        try:
            ends |= {end.point: end for end in _ends_of(_checked_schema(path))}
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: its list of ended points is damaged ({error}); remove the file.") from None
    return ends


def read_rows(directory: SweepDir, columns: Collection[str] | None = None) -> pd.DataFrame:
    """The table of rows, ordered by point and step.

    Args:
        directory: the sweep.
        columns: those wanted; all if None. ``sweep``, ``point`` and ``pack`` come as categories.

    Raises:
        InputError: a file among the parts is damaged or not of this program.
    """
    paths = parts(directory)
    schema = _schema_of(paths)
    options = ds.ParquetReadOptions(dictionary_columns=_TEXT_COLUMNS)
    dataset = ds.dataset(
        [str(p) for p in paths], schema=_dictionaries(schema), format=ds.ParquetFileFormat(read_options=options)
    )
    table = dataset.to_table(columns=list(columns) if columns is not None else None).unify_dictionaries()
    rows: pd.DataFrame = table.to_pandas()
    for name in set(_TEXT_COLUMNS) & set(rows):
        rows[name] = rows[name].cat.reorder_categories(sorted(rows[name].cat.categories))  # else in order of arrival
    keys = [key for key in ("point", "step") if key in rows]
    return rows.sort_values(keys, ignore_index=True, kind="stable") if keys else rows


def row_columns(directory: SweepDir) -> list[str]:
    """Columns of the table of rows: those of ``results.schema``, then the further axes."""
    return [str(name) for name in _schema_of(parts(directory)).names]


def _schema_of(paths: Iterable[Path]) -> pa.Schema:
    """Columns of all these parts together."""
    return pa.unify_schemas([row_schema(), *(_checked_schema(path).remove_metadata() for path in paths)])


def _dictionaries(schema: pa.Schema) -> pa.Schema:
    """``schema`` with the ids as dictionaries: a name of 16 letters a row would be most of the table's memory."""
    names = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([pa.field(f.name, names) if f.name in _TEXT_COLUMNS else f for f in schema])


def read_points(directory: SweepDir) -> pd.DataFrame:
    """The table of ended points (``points.parquet``).

    Raises:
        InputError: the directory holds no sweep that has been analyzed.
    """
    if not directory.points.is_file():
        raise InputError(f"{directory.root}: no points.parquet here. Run 'sweeper analyze {directory.root}' first.")
    return pd.read_parquet(directory.points)


def write_points(directory: SweepDir, axes: Mapping[str, Mapping[str, object]]) -> pd.DataFrame:
    """Write ``points.parquet`` from the ledger and return it.

    Args:
        directory: the sweep.
        axes: for every planned point its axis values and budget, in plan order; points not in it come last.
    """
    ends = read_ends(directory)
    order = [*[p for p in axes if p in ends], *sorted(ends.keys() - axes.keys())]
    records = [{"sweep": directory.name, **axes.get(p, {}), **asdict(ends[p])} for p in order]
    names = dict.fromkeys(
        ["sweep", *(n for values in axes.values() for n in values), *(f.name for f in fields(PointEnd))]
    )
    points = pd.DataFrame.from_records(records, columns=list(names))
    write_table(directory.points, pa.Table.from_pandas(points, preserve_index=False))
    return points


def tidy(
    directory: SweepDir,
    schema: pa.Schema,
    keep: Collection[str],
    defaults: Mapping[str, object] | None = None,
    pack: str | None = None,
) -> None:
    """Drop the rows and ends of points that will be trained again, and give every part the columns of ``schema``.

    Called before training, so that the table holds each (point, step) once. Parts that need no change are not touched.

    Args:
        directory: the sweep.
        schema: of the rows to come; a grid may have gained an axis.
        keep: ids of the points that are done.
        defaults: for an axis gained, the value that the points had before it was one.
        pack: only the parts of this pack; None for all.
    """
    for path in parts(directory, pack):
        present = _checked_schema(path)
        kept = [p in keep for p in read_part(path, ["point"])["point"].to_pylist()]
        ended = list(_ends_of(present))
        ends = [end for end in ended if end.point in keep]
        if not any(kept) and not ends:
            path.unlink()
        elif not all(kept) or len(ends) < len(ended) or not present.remove_metadata().equals(schema.remove_metadata()):
            rows = read_part(path).filter(pa.array(kept, pa.bool_()))
            write_part(directory, path.name, _conform(rows, schema, defaults or {}), ends)


def _conform(rows: pa.Table, schema: pa.Schema, defaults: Mapping[str, object]) -> pa.Table:
    """``rows`` with the columns of ``schema``."""
    columns = [
        rows[field.name].cast(field.type)
        if field.name in rows.schema.names
        else pa.array([defaults.get(field.name)] * len(rows), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def read_part(path: Path, columns: list[str] | None = None) -> pa.Table:
    """One part, whole or some of its columns; ``point`` comes as a dictionary."""
    # ParquetFile, since read_table would take a folder named a=b for a column; one thread, since parts are small.
    with pq.ParquetFile(path, read_dictionary=["point"], pre_buffer=False) as file:
        return file.read(columns, use_threads=False)


def _checked_schema(path: Path) -> pa.Schema:
    """Schema of a part that is whole, ours, and of this version."""
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"{path}: not a whole Parquet file ({str(error).splitlines()[0]}). Remove it and run the same command "
            "again: what it held is trained anew."
        ) from None
    version = (schema.metadata or {}).get(VERSION_KEY)
    if version is None:
        raise InputError(f"{path}: this Parquet file was not written by sweeper; move it out of the rows folder.")
    if version != str(SCHEMA_VERSION).encode():
        raise InputError(
            f"{path}: written with version {version.decode(errors='replace')} of the row schema, but this program has "
            f"version {SCHEMA_VERSION}; read it with the sweeper that wrote it, or run the grid under another --name."
        )
    return schema


def _ends_of(schema: pa.Schema) -> Iterator[PointEnd]:
    for record in json.loads(schema.metadata.get(ENDS_KEY, b"[]")):
        yield PointEnd(**record | {"outcome": Outcome(record["outcome"])})
