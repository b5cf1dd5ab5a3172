"""What the driver does while Tune runs: hands on summaries, kills workers that hang, notes packs given up, leaves."""

import math
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from results.store.files import write_text
from results.store.ledger import ends_of_chunk, give_up
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from search_spaces.sections.grid import Recovery
from sweeper.backends.ray.liveness import LOOK_SECONDS, PATIENCE_SECONDS, LivenessCheck, RayLostError
from sweeper.worker.messages import Notify, stop_requested

LONGEST_WAIT = 60.0  # seconds before a pack is tried again: 1, 2, 4 and so on
SILENT_PULSES = 3.0  # without one a worker may hang; it reports once a pulse
GRACE_SECONDS = 25.0  # for workers to commit and leave; Kubernetes gives a pod 30 s


class StorageGoneError(BaseException):
    """Even this process cannot write to the sweep directory. Not an Exception: Tune would wrap it."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


@ray.remote(num_cpus=0, max_retries=0)  # type: ignore[untyped-decorator]
def _kill(pid: int) -> None:
    """End a worker of the node that this runs on, which may hang or be stopped."""
    title = Path(f"/proc/{pid}/cmdline")
    if not title.exists() or title.read_bytes().startswith(b"ray::"):  # its number may be another's by now
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class PackCallback(tune.Callback):  # type: ignore[misc]
    """See above.

    Ray pickles its callbacks into a file that nobody reads; this one stays out of that.
    """

    def __init__(
        self,
        directory: SweepDir,
        recovery: Recovery,
        pulse: float,
        notify: Notify,
        lost: LivenessCheck,
        tick: Callable[[], None],
    ) -> None:
        self._directory, self._recovery, self._notify, self._lost, self._tick = directory, recovery, notify, lost, tick
        self._patience = max(recovery.hang_seconds, SILENT_PULSES * pulse)
        self._awake = 0.0  # seconds that this process has run: one that was stopped must not take workers for hung
        self._heard: dict[str, float] = {}  # trial id to the time, awake, of its latest sign of life
        self._trials: dict[str, Any] = {}
        self._processes: dict[str, tuple[str, int]] = {}  # trial id to node and process id of its worker
        self._failures: Counter[str] = Counter()  # of a trial, as Tune counts them
        self._deaths: Counter[str] = Counter()  # of workers, by the packs that they were at
        self._hung: set[str] = set()
        self._active: set[str] = set()
        self._looked, self._stopping = time.monotonic(), math.inf

    def __getstate__(self) -> dict[str, None]:
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A worker has it, or soon will."""
        self._heard[trial.trial_id], self._trials[trial.trial_id] = self._awake, trial
        self._hung.discard(trial.trial_id)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Its worker has said something."""
        self._heard[trial.trial_id] = self._awake
        if progress := result.get("progress"):
            self._processes[trial.trial_id] = tuple(result["process"])
            self._active.add(trial.trial_id)
            for summary in progress:
                self._notify(summary)
        elif refused := result.get("refused"):
            self._give_up(result["pack"], refused, refused)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Its worker has left it, done or not."""
        self._forget(trial)
        for statistics in (trial.metric_analysis, trial.metric_n_steps):
            statistics.clear()  # of every number ever reported, 13 KB: Tune keeps its trials to the end

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Its worker or node died; Tune starts it again at once, with this configuration."""
        self._forget(trial)
        trial.config.update(wait=0.0, crowded=None)
        taken_away = trial.num_failures == self._failures[trial.trial_id]  # Ray was told that the node would go
        self._failures[trial.trial_id] = trial.num_failures
        pack, error = self._at(trial), _error(trial)
        if pack is None:
            return
        self._deaths[pack] += not taken_away
        if self._deaths[pack] > self._recovery.retries:
            self._give_up(pack, _cause(error, self._recovery, hung=trial.trial_id in self._hung), error)
            return
        trial.config["wait"] = min(2.0 ** (self._deaths[pack] - 1), LONGEST_WAIT)
        trial.config["crowded"] = pack if _crowded(error) else None

    def _at(self, trial: Any) -> str | None:
        """The pack that its worker was at: the first of the chunk that is not done; None if all are."""
        packs = trial.config["packs"].split()
        try:
            ends = ends_of_chunk(self._directory, packs)
        except (OSError, InputError):  # storage that is away too
            return str(packs[0])
        return next((pack for pack, ended in ends.items() if ended is None), None)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Called some ten times a second."""
        self._tick()
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._awake += min(now - self._looked, 2 * LOOK_SECONDS)
        self._looked = now
        if lost := self._lost(PATIENCE_SECONDS):
            raise RayLostError(lost)
        if stop_requested(self._directory):
            self._stopping = min(self._stopping, now)
            if not self._active or now - self._stopping > GRACE_SECONDS:
                raise KeyboardInterrupt
        for trial_id, heard in list(self._heard.items()):
            if self._awake - heard > self._patience:
                self._heard[trial_id] = self._awake  # for a second try if the first does not reach it
                self._hung.add(trial_id)
                self._end_worker(trial_id)

    def _end_worker(self, trial_id: str) -> None:
        if process := self._processes.get(trial_id):
            node, pid = process
            _kill.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(pid)
        elif actor := self._trials[trial_id].temporary_state.ray_actor:
            ray.kill(actor)  # frozen before it said where it is

    def _give_up(self, pack: str, why: str, log: str) -> None:
        try:
            give_up(self._directory, pack, why)
            write_text(self._directory.logs / f"{pack}.txt", log)
        except OSError as error:
            raise StorageGoneError(error) from None

    def _forget(self, trial: Any) -> None:
        self._active.discard(trial.trial_id)
        self._heard.pop(trial.trial_id, None)
        self._processes.pop(trial.trial_id, None)
        self._trials.pop(trial.trial_id, None)


def _error(trial: Any) -> str:
    """What its latest worker ended with. Tune writes the errors of all into one file of this machine."""
    file = Path(trial.error_file or "")
    if not file.is_file():
        return "its worker died"
    return file.read_text(encoding="utf-8", errors="replace").rpartition("Failure # ")[2]


def _crowded(error: str) -> bool:
    """Whether a worker had to go since its machine ran out of memory."""
    return "OutOfMemoryError" in error


def _cause(error: str, recovery: Recovery, *, hung: bool) -> str:
    """Why a pack was given up, in a line."""
    times = f"{recovery.retries + 1} time" + "s" * (recovery.retries > 0)
    if hung:
        return f"its worker was lost {times}; the last one gave no sign of life for {recovery.hang_seconds:g} s"
    if _crowded(error):
        return f"its worker ran out of memory {times}"
    last = [line for line in error.splitlines() if line.strip()][-1:]
    return f"its worker died {times}" + (f": {last[0].strip()[:300]}" if last else "")
