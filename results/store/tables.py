"""The tables of a sweep as pandas frames, and its verdicts."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Annotated

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
from pydantic import AfterValidator, FiniteFloat, TypeAdapter

from results.store.commits import REMEDY, PointEnd, read_columns, readable
from results.store.files import open_parquet, read_limited, read_parquet, write_table
from results.store.part_names import PartName
from results.store.parts import read_consistent, refuse_damaged
from results.store.paths import AnyPath, ObjectPath, StoreError
from results.store.schema import row_schema, wrong_value
from results.store.sweep_dir import SweepDir, map_reads
from search_spaces.errors import InputError, command, first_problem, one_line

_TEXT_COLUMNS = ["sweep", "point", "pack"]
_LINES = ("sweep", "outcome", "why", "device")  # columns of points.parquet that are shown as they are
MAX_VERDICTS_BYTES = 50_000_000  # of verdicts.json; a real one has some 10,000
_MAX_SENTENCE = 5000  # characters of a reason or a threshold in it; real ones have at most 300
_Line = Annotated[str, AfterValidator(one_line)]
_Sentence = Annotated[str, AfterValidator(partial(one_line, limit=_MAX_SENTENCE))]


def read_rows(directory: SweepDir, columns: Collection[str] | None = None) -> pd.DataFrame:
    """Read the table of rows, ordered by point and step.

    Args:
        directory: the sweep.
        columns: names of the columns; all if None. ``sweep``, ``point`` and ``pack`` come as categories.

    Raises:
        InputError: a file among the parts is damaged or not of this program.
    """
    table = read_consistent(directory, lambda names: _read(directory, names, columns))
    rows: pd.DataFrame = table.to_pandas()
    for name in set(_TEXT_COLUMNS) & set(rows):
        rows[name] = rows[name].cat.reorder_categories(sorted(rows[name].cat.categories))  # else in order of arrival
    keys = [key for key in ("point", "step") if key in rows]
    return rows.sort_values(keys, ignore_index=True, kind="stable") if keys else rows


def _read(directory: SweepDir, names: list[PartName], columns: Collection[str] | None) -> pa.Table:
    dataset = _dataset(directory, names, dictionaries=True)
    table = dataset.to_table(columns=list(columns) if columns is not None else None).unify_dictionaries()
    _refuse_wrong(directory, table)
    return table


def row_stream(directory: SweepDir, names: list[PartName]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the columns of some parts and their rows, a part after the other, in the memory of a part.

    Args:
        directory: the sweep.
        names: the parts.

    Raises:
        InputError: one of the parts is damaged or not of this program.
    """
    dataset = _dataset(directory, names, dictionaries=False)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in dataset.to_batches():
            _refuse_wrong(directory, pa.Table.from_batches([batch]))
            yield batch

    return dataset.schema, batches()


def _dataset(directory: SweepDir, names: list[PartName], *, dictionaries: bool) -> ds.Dataset:
    """Open some parts as one table, whose ids are text, or dictionaries of it."""
    map_reads(directory, partial(_refuse_unreadable, directory), names)
    options = ds.ParquetReadOptions(dictionary_columns=_TEXT_COLUMNS if dictionaries else [])
    paths = [directory.rows / name.file for name in names]
    sources = [path.arrow() if isinstance(path, ObjectPath) else (str(path), None) for path in paths]
    schema = _schema_of(directory, names)
    return ds.dataset(
        [name for name, _ in sources],
        filesystem=sources[0][1] if sources else None,
        schema=_dictionaries(schema) if dictionaries else schema,
        format=ds.ParquetFileFormat(read_options=options),
    )


def _refuse_wrong(directory: SweepDir, table: pa.Table) -> None:
    if wrong := wrong_value(table):
        raise InputError(f"{directory.rows}: a value that no row has: {wrong}; {REMEDY}")


def _refuse_unreadable(directory: SweepDir, name: PartName) -> None:
    """Refuse a part that is damaged or would fill the memory. Errors as of ``refuse_damaged``."""
    refuse_damaged(directory, name)
    try:
        open_parquet(directory.rows / name.file).close()
    except pa.ArrowException as error:
        raise InputError(f"{directory.rows / name.file}: {one_line(str(error))}; {REMEDY}") from None


def row_columns(directory: SweepDir) -> list[str]:
    """List the columns of the table of rows: those of ``results.store.schema``, then the further axes."""
    return read_consistent(directory, lambda names: [str(name) for name in _schema_of(directory, names).names])


def _schema_of(directory: SweepDir, names: list[PartName]) -> pa.Schema:
    """The columns of all parts together."""
    distinct = {id(schema): schema for schema in read_columns(directory, names)}  # of 10,000 parts mostly one
    return pa.unify_schemas([row_schema(), *distinct.values()])


def _dictionaries(schema: pa.Schema) -> pa.Schema:
    """``schema`` with ids as dictionaries; else a name of 16 letters a row would take most of the memory."""
    names = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([pa.field(f.name, names) if f.name in _TEXT_COLUMNS else f for f in schema])


