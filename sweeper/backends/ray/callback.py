"""Tune callback of the driver, and the calls through which it reaches the rest of the driver."""

import math
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray import tune
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from results.store.files import write_text
from results.store.ledger import ends_of_chunk, give_up
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError, one_line
from search_spaces.sections.grid import Recovery
from sweeper.backends.ray.liveness import CHECK_SECONDS, UNRESPONSIVE_SECONDS, LivenessCheck, RayLostError
from sweeper.worker.messages import GRACE_SECONDS, Notify, stop_requested

MAX_RETRY_WAIT_SECONDS = 60.0  # before a pack is tried again: 1, 2, 4 and so on up to this
MAX_SILENT_HEARTBEATS = 3.0  # a worker reports once a heartbeat; after so many without a report it may hang
MAX_FAILED_STARTS = 4  # of workers, before any worker has trained: then none ever will


_RAISED = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)(?:: |$)")  # the last line of a traceback
_MAX_ERROR = 1_000_000  # characters of an error that are looked at


class StorageGoneError(BaseException):
    """Failure of this process to write to the sweep directory. Not an Exception: Tune would wrap it."""

    def __init__(self, error: OSError | InputError) -> None:
        super().__init__(str(error))
        self.error = error


class NoWorkerStartsError(BaseException):
    """No worker has started, nor will one. Not an Exception: Tune would wrap it."""

    def __init__(self, why: str, log: str) -> None:
        super().__init__(why)
        self.log = log


@dataclass(frozen=True, slots=True)
class DriverHooks:
    """Calls from the loop of Tune to the driver.

    Attributes:
        notify: receives every pack report of a worker.
        liveness: says which vital part of Ray is gone.
        tick: is called about ten times a second, to show that the loop goes on.
    """

    notify: Notify
    liveness: LivenessCheck
    tick: Callable[[], None]


class _WorkerProcess(NamedTuple):
    """Process of a worker.

    Attributes:
        node: Ray's id of its node.
        pid: its process id on that node.
    """

    node: str
    pid: int


