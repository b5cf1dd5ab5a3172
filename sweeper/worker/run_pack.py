"""What a worker does with one pack: train it and commit its rows. The same under every backend."""

import platform
import re
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import torch

from results.store.attempts import OvertakenError, claim
from results.store.files import version_of
from results.store.paths import any_path
from results.store.plan_file import cached_plan
from results.store.sweep_dir import SweepDir
from search_spaces.points import Point, values_elsewhere
from search_spaces.recipe import recipe_of
from search_spaces.sections.grid import Recovery
from search_spaces.sections.section import AxisValue
from sweeper.worker.checkpoints import NO_CHECKPOINT, Restart, restart_of
from sweeper.worker.memory_limits import most_that_fit, note_too_many
from sweeper.worker.messages import Notify, stop_requested
from sweeper.worker.pack_writer import PackWriter
from sweeper.worker.row_buffer import RowBuffer, table_schema
from sweeper.worker.storage_retry import StorageRefusedError, retry_storage
from trainables.memory import keep_freed_memory, out_of_memory
from trainables.pack.follow import follow
from trainables.pack.group import SINGLE_PROCESS, Group, TorchGroup
from trainables.train import Training, start_training

_Result = TypeVar("_Result")
PULSE_SECONDS = 1.0  # a worker hears that it is to stop, and shows that it lives, at least so often
ALL_PULSES = 100.0  # of all workers together, of more it is less often: each costs the driver 4 ms, and storage a look
LONGEST_PULSE = 10.0  # seconds; who is asked to stop has 25


def pulse_of(workers: int) -> float:
    """Seconds between two signs of life of each of so many workers."""
    return min(PULSE_SECONDS * max(1.0, workers / ALL_PULSES), LONGEST_PULSE)


def run_pack(
    root: str, pack_id: str, notify: Notify, threads: int = 1, group: Group = SINGLE_PROCESS, *, crowded: bool = False
) -> bool:
    """Train the points of a pack that have not ended yet and store their rows.

    Args:
        root: the sweep directory.
        pack_id: a pack of its ``plan.json``.
        notify: called about once a second and at the end.
        threads: CPU threads of this process.
        group: the processes that train them, which this one leads.
        crowded: whether the worker before had to go since its machine ran out of memory.

    Returns:
        False if another worker has the pack by now.

    Raises:
        StorageRefusedError: it has waited for storage as long as the grid says.
    """
    directory = SweepDir(any_path(root))
    try:
        with _settings(threads):
            _PackRun(directory, pack_id, notify, group).run(crowded)
    except OvertakenError:
        return False
    except StorageRefusedError:
        if not stop_requested(directory):  # else what is not committed is trained again by the next run
            raise
    return True


def assist_pack(group: TorchGroup, threads: int = 1) -> None:
    """Help the leader of ``group``, which runs the pack, until it is done."""
    with _settings(threads):
        follow(group)


@contextmanager
def _settings(threads: int) -> Iterator[None]:
    """Those of a process that trains."""
    keep_freed_memory()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # weights that decay towards 0 would otherwise become 100 times slower numbers
    try:
        yield
    finally:
        torch.set_flush_denormal(False)  # the process may be somebody's notebook


def device_name(device: str) -> str:
    """What a torch device is called: ``NVIDIA H200``, ``AMD EPYC 9R14 (cpu)``."""
    if device == "cuda" and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    # Linux has no other name of the processor than this line; on ARM there is none.
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8") if platform.system() == "Linux" else ""
    model = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    return f"{model[1].strip() if model else platform.processor() or platform.machine()} (cpu)"


@lru_cache(maxsize=4)
def _columns(directory: SweepDir, version: Hashable) -> tuple[pa.Schema, Mapping[str, AxisValue]]:
    """What all packs of a plan share: columns of the table, and values of axes that points do not have."""
    grid, plan, _ = cached_plan(directory, version)
    return table_schema(plan.points.values()), values_elsewhere(grid, plan.points.values())