def read_points(directory: SweepDir) -> pd.DataFrame:
    """Read the table of ended points (``points.parquet``).

    Raises:
        InputError: the directory holds no sweep that has been analyzed, or its table is damaged.
    """
    remedy = f"Run {command('sweeper', 'analyze', directory.root)} first."
    if not directory.points.is_file():
        raise InputError(f"{directory.root}: no points.parquet here. {remedy}")
    try:
        table = read_parquet(directory.points)
        points: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    except StoreError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        why = one_line(str(error))
        raise InputError(f"{directory.points}: not a whole Parquet file ({why}). {remedy}") from None
    if wrong := _wrong_columns(points):
        raise InputError(f"{directory.points}: not the columns of a table of points ({', '.join(wrong)}). {remedy}")
    if value := wrong_value(table):
        raise InputError(f"{directory.points}: a value that no point has: {value}. {remedy}")
    if twice := [point for point, own in points["point"].value_counts().items() if own > 1]:
        raise InputError(f"{directory.points}: point {twice[0]} stands in it twice. {remedy}")
    return points.assign(**{name: points[name].map(_readable) for name in _LINES})


def _readable(value: object) -> object:
    return readable(value) if isinstance(value, str) else value


def _wrong_columns(points: pd.DataFrame) -> list[str]:
    """Columns of a table of points that are missing, that stand there twice, or that are text instead of numbers."""
    numbers = ["eta", "lam", "mu", "seed", "budget", "attempt", "steps", "seconds"]
    names = ["sweep", *numbers, *(f.name for f in fields(PointEnd) if f.name != "best_metric")]
    counts = points.columns.value_counts()
    wrong = [name for name in dict.fromkeys(names) if counts.get(name, 0) != 1]
    if wrong or points.empty:  # no value, no type
        return wrong
    return [name for name in numbers if not pd.api.types.is_numeric_dtype(points[name])]


def write_points(
    directory: SweepDir,
    axes: Mapping[str, Mapping[str, object]],
    ends: Mapping[str, PointEnd],
    write: Callable[[AnyPath, pa.Table], None] = write_table,
) -> pd.DataFrame:
    """Write ``points.parquet``, and return the table as ``read_points`` reads it.

    Args:
        directory: the sweep.
        axes: axis values and budget of every planned point, in plan order; points not in it come last.
        ends: point id to its end.
        write: writes the table.
    """
    order = [*[p for p in axes if p in ends], *sorted(ends.keys() - axes.keys())]
    values = {p: ends[p].values() for p in order}
    records = [{"sweep": directory.name, **axes.get(p, {}), **values[p]} for p in order]
    own = {name: None for p in order for name in values[p]} or [f.name for f in fields(PointEnd)]
    names = dict.fromkeys(["sweep", *(n for named in axes.values() for n in named), *own])
    table = pa.Table.from_pandas(pd.DataFrame.from_records(records, columns=list(names)), preserve_index=False)
    write(directory.points, table)
    points: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    return points


@dataclass(frozen=True, kw_only=True)
class StoredVerdict:
    """A verdict in ``verdicts.json``, without the keys that nobody reads.

    Attributes:
        claim: name of the claim.
        verdict: ``pass``, ``fail``, ``inconclusive``, or the word of another version of this program.
        value: the measured value; None if it could not be measured.
        interval: interval of the value; None if there is none.
        threshold: the condition under which the claim passes, in words.
        why: one sentence of explanation.
    """

    claim: _Line
    verdict: _Line
    value: FiniteFloat | None = None
    interval: tuple[FiniteFloat | None, FiniteFloat | None] | None = None
    threshold: _Sentence = ""
    why: _Sentence = ""


@dataclass(frozen=True, kw_only=True)
class StoredWinner:
    """The best setting in ``verdicts.json``.

    Attributes:
        headline: the setting, its accuracy, and what stands beside it.
        next_step: what to do next.
    """

    headline: _Sentence
    next_step: _Sentence = ""


@dataclass(frozen=True, kw_only=True)
class VerdictsFile:
    """Content of ``verdicts.json``, without the keys that nobody reads.

    Attributes:
        verdicts: one verdict a claim.
        best: the best setting; None if the file names none.
        generation: the parts that the analysis was made of, as text; None if the file does not say.
    """

    verdicts: Sequence[StoredVerdict]
    best: StoredWinner | None = None
    generation: _Line | None = None


_VERDICTS_FILE = TypeAdapter(VerdictsFile)


def read_verdicts(directory: SweepDir) -> VerdictsFile:
    """Read the verdicts of a sweep.

    Raises:
        InputError: the file is absent or damaged.
    """
    remedy = f"Run {command('sweeper', 'analyze', directory.root)} first."
    try:
        return _VERDICTS_FILE.validate_json(read_limited(directory.verdicts, MAX_VERDICTS_BYTES))
    except FileNotFoundError:
        raise InputError(f"{directory.root}: no analysis/verdicts.json here. {remedy}") from None
    except StoreError:
        raise
    except (OSError, ValueError) as error:
        first = first_problem(error) if isinstance(error, ValueError) else str(error)
        raise InputError(f"{directory.verdicts}: damaged ({one_line(first)}). {remedy}") from None
