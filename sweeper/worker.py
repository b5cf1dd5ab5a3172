"""What a worker does with one pack: train it and commit its rows. The same under every backend."""

import platform
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from results.attempts import OvertakenError, claim
from results.store import SweepDir
from search_spaces.grid import Recovery
from search_spaces.points import Point, values_elsewhere
from search_spaces.recipe import recipe_of
from sweeper.checkpoints import AFRESH, restart_of
from sweeper.events import Notify, stop_requested
from sweeper.pack_writer import PackWriter, StorageRefusedError, patiently
from sweeper.plan_file import cached_plan
from sweeper.row_buffer import RowBuffer, table_schema
from trainables.assist import assist
from trainables.group import ALONE, Group, TorchGroup
from trainables.memory import keep_freed_memory
from trainables.train import Training, start_training

PULSE_SECONDS = 1.0  # a worker hears that it is to stop, and shows that it lives, at least so often


def run_pack(root: str, pack_id: str, notify: Notify, threads: int = 1, group: Group = ALONE) -> None:
    """Train the points of a pack that have not ended yet and store their rows.

    Args:
        root: the sweep directory.
        pack_id: a pack of its ``plan.json``.
        notify: called about once a second and at the end.
        threads: CPU threads of this process.
        group: the processes that train them, which this one leads.

    Raises:
        StorageRefusedError: it has waited for storage as long as the grid says.
    """
    directory = SweepDir(Path(root))
    try:
        with _settings(threads):
            _PackRun(directory, pack_id, notify, group).run()
    except OvertakenError:
        pass  # another worker has this pack by now
    except StorageRefusedError:
        if not stop_requested(directory):  # else what is not committed is trained again by the next run
            raise


def assist_pack(group: TorchGroup, threads: int = 1) -> None:
    """Help the leader of ``group``, which runs the pack, until it is done."""
    with _settings(threads):
        assist(group)


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


class _PackRun:
    """One attempt at a pack."""

    def __init__(self, directory: SweepDir, pack_id: str, notify: Notify, group: Group) -> None:
        # The number first: a run that plans anew takes one for every pack that it drops, so this one will know.
        attempt = patiently(lambda: claim(directory, pack_id), directory, pack_id, Recovery(), notify)
        grid, plan, packs = patiently(
            lambda: cached_plan(directory, directory.plan.stat().st_mtime_ns), directory, pack_id, Recovery(), notify
        )
        if pack_id not in packs:
            raise OvertakenError(f"pack {pack_id}: no longer planned")
        restart = patiently(lambda: restart_of(directory, pack_id), directory, pack_id, grid.recovery, notify)
        rows = RowBuffer(
            table_schema(plan.points.values()),
            values_elsewhere(grid, plan.points.values()),
            {"sweep": directory.name, "pack": pack_id, "attempt": attempt},
        )
        self._directory, self._grid, self._device, self._group = directory, grid, plan.device, group
        self._pack, self._checkpoint, self._asked = packs[pack_id], restart.checkpoint, time.monotonic()
        self._writer = PackWriter(
            directory, pack_id, attempt, restart, rows=rows, grid=grid, device=device_name(plan.device), notify=notify
        )

    def run(self) -> None:
        """Train until every point has ended, or the run is to stop."""
        while points := self._next():
            if not self._train(points):
                self._writer.pause()
                return
        self._writer.finish()

    def _next(self) -> Sequence[Point]:
        """The points to train together next: all of the pack, or one that has not ended if each trains alone."""
        left = [p for p in self._pack.points if p.id not in self._writer.ended]
        if not left or not self._writer.alone:
            return self._pack.points if left else ()
        under_way = [p for p in left if p.id in self._checkpoint.points]
        return (under_way or left)[:1]

    def _train(self, points: Sequence[Point]) -> bool:
        """Train ``points`` together to their ends; False if the run is to stop before.

        If that raises, each trains alone from its start, so that the error stays with the point it belongs to.
        """
        self._writer.begin(points)
        try:
            recipe = recipe_of(self._grid, points[0].variant)
            training = start_training(points, recipe, self._device, self._group)
            step = self._resume(training, points)
            measurements = training.measurements(PULSE_SECONDS)
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
        checkpoint, self._checkpoint = self._checkpoint, AFRESH
        if checkpoint.training is None or list(checkpoint.points) != [p.id for p in points]:
            return 0
        training.load_state_dict(checkpoint.training)
        return checkpoint.step

    def _failed(self, points: Sequence[Point], error: BaseException) -> None:
        if len(points) == 1:
            self._writer.fail(points[0], error)
        else:
            self._writer.train_alone()

    def _to_stop(self) -> bool:
        """Whether the run is to stop; asks the disk about once a second."""
        if time.monotonic() - self._asked < PULSE_SECONDS:
            return False
        self._asked = time.monotonic()
        return stop_requested(self._directory)
