"""Buffer that turns measurements into the table of rows."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from search_spaces.points import Point, axis_text
from search_spaces.sections.section import AxisValue
from trainables.measurement import Measurement


class RowBuffer:
    """Measurements since the last commit, returned as a table."""

    def __init__(self, schema: pa.Schema, other_axes: Mapping[str, AxisValue], constants: Mapping[str, object]) -> None:
        """Start empty.

        Args:
            schema: schema of the table.
            other_axes: axis name to value, for axes of the table that the points of this grid do not have.
            constants: column name to value, for columns that are the same in all rows.
        """
        self.schema = schema
        self._other_axes, self._constants = dict(other_axes), dict(constants)
        self._points: Sequence[Point] = ()
        self._measurements: list[tuple[float, Measurement]] = []
        self._tables: list[pa.Table] = []

    def __bool__(self) -> bool:
        """Return whether there are rows."""
        return bool(self._measurements or self._tables)

    def begin(self, points: Sequence[Point]) -> None:
        """Expect measurements of ``points``; their members are positions in this sequence."""
        self._flush()
        self._points = points

    def add(self, seconds: float, measurement: Measurement) -> None:
        """Add a measurement that was made after ``seconds`` of wall time of the pack."""
        self._measurements.append((seconds, measurement))

    def table(self) -> pa.Table:
        """Return all rows since ``clear``, one row for each measured point and step."""
        self._flush()
        return pa.concat_tables([self.schema.empty_table(), *self._tables])

    def clear(self) -> None:
        """Drop all rows."""
        self._measurements, self._tables = [], []

    def _flush(self) -> None:
        """Turn the measurements into a table before ``begin`` changes the points that members refer to."""
        if not self._measurements:
            return
        member = np.concatenate([np.array(m.members) for _, m in self._measurements])
        counts = [len(m.members) for _, m in self._measurements]
        columns: dict[str, NDArray[np.float64] | pa.Array] = {
            name: np.concatenate([m.values[name] for _, m in self._measurements])
            for name in self._measurements[0][1].values
        }
        columns["step"] = np.repeat([m.step for _, m in self._measurements], counts)
        columns["seconds"] = np.repeat([seconds for seconds, _ in self._measurements], counts)
        for name, values in self._point_columns().items():
            columns[name] = pa.array(values).take(pa.array(member))
        arrays = [pa.array(columns[f.name]).cast(f.type) for f in self.schema]
        self._tables.append(pa.table(arrays, schema=self.schema))
        self._measurements = []

    def _point_columns(self) -> dict[str, list[object]]:
        """Return the columns that are constant along each point, with one value a member."""
        table: dict[str, list[object]] = {"point": [p.id for p in self._points]}
        for name in self.schema.names:
            values = [(self._other_axes | p.axes() | {"budget": p.budget}).get(name) for p in self._points]
            if None in values:
                continue
            is_text = self.schema.field(name).type == pa.string()
            table[name] = [axis_text(v) if is_text else v for v in values if v is not None]
        return table | {name: [value] * len(self._points) for name, value in self._constants.items()}
