"""Packs as trials of Ray Tune.

A Ray trial's config is a pack id; the worker finds the rest in the sweep directory. Rows never pass through Ray: the
driver gets a summary a second. Ray's own experiment state is thrown away: what is done stands in the store.
"""

import logging
import math
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

# Read by Ray when it is imported or started, so they must be set before. What the user has set stays.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # despite its name the switch that keeps every listener on 127.0.0.1
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Tune's own lets fit() return as if all were done
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # CSV, JSON and TensorBoard copies of each result: half the cost of one
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray._private import worker as ray_worker  # noqa: E402
from ray.air._internal import usage  # noqa: E402
from ray.tune.execution.tune_controller import TuneController  # noqa: E402
from ray.tune.experiment import Trial  # noqa: E402
from ray.tune.progress_reporter import TrialProgressCallback  # noqa: E402
from ray.tune.schedulers import FIFOScheduler  # noqa: E402
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: E402

from results.parts import all_parts, read_ends  # noqa: E402
from results.places import place  # noqa: E402
from results.store import SweepDir, write_text  # noqa: E402
from search_spaces.errors import InputError  # noqa: E402
from search_spaces.grid import Grid, Recovery, Resources  # noqa: E402
from search_spaces.plan import Plan  # noqa: E402
from sweeper.backends import available_cpus  # noqa: E402
from sweeper.events import Notify, Progress, stop_requested, wait_for_it  # noqa: E402
from sweeper.ledger import give_up, given_up  # noqa: E402
from sweeper.pack_writer import StorageRefusedError  # noqa: E402
from sweeper.worker import run_pack  # noqa: E402

MOST_RESTARTS = 3  # of a Ray of our own that dies before anything was committed
COORDINATOR_BYTES = 2**28  # of a trial whose work is done by processes of Ray Train, which ask for their own resources
LOOK_SECONDS = 1.0  # between looks at what may have died
PATIENCE_SECONDS = 30.0  # with a cluster that does not answer; Ray itself ends this process after 60 s
CONNECT_SECONDS = 10.0  # for the head of a cluster to take a connection
STUCK_SECONDS = 15.0  # without a tick of Tune, which has ten a second
LONGEST_WAIT = 60.0  # seconds before a pack is tried again: 1, 2, 4 and so on
GRACE_SECONDS = 25.0  # for workers to commit and leave; Kubernetes gives a pod 30 s
_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # set by Ray in the driver of a job, whose workers have its code already
_VITAL = ("gcs_server", "raylet")  # without them the driver would wait for ever


