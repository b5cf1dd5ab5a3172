"""Entry of a worker: train one pack and commit its rows, the same under every backend."""

import time
from collections.abc import Sequence

from results.store.attempts import OvertakenError
from results.store.paths import any_path
from results.store.sweep_dir import SweepDir
from search_spaces.points import Point
from search_spaces.recipe import recipe_of
from search_spaces.sections.grid import Recovery
from sweeper.signals import is_raised_by_signal
from sweeper.worker.attempt import Attempt, begin_attempt
from sweeper.worker.checkpoints import NO_CHECKPOINT
from sweeper.worker.memory_limits import record_too_many_points
from sweeper.worker.messages import Notify, heartbeat_seconds, stop_requested
from sweeper.worker.pack_writer import PackWriter
from sweeper.worker.storage_retry import StorageRefusedError
from sweeper.worker.torch_process import training_settings
from trainables.gpu_fault import raise_gpu_fault
from trainables.memory import out_of_memory, release_gpu_memory
from trainables.pack.follow import follow
from trainables.pack.group import SINGLE_PROCESS, Group, GroupLostError, TorchGroup
from trainables.train import Training, start_training
from trainables.user_code import exits_raise

DEFAULT_RECOVERY = Recovery()


def run_pack(
    root: str,
    pack_id: str,
    notify: Notify,
    threads: int = 1,
    group: Group = SINGLE_PROCESS,
    *,
    halve: bool = False,
    recovery: Recovery = DEFAULT_RECOVERY,
) -> bool:
    """Train the points of a pack that have not ended yet and store their rows.

    Args:
        root: address of the sweep directory.
        pack_id: id of a pack in its ``plan.json``.
        notify: sends a report to the driver; called about once a second and at the end.
        threads: number of CPU threads of this process.
        group: the processes that train the points together. This process leads them.
        halve: whether half as many points train at a time, since the previous worker was ended because its machine ran
            out of memory.
        recovery: the grid's limits, for a start at which the plan is out of reach.

    Returns:
        False if another worker has taken the pack over, else True.

    Raises:
        StorageRefusedError: storage refused longer than the grid allows.
        GpuFaultError: the GPU of this process has failed.
    """
    directory = SweepDir(any_path(root))
    try:
        with training_settings(threads), exits_raise():
            _PackRun(begin_attempt(directory, pack_id, notify, recovery), group).run(halve=halve)
    except OvertakenError:
        return False
    except StorageRefusedError:
        if not stop_requested(directory):  # if it is to stop, the next run trains again what is not committed
            raise
    return True


def assist_pack(group: TorchGroup, threads: int = 1) -> None:
    """Train as a member of ``group`` until its leader, which runs the pack, is done."""
    with training_settings(threads), exits_raise():
        follow(group)


class _PackRun:
    """Training of one attempt: all points together, or fewer at a time after errors and where memory is short."""

    def __init__(self, attempt: Attempt, group: Group) -> None:
        self._attempt, self._group = attempt, group
        self._heartbeat_seconds = heartbeat_seconds(attempt.workers)
        self._checkpoint = attempt.restart.checkpoint  # resumed from once
        self._writer = PackWriter(attempt, self._heartbeat_seconds)
        self._stop_checked = time.monotonic()
        self._halved = False

    def run(self, *, halve: bool) -> None:
        """Train until every point has ended or the run is to stop.

        Args:
            halve: whether to train half as many points at a time as the checkpoint says, from their start.
        """
        if halve and (count := len(self._next_points())) > 1:
            self._checkpoint = NO_CHECKPOINT
            self._halve(count)
        while points := self._next_points():
            if self._halved:  # only here is nothing left that holds the tensors of those that did not fit
                release_gpu_memory()
                self._halved = False
            if not self._train(points):
                self._writer.pause()
                return
        self._writer.finish()

    def _next_points(self) -> Sequence[Point]:
        """Return the points to train together next.

        They are those of the checkpoint, or as many of those that have not ended as may train at a time.
        """
        by_id = {p.id: p for p in self._attempt.pack.points}
        saved = self._checkpoint.points
        if by_id.keys() >= set(saved) and not self._writer.ended >= set(saved):
            return tuple(by_id[id_] for id_ in saved)
        open_points = tuple(p for p in self._attempt.pack.points if p.id not in self._writer.ended)
        return open_points[: self._writer.points_at_a_time]

    def _train(self, points: Sequence[Point]) -> bool:
        """Train ``points`` together to their ends; return False if the run is to stop before.

        If their code raises, each point trains alone from its start, so that the error stays with the point that it
        belongs to. If there was no memory for all of them, half of them train at a time.
        """
        self._writer.begin(points)
        try:
            recipe = recipe_of(self._attempt.grid, points[0].variant)
            training = start_training(points, recipe, self._attempt.device, self._group)
            step = self._resume(training, points)
            measurements = training.measurements(self._heartbeat_seconds)
        except BaseException as error:
            self._handle_error(points, error)
            return True
        self._writer.attach(training, step)
        while True:
            try:
                measurement = next(measurements)
            except StopIteration:
                return True
            except BaseException as error:  # this is the outcome of a point, not the end of the sweep
                self._handle_error(points, error)
                return True
            self._writer.add(measurement)  # errors of the writer, such as lost storage, end the worker
            if self._stop_requested() and self._has_open_points():
                return False

    def _has_open_points(self) -> bool:
        """Return whether a point of the pack has not ended."""
        return any(p.id not in self._writer.ended for p in self._attempt.pack.points)

    def _resume(self, training: Training, points: Sequence[Point]) -> int:
        """Load the checkpoint once, if it belongs to these points; return the steps that they have taken."""
        checkpoint, self._checkpoint = self._checkpoint, NO_CHECKPOINT
        if checkpoint.training is None or list(checkpoint.points) != [p.id for p in points]:
            return 0
        training.load_state_dict(checkpoint.training)
        return checkpoint.step

    def _handle_error(self, points: Sequence[Point], error: BaseException) -> None:
        """Record the error of a point that trained alone; restart several in smaller groups.

        Raises:
            BaseException: ``error``, if it is not of the point's code: a signal, or another process that is gone.
            GpuFaultError: the GPU of this process has failed.
        """
        if isinstance(error, GroupLostError) or is_raised_by_signal(error):
            raise error
        raise_gpu_fault(error)
        self._checkpoint = NO_CHECKPOINT
        if len(points) == 1:
            self._writer.fail(points[0], error)
        elif out_of_memory(error):
            self._halve(len(points))
        else:
            self._writer.restart_open_points(1)

    def _halve(self, count: int) -> None:
        """Continue with half of ``count`` points at a time, and tell the other workers."""
        directory, variant = self._attempt.directory, self._attempt.pack.points[0].variant
        self._attempt.retry(lambda: record_too_many_points(directory, variant, count))
        self._writer.restart_open_points(count // 2)
        self._halved = True

    def _stop_requested(self) -> bool:
        """Return whether the run is to stop; look at the disk about once a heartbeat."""
        directory = self._attempt.directory
        if time.monotonic() - self._stop_checked < max(self._heartbeat_seconds, directory.poll_seconds):
            return False
        self._stop_checked = time.monotonic()
        return stop_requested(directory)
