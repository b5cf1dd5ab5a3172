"""Rows of a pack on their way to the disk: buffered, committed as part files, summarized for the driver."""

import time
import traceback
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from results.schema import row_schema
from results.store import PointEnd, SweepDir, part_name, read_ends, tidy, write_part, write_text
from search_spaces.outcome import Outcome
from search_spaces.points import Point, axis_text, further_axes
from search_spaces.section import AxisValue
from sweeper.events import Notify, Progress
from trainables.measured import Measurement
from trainables.task import cause_of

FLUSH_SECONDS = 10.0  # a part file costs about 1 ms; a crash repeats at most the points of these seconds
REPORT_SECONDS = 1.0


def table_schema(points: Iterable[Point]) -> pa.Schema:
    """Schema of the rows of ``points``: every further axis is a column, of text or of float64."""
    return row_schema({name: pa.string() if text else pa.float64() for name, text in further_axes(points).items()})


class PackWriter:
    """Collects events, commits them as part files and tells the driver."""

    def __init__(  # noqa: PLR0913 - what a worker knows, each thing once
        self,
        directory: SweepDir,
        pack: str,
        attempt: int,
        *,
        schema: pa.Schema,
        elsewhere: Mapping[str, AxisValue],
        notify: Notify,
        tolerance: float,
        device: str,
    ) -> None:
        """Write parts of ``schema``.

        Args:
            directory: the sweep.
            pack: id of the pack.
            attempt: how many times it was started before.
            schema: of ``table_schema``.
            elsewhere: values of axes that the points of this grid do not have.
            notify: called about once a second and at the end.
            tolerance: that of t*.
            device: name of what the points train on.
        """
        self._elsewhere = dict(elsewhere)
        self._directory, self._pack, self._attempt = directory, pack, attempt
        self._schema, self._notify, self._tolerance, self._device = schema, notify, tolerance, device
        self._sequence = 0
        self._started = self._flushed = self._reported = time.monotonic()
        self._points: Sequence[Point] = ()
        self._rows: list[tuple[float, Measurement]] = []
        self._ends: list[PointEnd] = []
        self._unreported: list[PointEnd] = []
        self._curves: dict[str, list[tuple[float, float]]] = {}
        self._open: dict[str, Point] = {}
        self._step = self._reported_steps = self._steps = 0

    def start(self, points: Sequence[Point]) -> None:
        """Begin to train ``points``; the members of later events are positions in it."""
        self._flush()
        self._points = points
        self._open = {p.id: p for p in points}
        self._curves = {p.id: [] for p in points}
        self._step = 0

    def add(self, measurement: Measurement) -> None:
        """Take what the training loop yields."""
        now = time.monotonic()
        self._advance(measurement.step)
        self._rows.append((now - self._started, measurement))
        values = measurement.values
        for m, acc, s in zip(measurement.members, values["test_acc"], values["decay_time"], strict=True):
            self._curves[self._points[m].id].append((acc, s))
        for end in measurement.ends:
            self._end(self._points[end.member], measurement.step, end.outcome, end.why)
        if now - self._flushed > FLUSH_SECONDS:
            self._flush()
        if now - self._reported > REPORT_SECONDS:
            self._report()

    def unfinished(self) -> list[Point]:
        """Points of the last ``start`` that have not ended; their rows so far are dropped."""
        self._flush()
        ended = read_ends(self._directory, self._pack).keys()
        tidy(self._directory, self._schema, ended, pack=self._pack)
        return list(self._open.values())

    def fail(self, point: Point, error: BaseException) -> None:
        """Record that the code of ``point`` raised ``error``; the traceback goes to its log."""
        trace = "".join(traceback.format_exception(error))
        log = self._directory.logs / f"{point.id}.txt"
        write_text(log, trace)
        self._end(point, self._step, Outcome.FAILED, cause_of(error))
        self._flush()

    def finish(self) -> None:
        """Commit and report what is left."""
        self._flush()
        self._report(finished=True)

    def _advance(self, step: int) -> None:
        self._steps += (step - self._step) * len(self._open)
        self._step = step

    def _end(self, point: Point, step: int, outcome: Outcome, why: str) -> None:
        best, kappa = _peak(self._curves[point.id], self._tolerance)
        end = PointEnd(
            point=point.id,
            pack=self._pack,
            attempt=self._attempt,
            outcome=outcome,
            steps=step,
            seconds=time.monotonic() - self._started,
            why=why,
            best_test_acc=best,
            kappa=kappa if point.lam > 0 else None,
            device=self._device,
        )
        del self._open[point.id]
        self._ends.append(end)
        self._unreported.append(end)

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        if self._rows or self._ends:
            name = part_name(self._pack, self._attempt, self._sequence)
            write_part(self._directory, name, self._table(), self._ends)
            self._sequence += 1
        self._rows, self._ends = [], []

    def _report(self, finished: bool = False) -> None:
        self._reported = time.monotonic()
        if self._unreported:
            self._flush()  # what the driver calls ended is on the disk
        steps, self._reported_steps = self._steps - self._reported_steps, self._steps
        self._notify(Progress(pack=self._pack, steps=steps, ends=tuple(self._unreported), finished=finished))
        self._unreported = []

    def _table(self) -> pa.Table:
        """The rows collected so far as a table of the schema."""
        if not self._rows:
            return self._schema.empty_table()
        member = np.concatenate([np.array(m.members) for _, m in self._rows])
        counts = [len(m.members) for _, m in self._rows]
        columns: dict[str, NDArray[np.float64] | pa.Array] = {
            name: np.concatenate([m.values[name] for _, m in self._rows]) for name in self._rows[0][1].values
        }
        columns["step"] = np.repeat([m.step for _, m in self._rows], counts)
        columns["seconds"] = np.repeat([seconds for seconds, _ in self._rows], counts)
        for name, values in self._constants().items():
            columns[name] = pa.array(values).take(pa.array(member))
        return pa.table([pa.array(columns[f.name]).cast(f.type) for f in self._schema], schema=self._schema)

    def _constants(self) -> dict[str, list[object]]:
        """Columns that do not change along a point, one value a member."""
        table: dict[str, list[object]] = {"point": [p.id for p in self._points]}
        for name in self._schema.names:
            known = [(self._elsewhere | p.axes() | {"budget": p.budget}).get(name) for p in self._points]
            if None in known:
                continue
            text = self._schema.field(name).type == pa.string()
            table[name] = [axis_text(v) if text else v for v in known if v is not None]
        fixed = {"sweep": self._directory.name, "pack": self._pack, "attempt": self._attempt}
        return table | {name: [value] * len(self._points) for name, value in fixed.items()}


def _peak(curve: Sequence[tuple[float, float]], tolerance: float) -> tuple[float | None, float | None]:
    """(maximum test accuracy, decay time at t*) of (accuracy, decay time) measurements; None where there is none."""
    accuracies, times = np.array(curve).reshape(-1, 2).T
    if not np.isfinite(accuracies).any():
        return None, None
    best = float(np.nanmax(accuracies))
    return best, float(times[np.argmax(accuracies >= best - tolerance)])
