"""Rows of a pack on their way to the disk: buffered, committed with a checkpoint, summarized for the driver."""

import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from results.store.attempts import claim_next, refuse_if_overtaken
from results.store.commits import Commit, PointEnd
from results.store.files import write_text
from results.store.parts import all_parts_in, compact, remove_parts, write_part
from results.store.sweep_dir import SweepDir
from search_spaces.outcome import Outcome
from search_spaces.points import Point
from search_spaces.sections.grid import Grid
from sweeper.worker.checkpoints import Checkpoint, Restart, checkpoint_files, save_checkpoint
from sweeper.worker.messages import Notify, PackReport
from sweeper.worker.row_buffer import RowBuffer
from sweeper.worker.storage_retry import retry_storage
from sweeper.worker.weights import save_weights
from trainables.measurement import Measurement
from trainables.memory import out_of_memory
from trainables.peaked import peak_of, record_if_best
from trainables.task import cause_of
from trainables.train import Training

COMMIT_SHARE = 0.02  # of the time that a pack has taken: a month of commits is then some thousand files
MOST_COMMIT_SECONDS = 600.0  # what a crash may cost at most
COST_SHARE = 0.02  # of the time goes into writing
_Result = TypeVar("_Result")
MANY_PARTS = 16  # more are put into one when the pack is done: reading a file costs as much as 10,000 rows