class _PackRun:
    """One attempt at a pack."""

    def __init__(self, directory: SweepDir, pack_id: str, notify: Notify, group: Group) -> None:
        def claimed() -> int:
            _, plan, _ = cached_plan(directory, version_of(directory.plan))
            return claim(directory, pack_id, new=pack_id not in plan.begun)

        # The number first: a run that plans anew takes one for every pack that it drops, so this one will know.
        attempt = retry_storage(claimed, directory, pack_id, Recovery(), notify)
        version = retry_storage(lambda: version_of(directory.plan), directory, pack_id, Recovery(), notify)
        grid, plan, packs = retry_storage(
            lambda: cached_plan(directory, version), directory, pack_id, Recovery(), notify
        )
        if pack_id not in packs:
            raise OvertakenError(f"pack {pack_id}: no longer planned")
        restart = Restart()  # of attempt 0, which nothing was before
        if attempt > 0:
            restart = retry_storage(lambda: restart_of(directory, pack_id), directory, pack_id, grid.recovery, notify)
        schema, elsewhere = _columns(directory, version)
        rows = RowBuffer(schema, elsewhere, {"sweep": directory.name, "pack": pack_id, "attempt": attempt})
        self._directory, self._grid, self._device, self._group = directory, grid, plan.device, group
        self._notify, self._pulse = notify, pulse_of(plan.workers)
        self._pack, self._checkpoint, self._asked = packs[pack_id], restart.checkpoint, time.monotonic()
        self._writer = PackWriter(
            directory,
            pack_id,
            attempt,
            restart,
            rows=rows,
            grid=grid,
            device=device_name(plan.device),
            notify=notify,
            report_seconds=self._pulse,
        )

    def run(self, crowded: bool) -> None:
        """Train until every point has ended, or the run is to stop; if ``crowded``, half as many points at a time."""
        if self._writer.together is None and self._checkpoint.training is None:
            most = self._patiently(self._most_that_fit)
            if most is not None and most < len(self._pack.points):
                self._writer.together = most
        if crowded and (were := len(self._next())) > 1:
            self._checkpoint = NO_CHECKPOINT
            self._halve(were)
        while points := self._next():
            if not self._train(points):
                self._writer.pause()
                return
        self._writer.finish()

    def _most_that_fit(self) -> int | None:
        return most_that_fit(self._directory, self._pack.points[0].variant)

    def _patiently(self, action: Callable[[], _Result]) -> _Result:
        return retry_storage(action, self._directory, self._pack.id, self._grid.recovery, self._notify)

    def _next(self) -> Sequence[Point]:
        """The points to train together next: those of the checkpoint, or as many that have not ended as may be."""
        known = {p.id: p for p in self._pack.points}
        saved = self._checkpoint.points
        if known.keys() >= set(saved) and not self._writer.ended >= set(saved):
            return tuple(known[id_] for id_ in saved)
        left = tuple(p for p in self._pack.points if p.id not in self._writer.ended)
        return left[: self._writer.together]

    def _train(self, points: Sequence[Point]) -> bool:
        """Train ``points`` together to their ends; False if the run is to stop before.

        If that raises, each trains alone from its start, so that the error stays with the point it belongs to; half of
        them at a time if there was no memory for all.
        """
        self._writer.begin(points)
        try:
            recipe = recipe_of(self._grid, points[0].variant)
            training = start_training(points, recipe, self._device, self._group)
            step = self._resume(training, points)
            measurements = training.measurements(self._pulse)
        except (Exception, SystemExit) as error:
            self._failed(points, error)
            return True
        self._writer.follow(training, step)
        while True:
            try:
                measurement = next(measurements)
            except StopIteration:
                return True
            except (Exception, SystemExit) as error:  # a point's own outcome, not the end of the sweep
                self._failed(points, error)
                return True
            self._writer.add(measurement)  # its own errors, storage that is gone say, are the worker's: it dies of them
            if self._to_stop() and any(p.id not in self._writer.ended for p in self._pack.points):
                return False

    def _resume(self, training: Training, points: Sequence[Point]) -> int:
        """Load the checkpoint if it is of these points, once; the number of steps they have taken."""
        checkpoint, self._checkpoint = self._checkpoint, NO_CHECKPOINT
        if checkpoint.training is None or list(checkpoint.points) != [p.id for p in points]:
            return 0
        training.load_state_dict(checkpoint.training)
        return checkpoint.step

    def _failed(self, points: Sequence[Point], error: BaseException) -> None:
        self._checkpoint = NO_CHECKPOINT
        if len(points) == 1:
            self._writer.fail(points[0], error)
        elif out_of_memory(error):
            self._halve(len(points))
        else:
            self._writer.train_together(1)

    def _halve(self, points: int) -> None:
        """Go on with half as many points at a time, and tell the other workers."""
        variant = self._pack.points[0].variant
        self._patiently(lambda: note_too_many(self._directory, variant, points))
        self._writer.train_together(points // 2)

    def _to_stop(self) -> bool:
        """Whether the run is to stop; asks about once a pulse."""
        if time.monotonic() - self._asked < max(self._pulse, self._directory.poll_seconds):
            return False
        self._asked = time.monotonic()
        return stop_requested(self._directory)
