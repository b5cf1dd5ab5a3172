"""Measurements of a pack on their way to the disk and to the driver."""

import time
from collections.abc import Sequence
from typing import Any

from results.store.commits import Commit, PointEnd
from results.store.files import write_text
from search_spaces.errors import describe_traceback
from search_spaces.outcome import TRAINED, Outcome
from search_spaces.points import Point
from sweeper.worker.attempt import Attempt
from sweeper.worker.checkpoints import Checkpoint
from sweeper.worker.commit_log import CommitLog
from sweeper.worker.commit_timer import CommitTimer
from sweeper.worker.reporter import Reporter
from sweeper.worker.row_buffer import RowBuffer
from sweeper.worker.torch_process import device_name
from sweeper.worker.weights import save_weights
from trainables.measurement import Measurement
from trainables.memory import out_of_memory
from trainables.peaked import decay_time_at_peak, record_if_best
from trainables.task import cause_of
from trainables.train import Training

MAX_PARTS_WHEN_FINISHED = 16  # a finished pack with more is compacted: reading a file costs as much as 10,000 rows


class PackWriter:
    """Writer of an attempt: collects measurements, commits them and reports to the driver.

    Attributes:
        ended: ids of the points that have ended.
        points_at_a_time: maximum number of points that train together; None for all.
    """

    def __init__(self, attempt: Attempt, report_seconds: float = 1.0) -> None:
        """Continue after the restart of ``attempt``.

        Args:
            attempt: the attempt whose measurements are collected.
            report_seconds: seconds between reports to the driver.
        """
        checkpoint = attempt.restart.checkpoint
        self.ended = set(attempt.restart.ended)
        self.points_at_a_time = attempt.points_at_a_time
        self._attempt, self._device = attempt, device_name(attempt.device)
        constants = {"sweep": attempt.directory.name, "pack": attempt.pack.id, "attempt": attempt.number}
        self._rows = RowBuffer(attempt.schema, attempt.other_axes, constants)
        self._log, self._reporter = CommitLog(attempt), Reporter(attempt, report_seconds)
        self._timer = CommitTimer(attempt.grid.recovery.commit_seconds, checkpoint.seconds)
        self._records = {id_: [(score, s) for score, s in kept] for id_, kept in checkpoint.records.items()}
        self._decay_times: dict[str, float] = {}  # of the latest measurement of each point
        self._points: Sequence[Point] = ()
        self._training: Training | None = None
        self._step = 0
        self._ends: list[PointEnd] = []  # not committed yet
        self._finished = False

    def begin(self, points: Sequence[Point]) -> None:
        """Expect measurements of ``points``, which are at their start."""
        self._rows.begin(points)
        self._points, self._training, self._step = points, None, 0
        self._records = {p.id: self._records.get(p.id, []) for p in points}

    def attach(self, training: Training, step: int) -> None:
        """Expect measurements from ``training``, which has taken ``step`` steps, and report it."""
        self._training, self._step = training, step
        self._report()

    def add(self, measurement: Measurement) -> None:
        """Add a measurement; one of no point is a sign of life. Commit and report if that is due."""
        now = time.monotonic()
        self._step = measurement.step
        if measurement.members:
            self._add_rows(measurement)
        for end in measurement.ends:
            if self._attempt.grid.keep_weights and end.outcome is not Outcome.DIVERGED:
                self._save_weights(end.member)
            self._end(self._points[end.member], end.outcome, end.why)
        if self._timer.is_due(now):
            self.commit()
        if self._reporter.is_due(now):
            self._report()

    def fail(self, point: Point, error: BaseException) -> None:
        """Record that the code of ``point``, which trained alone, raised ``error``; the traceback goes to its log."""
        path = self._attempt.directory.logs / f"{point.id}.txt"
        self._attempt.retry(lambda: write_text(path, describe_traceback(error)))
        self._end(point, Outcome.FAILED, cause_of(error))
        self.commit()

    def restart_open_points(self, points_at_a_time: int) -> None:
        """Restart the points that have not ended, at most ``points_at_a_time`` together from now on."""
        self._training = None  # its state may be that of half a step
        self.commit()
        self.points_at_a_time, self._points, self._records = points_at_a_time, (), {}
        if self._log.part_count:
            self._compact()
        else:
            self.commit()

    def pause(self) -> None:
        """Leave before the pack is finished: commit and report, so that a later attempt can continue."""
        self.commit()
        self._report(left=True)

    def finish(self) -> None:
        """Finish the pack: commit and report the rest. A finished pack needs no checkpoint."""
        self._training, self._finished = None, True
        self.commit()
        if self._log.part_count > MAX_PARTS_WHEN_FINISHED:
            self._compact()
        self._report(left=True)

    def commit(self) -> None:
        """Make all rows and ends durable, together with the state of training."""
        began = time.monotonic()
        commit = Commit(ends=tuple(self._ends), checkpoint=self._save_checkpoint(), finished=self._finished)
        if self._rows or commit.ends or commit.checkpoint is not None or commit.finished:
            self._log.append(self._rows.table(), commit)
            self._rows.clear()
            self._ends = []
        self._log.clean_up()
        self._timer.record_commit(began)

    def _compact(self) -> None:
        """Merge all parts into one, with the rows of the points that have ended."""
        commit = Commit(checkpoint=self._save_checkpoint(), finished=self._finished)
        self._log.compact(commit, keep=self.ended)
        self._log.clean_up()

    def _save_checkpoint(self) -> str | None:
        """Write a checkpoint; return its name, or None if there is no state to continue from or no room for it."""
        checkpoint = self._checkpoint()
        return None if checkpoint is None else self._log.save_checkpoint(checkpoint)

    def _checkpoint(self) -> Checkpoint | None:
        """Return the present state; None if training cannot continue from it."""
        open_points = self._open_points()
        state = self._training_state() if open_points else None
        between_trainings = self.points_at_a_time is not None and not open_points
        if self._finished or (state is None and not between_trainings):
            return None
        return Checkpoint(
            points=[p.id for p in self._points] if state is not None else [],
            step=self._step if state is not None else 0,
            together=self.points_at_a_time,
            seconds=self._timer.seconds,
            records={p.id: self._records[p.id] for p in open_points},
            training=state,
        )

    def _training_state(self) -> dict[str, Any] | None:
        """Return the state of training; None if there is none, or no memory for a copy."""
        try:
            return self._training.state_dict() if self._training is not None else None
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            return None

    def _open_points(self) -> list[Point]:
        """Return the points in training that have not ended."""
        return [p for p in self._points if p.id not in self.ended]

    def _save_weights(self, member: int) -> None:
        """Save weights before the end is committed, so that no point that has ended lacks its weights."""
        weights = self._training.weights(member) if self._training is not None else None
        if weights is not None:
            directory, point = self._attempt.directory, self._points[member].id
            self._attempt.retry(lambda: save_weights(directory, point, weights))

    def _add_rows(self, measurement: Measurement) -> None:
        """Buffer the rows of a measurement, and record each metric that is the best of its point so far."""
        self._rows.add(self._timer.seconds, measurement)
        values, metric = measurement.values, self._attempt.grid.metric
        scores = metric.score(values[metric.column])
        for m, score, s in zip(measurement.members, scores, values["decay_time"], strict=True):
            record_if_best(self._records[self._points[m].id], float(score), float(s))
            self._decay_times[self._points[m].id] = float(s)

    def _end(self, point: Point, outcome: Outcome, why: str) -> None:
        """Record the end of a point, to be committed and reported next."""
        record, last = self._records.get(point.id, ()), self._decay_times.get(point.id, 0.0)
        trained, grid = outcome in TRAINED and point.lam > 0, self._attempt.grid
        metric, best = grid.metric, grid.metric.score(record[-1][0]) if record else None
        end = PointEnd(
            point=point.id,
            pack=self._attempt.pack.id,
            attempt=self._log.attempt_number,
            outcome=outcome,
            steps=self._step,
            seconds=self._timer.seconds,
            why=why,
            best_test_acc=best if metric.is_accuracy else None,
            kappa=decay_time_at_peak(record, last, grid.analysis.tolerance, metric) if trained else None,
            device=self._device,
            best_metric=None if metric.is_accuracy else best,
        )
        self.ended.add(point.id)
        self._ends.append(end)
        self._reporter.add_end(end)

    def _report(self, *, left: bool = False) -> None:
        self._reporter.send(self._step * len(self._open_points()), left=left)