class PackWriter:
    """Collects measurements, commits them as part files and tells the driver."""

    def __init__(  # noqa: PLR0913 - what a worker knows, each thing once
        self,
        directory: SweepDir,
        pack: str,
        attempt: int,
        restart: Restart,
        *,
        rows: RowBuffer,
        grid: Grid,
        device: str,
        notify: Notify,
        report_seconds: float = 1.0,
    ) -> None:
        """Go on behind a restart.

        Args:
            directory: the sweep.
            pack: whose rows these are.
            attempt: number of this attempt.
            restart: the parts that this attempt builds on, and the state behind them.
            rows: empty, of the columns of the table.
            device: name of what the points train on.
            grid: for the tolerance of t* and the limits of recovery.
            notify: called every ``report_seconds`` or so and at the end.
            report_seconds: between reports.
        """
        self.ended = set(restart.ended)
        self.together = restart.checkpoint.together
        self._directory, self._pack, self._attempt = directory, pack, attempt
        self._rows, self._device, self._notify, self._report_seconds = rows, device, notify, report_seconds
        self._recovery, self._tolerance = grid.recovery, grid.analysis.tolerance
        self._keep_weights = grid.keep_weights
        self._names, self._built_on = list(restart.names), len(restart.names)
        self._before = restart.checkpoint.seconds
        self._records = {id_: [(acc, s) for acc, s in kept] for id_, kept in restart.checkpoint.records.items()}
        self._started = self._committed = self._reported = time.monotonic()
        self._commit_cost = 0.0
        self._finished = False
        self._checkpoints: tuple[str, ...] = ()  # the two latest
        self._useless = False  # whether parts of earlier attempts, behind those built on, are still there
        self._points: Sequence[Point] = ()
        self._training: Training | None = None
        self._ends: list[PointEnd] = []
        self._unreported: list[PointEnd] = []
        self._step, self._ended_steps = 0, restart.steps

    def begin(self, points: Sequence[Point]) -> None:
        """What comes is of ``points``, at their start."""
        self._rows.begin(points)
        self._points, self._training, self._step = points, None, 0
        self._records = {p.id: self._records.get(p.id, []) for p in points}

    def follow(self, training: Training, step: int) -> None:
        """Their measurements come from ``training``, which has taken ``step`` steps."""
        self._training, self._step = training, step
        self._report()  # from where it goes on

    def add(self, measurement: Measurement) -> None:
        """Take what the training yields; a measurement of no point is a sign of life."""
        now = time.monotonic()
        self._step = measurement.step
        if measurement.members:
            self._take(measurement)
        for end in measurement.ends:
            if self._keep_weights and end.outcome is not Outcome.DIVERGED:
                self._save_weights(end.member)
            self._end(self._points[end.member], end.outcome, end.why)
        if now - self._committed > self._interval():
            self.commit()
        if now - self._reported > self._report_seconds:
            self._report()

    def fail(self, point: Point, error: BaseException) -> None:
        """Record that the code of ``point``, which trained alone, raised ``error``; the traceback goes to its log."""
        trace = "".join(traceback.format_exception(error))
        self._write(lambda: write_text(self._directory.logs / f"{point.id}.txt", trace))
        self._end(point, Outcome.FAILED, cause_of(error))
        self.commit()

    def train_together(self, most: int) -> None:
        """From here on at most so many points train at a time, those that have not ended from their start."""
        self._training = None  # its state may be that of half a step
        self.commit()
        self.together, self._points, self._records = most, (), {}
        if self._names:
            self._put_together()
        else:
            self.commit()

    def pause(self) -> None:
        """Leave in the middle: commit and report, for a later attempt to go on."""
        self.commit()
        self._report(left=True)

    def finish(self) -> None:
        """The pack is done: commit and report what is left; a finished pack needs no checkpoint."""
        self._training, self._finished = None, True
        self.commit()
        if len(self._names) > MANY_PARTS:
            self._put_together()
        self._report(left=True)

    def commit(self) -> None:
        """Make durable what there is, together with the state of training."""
        began = time.monotonic()
        checkpoint = self._save_state()
        self._write(lambda: self._commit(checkpoint))
        self._write(self._clean_up)
        self._committed = time.monotonic()
        self._commit_cost = self._committed - began

    def _commit(self, checkpoint: str | None) -> None:
        if not self._rows and not self._ends and checkpoint is None and not self._finished:
            return
        self._refuse_if_overtaken()
        commit = Commit(ends=tuple(self._ends), checkpoint=checkpoint, finished=self._finished)
        name = write_part(self._directory, self._pack, self._attempt, self._names, self._rows.table(), commit)
        self._useless = self._attempt > 0 and len(self._names) == self._built_on
        self._names.append(name)
        self._rows.clear()
        self._ends = []
        if checkpoint is not None:
            self._checkpoints = (*self._checkpoints[-1:], checkpoint)

    def _clean_up(self) -> None:
        """Delete what the commit has replaced; the checkpoint before the latest stays, in case the disk lies.

        What goes is listed before asking whether this attempt still has the pack. So nothing of a later one, or that a
        later one may build on, is ever in the list, however long this process sleeps in between.
        """
        keep = () if self._finished else self._checkpoints
        checkpoints = checkpoint_files(self._directory, self._pack) if keep or self._finished else []
        others = set(all_parts_in(self._directory, self._pack)) - set(self._names) if self._useless else set()
        self._refuse_if_overtaken()
        for path in checkpoints:
            if path.name not in keep:
                path.unlink(missing_ok=True)
        remove_parts(self._directory, others)
        self._useless = False

    def _save_state(self) -> str | None:
        """Write a checkpoint of the present state; None if there is none to go on from, or no room for it."""
        open_points = [p for p in self._points if p.id not in self.ended]
        state = self._state() if open_points else None
        if self._finished or (state is None and not (self.together is not None and not open_points)):
            return None
        checkpoint = Checkpoint(
            points=[p.id for p in self._points] if state is not None else [],
            step=self._step if state is not None else 0,
            together=self.together,
            seconds=self._seconds(),
            records={p.id: self._records[p.id] for p in open_points},
            training=state,
        )
        most = self._recovery.checkpoint_bytes

        def save() -> str | None:
            self._refuse_if_overtaken()
            return save_checkpoint(self._directory, self._pack, checkpoint, most)

        return self._write(save)

    def _state(self) -> dict[str, Any] | None:
        """That of training; None if there is none, or no memory for a copy."""
        try:
            return self._training.state_dict() if self._training is not None else None
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            return None

    def _put_together(self) -> None:
        """Put the parts into one, with the rows of points that have ended, in the name of a new attempt."""
        checkpoint = self._save_state()
        self._write(lambda: self._compact(checkpoint))
        self._write(self._clean_up)

    def _compact(self, checkpoint: str | None) -> None:
        self._attempt = claim_next(self._directory, self._pack, self._attempt)
        commit = Commit(checkpoint=checkpoint, finished=self._finished)
        part = compact(self._directory, self._names, self._attempt, self._rows.schema, keep=self.ended, commit=commit)
        self._names, self._useless = [part], True
        self._checkpoints = (checkpoint,) if checkpoint is not None else ()

    def _refuse_if_overtaken(self) -> None:
        refuse_if_overtaken(self._directory, self._pack, self._attempt)

    def _save_weights(self, member: int) -> None:
        """Before the end is committed, so that no point that has ended lacks its weights."""
        weights = self._training.weights(member) if self._training is not None else None
        if weights is not None:
            self._write(lambda: save_weights(self._directory, self._points[member].id, weights))

    def _write(self, action: Callable[[], _Result]) -> _Result:
        return retry_storage(action, self._directory, self._pack, self._recovery, self._notify)

    def _interval(self) -> float:
        """Seconds between commits."""
        share = max(self._recovery.commit_seconds, min(COMMIT_SHARE * self._seconds(), MOST_COMMIT_SECONDS))
        return max(share, self._commit_cost / COST_SHARE)

    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._started

    def _take(self, measurement: Measurement) -> None:
        self._rows.add(self._seconds(), measurement)
        values = measurement.values
        for m, acc, s in zip(measurement.members, values["test_acc"], values["decay_time"], strict=True):
            record_if_best(self._records[self._points[m].id], float(acc), float(s))

    def _end(self, point: Point, outcome: Outcome, why: str) -> None:
        record = self._records.get(point.id)
        best, kappa = peak_of(record, self._tolerance) if record else (None, None)
        end = PointEnd(
            point=point.id,
            pack=self._pack,
            attempt=self._attempt,
            outcome=outcome,
            steps=self._step,
            seconds=self._seconds(),
            why=why,
            best_test_acc=best,
            kappa=kappa if point.lam > 0 else None,
            device=self._device,
        )
        self.ended.add(point.id)
        self._ended_steps += end.steps
        self._ends.append(end)
        self._unreported.append(end)

    def _report(self, left: bool = False) -> None:
        self._reported = time.monotonic()
        steps = self._ended_steps + self._step * sum(p.id not in self.ended for p in self._points)
        seconds = self._reported - self._started
        self._notify(PackReport(pack=self._pack, steps=steps, ends=tuple(self._unreported), left=left, seconds=seconds))
        self._unreported = []