class RayBackend:
    """See ``Backend``."""

    name = "ray"

    def __init__(self, address: str = "local", code: Path | None = None) -> None:
        """Start a Ray of our own on loopback, or join the cluster at ``address``.

        Args:
            address: ``local``, ``auto`` or HOST:PORT.
            code: a folder that the workers of a cluster get a copy of, as their working directory.

        Raises:
            InputError: no cluster answers at ``address``.
        """
        for logger in ("ray", "ray.tune", "ray.train"):
            logging.getLogger(logger).setLevel(logging.CRITICAL)
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
        if address == "local":
            options |= {"include_dashboard": False, "num_cpus": available_cpus()}
        elif code is not None and _JOB not in os.environ:
            options["runtime_env"] = {"working_dir": str(code)}
        # Ray has no public switch for "(raylet) A worker died …", printed on stdout whatever log_to_driver says;
        # the pack is tried again, and a pack that stays unfinished is in the account.
        ray_worker._worker_logs_enabled = False
        self._address, self._options = address, options
        self._start()

    def _start(self) -> None:
        self._refuse_silence()
        handler = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(address=self._address, **self._options)
        except (ConnectionError, ray.exceptions.RayError) as error:  # the latter without its token, say
            raise self._no_cluster(str(error).strip().partition("\n")[0].rstrip(".")) from None
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray's own would exit without letting workers commit
        self._lost = _own_loss() if self._address == "local" else _cluster_loss()

    def _refuse_silence(self) -> None:
        """Ray itself would try an address where nothing listens for minutes, and a signal would not end it."""
        host, _, port = self._address.rpartition(":")
        if host and port.isdecimal() and "/" not in host:
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
            except (OSError, OverflowError) as error:
                raise self._no_cluster(str(error)) from None

    def _no_cluster(self, why: str) -> InputError:
        return InputError(
            f"--address {self._address}: no Ray cluster answers there ({why}). Start one with 'ray start --head', or "
            "leave --address out to use this machine."
        )

    def workers(self, resources: Resources) -> int:
        """As many packs as the CPUs and GPUs of the cluster can hold: processes node by node, some for each pack."""
        nodes = [node for node in ray.nodes() if node["Alive"]]
        alive = [node["Resources"] for node in nodes if resources.labels.items() <= node["Labels"].items()]
        if not alive:
            wanted = ", ".join(f"{key}: {value}" for key, value in resources.labels.items())
            known = sorted({f"{k}: {v}" for n in nodes for k, v in n["Labels"].items() if k != "ray.io/node-id"})
            raise InputError(
                f"resources.labels: no machine of the cluster has {{{wanted}}}; there are "
                f"{', '.join(known) or 'no labels'}. Ray takes them with 'ray start --labels'."
            )
        count = sum(_fits(node, resources) for node in alive) // resources.processes_per_pack
        if not count:
            offers = "; ".join(f"{n.get('CPU', 0):g} CPUs, {n.get('GPU', 0):g} GPUs" for n in alive)
            raise InputError(
                f"resources: a pack asks for {_asked(resources)} (nodes: {offers}). Lower cpus_per_pack or "
                "gpus_per_pack."
            )
        return count

    def run(self, directory: SweepDir, plan: Plan, grid: Grid, notify: Notify) -> None:
        """Train all packs of ``plan`` as Ray trials, in its order; a Ray of our own that dies is started again."""
        with _guarded(directory, self._failure, lambda: self._lost(PATIENCE_SECONDS)) as tick:
            self._run_on(directory, plan, grid, notify, tick)

    def _run_on(self, directory: SweepDir, plan: Plan, grid: Grid, notify: Notify, tick: Callable[[], None]) -> None:
        restarts, committed = 0, set(all_parts(directory))
        while True:
            ended, lost = read_ends(directory).keys(), given_up(directory)
            left = [p.id for p in plan.packs if p.id not in lost and any(q.id not in ended for q in p.points)]
            if not left:  # Ray died when the last of them had just ended
                return
            try:
                self._run(directory, left, plan.workers, grid, notify, tick)
                return
            except _RayLost as gone:
                if stop_requested(directory):  # whoever stops this process may have stopped Ray's with it
                    raise KeyboardInterrupt from None
                before, committed = committed, set(all_parts(directory))
                restarts = restarts + 1 if committed == before else 1
                if self._address != "local" or restarts > MOST_RESTARTS:
                    raise InputError(self._failure(str(gone))) from None
                notify(Progress(pack=None, waiting=f"Ray's {gone} died; starting Ray again"))
                self._lost = lambda patience: ""  # the new one may take its time
                ray.shutdown()
                self._start()
                tick()
                notify(Progress(pack=None))

    def _failure(self, lost: str) -> str:
        """What the user is told if it cannot go on."""
        where = "" if self._address == "local" else f"--address {self._address}: "
        return f"{where}Ray's {lost} died; run the same command again to go on."

    def _run(
        self,
        directory: SweepDir,
        packs: Sequence[str],
        workers: int,
        grid: Grid,
        notify: Notify,
        tick: Callable[[], None],
    ) -> None:
        """Train ``packs``, those given up apart."""
        # Only so many wait: with Ray's default of 200 pending trials reused actors pick them in any order.
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(workers + 1)
        resources, together = grid.resources, grid.resources.processes_per_pack > 1
        trainable = tune.with_resources(
            tune.with_parameters(_train_pack, root=str(directory.root), resources=resources),
            _place_of(resources),
        )
        watch = _Watch(directory, grid.recovery, notify, self._lost, tick)
        with TemporaryDirectory(prefix="sweeper-") as state:  # not beside the rows, where a full disk would end Tune
            order = iter(packs)  # a grid_search would be copied whole for every trial
            tuner = tune.Tuner(
                trainable,
                param_space={"pack": tune.sample_from(lambda _: next(order))},
                tune_config=tune.TuneConfig(
                    num_samples=len(packs),
                    scheduler=_InOrder(),
                    reuse_actors=True,
                    trial_dirname_creator=lambda trial: trial.trial_id,
                    max_concurrent_trials=workers if together else None,
                ),
                run_config=tune.RunConfig(
                    storage_path=state,
                    name=secrets.token_hex(4),
                    verbose=0,
                    callbacks=[watch, _Silent()],
                    failure_config=tune.FailureConfig(max_failures=grid.recovery.retries),
                ),
            )
            try:
                with _lean():
                    tuner.fit()
            except _StorageGone as gone:
                raise gone.error from None
            except Exception:  # of Tune, whose calls fail one way or another when Ray dies
                time.sleep(LOOK_SECONDS)
                if lost := self._lost(0.0):
                    raise _RayLost(lost) from None
                raise

    def close(self) -> None:
        """Stop the Ray that this process started, or leave the cluster."""
        ray.shutdown()


