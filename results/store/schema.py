"""The table of measurements: every column once, with its type, unit and meaning.

The writer, the reader, the documentation and the tests all use this list. One row is one measurement of one point
at one step. An axis of the grid other than those named here (``model.width``, say) is a further column of its own.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from search_spaces.errors import one_line
from search_spaces.points import Point, further_axes
from search_spaces.sections.section import MAX_STEPS, MAX_TIME, MAX_VALUE

SCHEMA_VERSION = 1
MAX_SECONDS = 1e12  # 30,000 years
# Smallest and largest number of a column, NaN apart. A directory may come from anybody, and the analysis takes logs.
RANGES: Mapping[str, tuple[float, float]] = {
    "step": (0, MAX_STEPS),
    "steps": (0, MAX_STEPS),
    "attempt": (0, 10**9),
    "seconds": (0, MAX_SECONDS),
    **dict.fromkeys(("epoch", "decay_time", "budget"), (0, MAX_TIME)),
    **dict.fromkeys(("eta", "lam"), (0, MAX_VALUE)),
    **dict.fromkeys(("train_acc", "test_acc", "best_test_acc"), (0, MAX_TIME)),
    "mu": (0, 1),
}
_ID = re.compile(r"[0-9a-z]{1,64}")
_ID_COLUMNS = ("point", "pack")
VERSION_KEY = b"sweeper.schema_version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the table of rows."""

    name: str
    type: pa.DataType
    unit: str
    meaning: str


COLUMNS: tuple[Column, ...] = (
    Column(name="sweep", type=pa.string(), unit="", meaning="name of the sweep"),
    Column(name="point", type=pa.string(), unit="", meaning="id of the point: hash of its canonical content"),
    Column(name="pack", type=pa.string(), unit="", meaning="id of the pack the point was trained in"),
    Column(
        name="attempt", type=pa.int32(), unit="", meaning="number of the attempt at the pack that measured this, from 0"
    ),
    Column(name="seed", type=pa.int64(), unit="", meaning="seed of initial weights and batch order"),
    Column(name="eta", type=pa.float64(), unit="", meaning="learning rate η at the start of training"),
    Column(name="lam", type=pa.float64(), unit="", meaning="L2 coefficient λ at the start, in the grid's convention"),
    Column(name="mu", type=pa.float64(), unit="", meaning="momentum μ"),
    Column(name="budget", type=pa.float64(), unit="epochs", meaning="budget T of the point"),
    Column(name="step", type=pa.int64(), unit="steps", meaning="optimizer steps n taken before the measurement"),
    Column(name="epoch", type=pa.float64(), unit="epochs", meaning="step over steps per epoch"),
    Column(
        name="decay_time",
        type=pa.float64(),
        unit="",
        meaning="decay time s = Σ η_t λ_t/(1-μ) over the steps taken, λ_t as in lam_t",
    ),
    Column(name="eta_t", type=pa.float64(), unit="", meaning="learning rate of the latest step"),
    Column(name="lam_t", type=pa.float64(), unit="", meaning="torch's weight_decay in the latest step"),
    Column(
        name="train_acc",
        type=pa.float32(),
        unit="",
        meaning="accuracy on the training set, 0 to 1; NaN where the targets are numbers",
    ),
    Column(
        name="test_acc",
        type=pa.float32(),
        unit="",
        meaning="accuracy on the test set, or on the validation images of the grid, 0 to 1; NaN where the targets are "
        "numbers",
    ),
    Column(name="train_loss", type=pa.float32(), unit="", meaning="loss on the training set, without the L2 term"),
    Column(
        name="test_loss",
        type=pa.float32(),
        unit="",
        meaning="loss on the test set, or on the validation images, without the L2 term",
    ),
    Column(name="weight_norm", type=pa.float32(), unit="", meaning="‖θ‖², squared norm of all parameters"),
    Column(
        name="eta_eff",
        type=pa.float64(),
        unit="",
        meaning="η_t/‖w‖² over the weights whose scale the network does not feel (batch norm); NaN without any",
    ),
    Column(
        name="seconds",
        type=pa.float64(),
        unit="s",
        meaning="time that the pack had taken until then, all attempts together",
    ),
)


def wrong_value(table: pa.Table) -> str:
    """Return the first thing that is wrong with the values of a table of rows or points, in words; empty if none is.

    Args:
        table: some columns of a table.
    """
    for name in dict.fromkeys(table.column_names):
        column = table[name]
        if name in RANGES and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            low, high = RANGES[name]
            found = pc.min_max(column).as_py()
            for value in (found["min"], found["max"]):
                if value is not None and not (low <= value <= high or math.isnan(value)):
                    return f"{name} is {value:g}, out of {low:g} to {high:g}"
        elif name in _ID_COLUMNS:
            for value in _distinct(column):
                if not (isinstance(value, str) and _ID.fullmatch(value)):
                    return f"{name} is {one_line(str(value), 60)!r}, which is no id"
    return ""


def _distinct(column: pa.ChunkedArray) -> Iterator[object]:
    """Yield the values of a column, those of a dictionary once; None stands for text that is not UTF-8."""
    try:
        if pa.types.is_dictionary(column.type):
            for chunk in column.chunks:
                yield from chunk.dictionary.to_pylist()
        else:
            yield from pc.unique(column).to_pylist()
    except UnicodeDecodeError:
        yield None


def row_schema(axes: Mapping[str, pa.DataType] | None = None) -> pa.Schema:
    """The Arrow schema of the table of rows.

    Args:
        axes: further axes of the grid, name to type, as columns of their own at the end.
    """
    fields = [pa.field(c.name, c.type) for c in COLUMNS]
    fields += [pa.field(name, type_) for name, type_ in (axes or {}).items()]
    return pa.schema(fields, metadata={VERSION_KEY: str(SCHEMA_VERSION).encode()})


def table_schema(points: Iterable[Point]) -> pa.Schema:
    """Return the schema of the rows of ``points``; every further axis is a column of text or float64."""
    return row_schema({name: pa.string() if text else pa.float64() for name, text in further_axes(points).items()})
