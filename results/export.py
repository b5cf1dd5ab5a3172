"""``sweeper export``: the tables of a sweep as files for other programs, a file a table."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from results.store.files import names_in, open_whole, read_parquet
from results.store.part_names import PartName
from results.store.parts import read_consistent
from results.store.plan_file import read_plan
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points, row_stream

Format = Literal["csv", "parquet"]
_WRITERS: dict[Format, Callable[..., pa.csv.CSVWriter | pq.ParquetWriter]] = {
    "csv": pa.csv.CSVWriter,
    "parquet": pq.ParquetWriter,
}


def export_sweep(directory: SweepDir, out: Path, kind: Format) -> list[Path]:
    """Write the rows, the points, and each table of the analysis, and return the paths of the files.

    Rows are copied a part after the other, so that a sweep of any size takes the memory of a part. Rows that do not
    count any more, of packs that were trained again, are left out.

    Args:
        directory: the sweep.
        out: folder to write to; made if it is absent.
        kind: format of the files.

    Raises:
        InputError: no sweep lies there, it has no table of points, or a file of it is damaged.
    """
    read_plan(directory)  # refuses a folder without a sweep
    read_points(directory)  # says whether the table is there and whole
    paths = [out / f"rows.{kind}", out / f"points.{kind}"]
    read_consistent(directory, partial(_write_rows, directory, paths[0], kind))
    _write_table(read_parquet(directory.points), paths[1], kind)
    for name in names_in(directory.analysis):
        if name.endswith(".parquet"):
            paths.append(out / f"{name.removesuffix('.parquet')}.{kind}")
            _write_table(read_parquet(directory.analysis / name), paths[-1], kind)
    return paths


def _write_rows(directory: SweepDir, path: Path, kind: Format, names: list[PartName]) -> None:
    schema, batches = row_stream(directory, names)
    with open_whole(path) as file, closing(_WRITERS[kind](file, schema)) as writer:
        for batch in batches:
            writer.write_table(_shown(pa.Table.from_batches([batch]), kind))


def _write_table(table: pa.Table, path: Path, kind: Format) -> None:
    table = table.replace_schema_metadata(None)  # of pandas, which another program does not know
    with open_whole(path) as file, closing(_WRITERS[kind](file, table.schema)) as writer:
        writer.write_table(_shown(table, kind))


def _shown(table: pa.Table, kind: Format) -> pa.Table:
    """Return a table as its file shows it: in CSV no number is an empty cell, as a missing value is."""
    if kind == "parquet":
        return table
    columns = [
        pc.if_else(pc.is_nan(column), None, column) if pa.types.is_floating(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, schema=table.schema)