def _place_of(resources: Resources) -> Any:
    """What a Ray trial asks the cluster for."""
    labels = [resources.labels] if resources.labels else None
    if resources.processes_per_pack > 1:
        return tune.PlacementGroupFactory([{"CPU": 0, "memory": COORDINATOR_BYTES}], bundle_label_selector=labels)
    bundle = {"CPU": resources.cpus_per_pack, "GPU": resources.gpus_per_pack}
    return tune.PlacementGroupFactory([bundle], bundle_label_selector=labels)


def _fits(node: dict[str, float], resources: Resources) -> int:
    """Processes that a node can hold."""
    counts = [int(node.get("CPU", 0) * resources.processes_per_pack / resources.cpus_per_pack)]
    if gpus := resources.gpus_per_pack / resources.processes_per_pack:
        per_gpu = int(1 / gpus) if gpus < 1 else 1 / gpus
        counts.append(int(node.get("GPU", 0) * per_gpu))
    return min(counts)


def _asked(resources: Resources) -> str:
    """What a pack asks for in vain."""
    asked = f"{resources.cpus_per_pack:g} CPUs and {resources.gpus_per_pack:g} GPUs"
    if resources.processes_per_pack == 1:
        return f"{asked}, but no node has them"
    return f"{asked} in {resources.processes_per_pack} processes, but the nodes do not have them"


class _Loss(Protocol):
    """Says what vital part of Ray is gone, or has not answered for ``patience`` seconds; empty if nothing."""

    def __call__(self, patience: float) -> str: ...


def _own_loss() -> _Loss:
    """Of a Ray of our own, whose processes are ours."""
    every = ray_worker.global_worker.node.all_processes
    processes = [(name, info.process) for name in _VITAL for info in every.get(name, ())]
    return lambda patience: next((name for name, process in processes if process.poll() is not None), "")


def _cluster_loss() -> _Loss:
    """Of a joined cluster: its head, or the raylet of this machine."""
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    raylet = ray_worker.global_worker.node.raylet_socket_name
    answered = time.monotonic()

    def silent() -> str:
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=LOOK_SECONDS):
            with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(LOOK_SECONDS)
                probe.connect(raylet)
                return ""
            return "raylet of this machine"
        return "head"

    def lost(patience: float) -> str:
        nonlocal answered
        what = silent()
        if not what:
            answered = time.monotonic()
        return what if time.monotonic() - answered >= patience else ""

    return lost


@contextmanager
def _guarded(
    directory: SweepDir, failure: Callable[[str], str], lost: Callable[[], str]
) -> Iterator[Callable[[], None]]:
    """End this process if Ray dies under a call that then waits for it for ever, and that no exception gets out of.

    Removing the placement group of a dead worker is such a call, when GCS is going too. Nothing is lost: what is done
    stands in the store. While the block runs it calls what it is given, at least every ``STUCK_SECONDS``.
    """
    ticked, done = time.monotonic(), threading.Event()

    def tick() -> None:
        nonlocal ticked
        ticked = time.monotonic()

    def guard() -> None:
        while not done.wait(LOOK_SECONDS):
            if time.monotonic() - ticked > STUCK_SECONDS and (what := lost()):
                stopped = stop_requested(directory)
                directory.stop.unlink(missing_ok=True)
                sys.stderr.write(f"error: {failure(what)}\n")
                sys.stderr.flush()
                os._exit(130 if stopped else 2)

    threading.Thread(target=guard, name="guard of Ray", daemon=True).start()
    try:
        yield tick
    finally:
        done.set()