@ray.remote(num_cpus=0, max_retries=0)  # type: ignore[untyped-decorator]
def _kill(pid: int) -> None:
    """Kill a worker on the node that runs this task; the worker may hang or be stopped by a signal."""
    title = Path(f"/proc/{pid}/cmdline")
    if not title.exists() or title.read_bytes().startswith(b"ray::"):  # else another process has the number by now
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class PackCallback(tune.Callback):  # type: ignore[misc]
    """Tune callback: forwards reports, kills hung workers, gives up packs, ends a run that is to stop.

    Ray pickles its callbacks into a file that nobody reads; the pickle of this one is empty.

    Args:
        directory: the sweep directory.
        recovery: how often a lost pack is tried again, and after what silence a worker hangs.
        heartbeat: seconds between two reports of a worker.
        hooks: calls to the driver.
    """

    def __init__(self, directory: SweepDir, recovery: Recovery, heartbeat: float, hooks: DriverHooks) -> None:
        self._directory, self._recovery, self._hooks = directory, recovery, hooks
        self._hang_seconds = max(recovery.hang_seconds, MAX_SILENT_HEARTBEATS * heartbeat)
        # Seconds that this process has run. A driver that was stopped by a signal must not take workers for hung.
        self._awake = 0.0
        self._last_sign: dict[str, float] = {}  # trial id to the awake time of the latest sign of life
        self._trials: dict[str, Any] = {}  # trial id to trial, while a worker has it
        self._processes: dict[str, _WorkerProcess] = {}  # trial id to the process of its worker
        self._failures: Counter[str] = Counter()  # failures of each trial, as Tune counts them
        self._deaths: Counter[str] = Counter()  # pack id to deaths of workers that were at it
        self._hung: set[str] = set()  # ids of trials whose worker was killed for its silence
        self._active: set[str] = set()  # ids of trials whose worker has reported
        self._failed_starts: int | None = 0  # of workers that died before a report; None once any worker has reported
        self._last_check, self._stopping_since = time.monotonic(), math.inf

    def __getstate__(self) -> dict[str, None]:
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note that a worker has the trial, or soon will.

        Args:
            iteration: iterations of Tune's loop so far.
            trials: all trials of the experiment.
            trial: the one that starts.
            info: keywords of later versions of Tune.
        """
        self._last_sign[trial.trial_id], self._trials[trial.trial_id] = self._awake, trial
        self._hung.discard(trial.trial_id)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Forward the reports of a worker, and give up a pack that storage refused.

        Args:
            iteration: iterations of Tune's loop so far.
            trials: all trials of the experiment.
            trial: the one whose worker reports.
            result: what ``chunk.train_chunk`` reported: ``reports`` and ``process``, or ``refused`` and ``pack``.
            info: keywords of later versions of Tune.
        """
        self._last_sign[trial.trial_id] = self._awake
        self._failed_starts = None
        if reports := result.get("reports"):
            self._processes[trial.trial_id] = _WorkerProcess(*result["process"])
            self._active.add(trial.trial_id)
            for report in reports:
                self._hooks.notify(report)
        elif refusal := result.get("refused"):
            self._give_up(result["pack"], refusal, refusal)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Forget the worker of a trial, which has left it, done or not.

        Args:
            iteration: iterations of Tune's loop so far.
            trials: all trials of the experiment.
            trial: the one that ended.
            info: keywords of later versions of Tune.
        """
        self._forget(trial)
        for statistics in (trial.metric_analysis, trial.metric_n_steps):
            statistics.clear()  # of every number ever reported, 13 KB: Tune keeps its trials to the end

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Count the death of a worker against the pack it was at; give the pack up if there were too many.

        Tune starts the trial again at once, with the configuration that is left in ``trial.config`` here.

        Args:
            iteration: iterations of Tune's loop so far.
            trials: all trials of the experiment.
            trial: the one whose worker or node died.
            info: keywords of later versions of Tune.

        Raises:
            NoWorkerStartsError: so many workers died, and none of them reported anything.
        """
        self._forget(trial)
        trial.config.update(wait=0.0, out_of_memory=None)
        preempted = trial.num_failures == self._failures[trial.trial_id]  # Ray was told that the node would go
        self._failures[trial.trial_id] = trial.num_failures
        pack, error = self._current_pack(trial), _latest_error(trial)
        if self._failed_starts is not None:
            self._failed_starts += not preempted
            if self._failed_starts >= max(MAX_FAILED_STARTS, self._recovery.retries + 1):
                raise NoWorkerStartsError(f"no worker starts: {_last_cause(error)}", error)
        if pack is None:  # nothing is left for a worker; if the next one does not see that either, it is the last
            trial.max_failures = trial.num_failures
            return
        self._deaths[pack] += not preempted
        if self._deaths[pack] > self._recovery.retries:
            self._give_up(pack, _cause_of(error, self._recovery, hung=trial.trial_id in self._hung), error)
            return
        trial.config["wait"] = min(2.0 ** (self._deaths[pack] - 1), MAX_RETRY_WAIT_SECONDS)
        trial.config["out_of_memory"] = pack if _ran_out_of_memory(error) else None

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Check Ray, the stop request and the workers about once a second. Tune calls it some ten times a second.

        Args:
            iteration: iterations of Tune's loop so far.
            trials: all trials of the experiment.
            info: keywords of later versions of Tune.

        Raises:
            RayLostError: a vital part of Ray is gone.
            KeyboardInterrupt: the sweep is to stop, and its workers have left or had their time.
        """
        self._hooks.tick()
        now = time.monotonic()
        if now - self._last_check < CHECK_SECONDS:
            return
        self._awake += min(now - self._last_check, 2 * CHECK_SECONDS)
        self._last_check = now
        if lost_part := self._hooks.liveness(UNRESPONSIVE_SECONDS):
            raise RayLostError(lost_part)
        if stop_requested(self._directory):
            self._stopping_since = min(self._stopping_since, now)
            if not self._active or now - self._stopping_since > GRACE_SECONDS:
                raise KeyboardInterrupt
        self._kill_hung_workers()

    def _current_pack(self, trial: Any) -> str | None:
        """Return the pack that the worker was at: the first undone pack of the chunk; None if all are done."""
        packs = trial.config["packs"].split()
        try:
            ends = ends_of_chunk(self._directory, packs)
        except (OSError, InputError):  # storage may be away as well
            return str(packs[0])
        return next((pack for pack, ended in ends.items() if ended is None), None)

    def _kill_hung_workers(self) -> None:
        for trial_id, last_sign in list(self._last_sign.items()):
            if self._awake - last_sign > self._hang_seconds:
                self._last_sign[trial_id] = self._awake  # so that a kill that does not arrive is tried again
                self._hung.add(trial_id)
                self._kill_worker(trial_id)

    def _kill_worker(self, trial_id: str) -> None:
        if process := self._processes.get(trial_id):
            strategy = NodeAffinitySchedulingStrategy(process.node, soft=False)
            _kill.options(scheduling_strategy=strategy).remote(process.pid)
        elif actor := self._trials[trial_id].temporary_state.ray_actor:
            ray.kill(actor)  # the worker froze before it reported its process

    def _give_up(self, pack: str, why: str, log: str) -> None:
        try:
            give_up(self._directory, pack, why)
            write_text(self._directory.logs / f"{pack}.txt", log)
        except (OSError, InputError) as error:
            raise StorageGoneError(error) from None

    def _forget(self, trial: Any) -> None:
        self._active.discard(trial.trial_id)
        self._last_sign.pop(trial.trial_id, None)
        self._processes.pop(trial.trial_id, None)
        self._trials.pop(trial.trial_id, None)


def _latest_error(trial: Any) -> str:
    """Return the error of the latest worker; Tune writes those of all workers into one file of this machine."""
    file = Path(trial.error_file or "")
    if not file.is_file():
        return "its worker died"
    return file.read_text(encoding="utf-8", errors="replace").rpartition("Failure # ")[2]


def _ran_out_of_memory(error: str) -> bool:
    """Return whether Ray killed a worker because its machine ran out of memory."""
    return "OutOfMemoryError" in error


def _cause_of(error: str, recovery: Recovery, *, hung: bool) -> str:
    """Return in one line why a pack was given up."""
    times = f"{recovery.retries + 1} time" + "s" * (recovery.retries > 0)
    if hung:
        return f"its worker was lost {times}; the last one gave no sign of life for {recovery.hang_seconds:g} s"
    if _ran_out_of_memory(error):
        return f"its worker ran out of memory {times}"
    cause = _last_cause(error)
    return f"its worker died {times}" + (f": {cause}" if cause else "")


def _last_cause(error: str) -> str:
    """Return the line of a worker's error that says why: what was raised last, else the last line."""
    lines = [line.strip() for line in error[:_MAX_ERROR].splitlines() if line.strip()]
    raised = [line for line in lines if _RAISED.match(line) and "failed to import on the worker" not in line]
    return one_line((raised or lines or [""])[-1])