def _train_pack(config: dict[str, Any], root: str, resources: Resources) -> None:
    """The Ray trial of one pack."""
    directory = SweepDir(place(root))
    where = ray.get_runtime_context().get_node_id(), os.getpid()

    def notify(progress: Progress) -> None:
        tune.report({"progress": progress, "place": where})

    notify(Progress(pack=config["pack"]))  # so that a worker that hangs from the start can be found
    if wait := config.get("wait"):
        why = f"its worker was lost; tried again after {wait:g} s"
        wait_for_it(wait, directory, Progress(pack=config["pack"], waiting=why), notify)
    if stop_requested(directory):
        notify(Progress(pack=config["pack"], left=True))
        return
    if resources.processes_per_pack > 1:
        from sweeper.backends.ray_train import train_together  # noqa: PLC0415 - Ray Train takes a second to import

        train_together(root, config["pack"], resources, notify, tune.report)
        return
    try:
        run_pack(root, config["pack"], notify, max(1, int(resources.cpus_per_pack)))
    except StorageRefusedError as error:  # it has waited long: not to be tried again at once
        tune.report({"refused": str(error)})


@ray.remote(num_cpus=0, max_retries=0)  # type: ignore[untyped-decorator]
def _kill(pid: int) -> None:
    """End a worker of the node that this runs on, which may hang or be stopped."""
    title = Path(f"/proc/{pid}/cmdline")
    if not title.exists() or title.read_bytes().startswith(b"ray::"):  # its number may be another's by now
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class _RayLost(BaseException):
    """A vital part of Ray is gone. Not an Exception: Tune would wrap it."""


class _StorageGone(BaseException):
    """Even this process cannot write to the sweep directory. Not an Exception, as above."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def _lean() -> Iterator[None]:
    """Keep Tune from what nobody asks it for.

    It writes its own state only once, since it looks for the file in the end, not every ten seconds with 11 KB of every
    trial that there ever was. And it does not count callbacks for statistics that are off, importing mlflow for that.
    """
    checkpoint, tag_callbacks = TuneController.checkpoint, usage.tag_callbacks

    def at_first(controller: Any, **_: Any) -> None:
        if controller._iteration == 0:
            checkpoint(controller, wait=True)

    TuneController.checkpoint, usage.tag_callbacks = at_first, lambda _: False
    try:
        yield
    finally:
        TuneController.checkpoint, usage.tag_callbacks = checkpoint, tag_callbacks


class _InOrder(FIFOScheduler):  # type: ignore[misc]
    """Of the packs that wait the first of the plan, one that is tried again among them.

    Tune gives it the next worker that is done with another pack, and stops the worker that was being started for it. So
    where packs end more often than a worker takes to start, one that was lost was never replaced, and nodes that
    joined stayed idle. Hence packs whose worker is being started come last. Tune's own scheduler also looks through
    every trial there ever was, at each of some five events a pack.
    """

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        workers, manager = tune_controller._trial_to_actor, tune_controller._actor_manager
        waiting = [trial for trial in tune_controller.get_live_trials() if trial.status == Trial.PENDING]
        left = [t for t in waiting if t not in workers or not manager.is_actor_started(workers[t])]
        return min(left or waiting, key=lambda trial: int(trial.trial_id.rpartition("_")[2]), default=None)


class _Silent(TrialProgressCallback):  # type: ignore[misc]
    """In place of Tune's own, which on an interrupt prints of every trial that it was completed."""

    def on_trial_result(self, *_: Any, **__: Any) -> None: ...

    def on_trial_error(self, *_: Any, **__: Any) -> None: ...

    def on_trial_complete(self, *_: Any, **__: Any) -> None: ...


class _Watch(tune.Callback):  # type: ignore[misc]
    """What the driver does while Tune runs: hands on summaries, kills workers that hang, notes packs given up, leaves.

    Ray pickles its callbacks into a file that nobody reads; this one stays out of that.
    """

    def __init__(
        self, directory: SweepDir, recovery: Recovery, notify: Notify, lost: _Loss, tick: Callable[[], None]
    ) -> None:
        self._directory, self._recovery, self._notify, self._lost, self._tick = directory, recovery, notify, lost, tick
        self._awake = 0.0  # seconds that this process has run: one that was stopped must not take workers for hung
        self._heard: dict[str, float] = {}  # trial id to the time, awake, of its latest sign of life
        self._trials: dict[str, Any] = {}
        self._places: dict[str, tuple[str, int]] = {}
        self._hung: set[str] = set()
        self._active: set[str] = set()
        self._looked, self._stopping = time.monotonic(), math.inf

    def __getstate__(self) -> dict[str, None]:
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._heard[trial.trial_id], self._trials[trial.trial_id] = self._awake, trial
        self._hung.discard(trial.trial_id)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self._heard[trial.trial_id] = self._awake
        progress = result.get("progress")
        if isinstance(progress, Progress):
            self._places[trial.trial_id] = tuple(result["place"])
            (self._active.discard if progress.left else self._active.add)(trial.trial_id)
            self._notify(progress)
        elif refused := result.get("refused"):
            self._give_up(trial, refused, refused)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._forget(trial)
        for statistics in (trial.metric_analysis, trial.metric_n_steps):
            statistics.clear()  # of every number ever reported, 13 KB: Tune keeps its trials to the end

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Its worker or node died; Tune starts it again at once, with this configuration."""
        self._forget(trial)
        trial.config["wait"] = min(2.0 ** (trial.num_failures - 1), LONGEST_WAIT)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Its worker or node died once more than it is tried again."""
        self._forget(trial)
        error = str(trial.get_error() or "its worker died")
        self._give_up(trial, _cause(error, self._recovery, hung=trial.trial_id in self._hung), error)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Called some ten times a second."""
        self._tick()
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._awake += min(now - self._looked, 2 * LOOK_SECONDS)
        self._looked = now
        if lost := self._lost(PATIENCE_SECONDS):
            raise _RayLost(lost)
        if stop_requested(self._directory):
            self._stopping = min(self._stopping, now)
            if not self._active or now - self._stopping > GRACE_SECONDS:
                raise KeyboardInterrupt
        for trial_id, heard in list(self._heard.items()):
            if self._awake - heard > self._recovery.hang_seconds:
                self._heard[trial_id] = self._awake  # for a second try if the first does not reach it
                self._hung.add(trial_id)
                self._end_worker(trial_id)

    def _end_worker(self, trial_id: str) -> None:
        if place := self._places.get(trial_id):
            node, pid = place
            _kill.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(pid)
        elif actor := self._trials[trial_id].temporary_state.ray_actor:
            ray.kill(actor)  # frozen before it said where it is

    def _give_up(self, trial: Any, why: str, log: str) -> None:
        pack = trial.config["pack"]
        try:
            give_up(self._directory, pack, why)
            write_text(self._directory.logs / f"{pack}.txt", log)
        except OSError as error:
            raise _StorageGone(error) from None

    def _forget(self, trial: Any) -> None:
        self._active.discard(trial.trial_id)
        self._heard.pop(trial.trial_id, None)
        self._places.pop(trial.trial_id, None)
        self._trials.pop(trial.trial_id, None)


def _cause(error: str, recovery: Recovery, *, hung: bool) -> str:
    """Why a pack was given up, in a line."""
    times = f"{recovery.retries + 1} time" + "s" * (recovery.retries > 0)
    if hung:
        return f"its worker was lost {times}; the last one gave no sign of life for {recovery.hang_seconds:g} s"
    if "OutOfMemory" in error:
        return f"its worker ran out of memory {times}"
    last = [line for line in error.splitlines() if line.strip()][-1:]
    return f"its worker died {times}" + (f": {last[0].strip()[:300]}" if last else "")
