"""The Ray backend: packs on a local Ray that this process starts, or on a cluster that it joins."""

import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import ray
from ray._private import worker as ray_worker

from results.store.ledger import given_up, read_ends
from results.store.parts import all_parts_in
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from search_spaces.plan import Pack, Plan
from search_spaces.sections.grid import Grid, Resources
from sweeper.addresses import mask_secrets
from sweeper.backends.capacity import Capacity, at_most, available_cpus
from sweeper.backends.ray.connection import connect, shut_down
from sweeper.backends.ray.environment import no_ray_error
from sweeper.backends.ray.liveness import (
    UNRESPONSIVE_SECONDS,
    LivenessCheck,
    RayLostError,
    cluster_check,
    exit_if_ray_dies,
    local_ray_check,
)
from sweeper.backends.ray.nodes import request_capacity
from sweeper.backends.ray.remote import measure_pace_remotely
from sweeper.worker.messages import GRACE_SECONDS, Notify, PackReport, stop_requested

if TYPE_CHECKING:
    from sweeper.backends.pace import Pace

MAX_RESTARTS = 3  # of a local Ray, in a row, without a commit between them
PACE_SECONDS = 60.0  # for a worker to be free and to train for a second


class RayBackend:
    """Backend that trains packs on Ray Tune.

    A local Ray that dies while it trains is started again, at most three times in a row without a commit between.
    """

    name = "ray"
    grace_seconds = GRACE_SECONDS

    def __init__(self, address: str = "local", code: Path | None = None, max_workers: int | None = None) -> None:
        """Start a local Ray on loopback, or join the cluster at ``address``.

        Args:
            address: ``local``, ``auto`` or HOST:PORT.
            code: a folder that the workers of a cluster get a copy of, as their working directory.
            max_workers: most packs that run at the same time; None for as many as there is room for.

        Raises:
            InputError: no cluster answers at ``address``.
        """
        for logger in ("ray", "ray.tune", "ray.train"):
            logging.getLogger(logger).setLevel(logging.CRITICAL)
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
        if address == "local":
            options |= {"include_dashboard": False, "num_cpus": available_cpus()}
        elif code is not None:
            options["runtime_env"] = {"working_dir": str(code)}
        # Ray prints "(raylet) A worker died …" on stdout whatever log_to_driver says, and has no public switch for it.
        # Nothing is lost without the line: the pack is tried again, and an unfinished pack is in the account.
        ray_worker._worker_logs_enabled = False
        self._address, self._options, self._max_workers = address, options, max_workers
        self._is_local = address == "local"
        self._start()

    def _start(self) -> None:
        connect(self._address, self._options)
        self._liveness = self._new_liveness_check()

    def _new_liveness_check(self) -> LivenessCheck:
        return local_ray_check() if self._is_local else cluster_check()

    def request_capacity(self, resources: Resources) -> Callable[[], Capacity]:
        """Ask the nodes of Ray for their CPUs and GPUs, as ``nodes.request_capacity`` describes."""
        answer = request_capacity(ray.nodes(), resources, joined=not self._is_local)
        return lambda: at_most(answer(), self._max_workers)

    def pace(self, grid: Grid, pack: Pack) -> "Pace | None":
        """Measure the pace of a pack on a worker.

        Raises:
            InputError: the pack cannot be tried out: no worker is free, or the worker lacks the data, or memory.
        """
        resources, share = grid.resources, 1 / grid.resources.processes_per_pack
        task = measure_pace_remotely.options(
            num_cpus=share * resources.cpus_per_pack,
            num_gpus=share * resources.gpus_per_pack,
            label_selector=resources.labels or None,
        ).remote(grid, pack)
        try:
            return cast("Pace | None", ray.get(task, timeout=PACE_SECONDS))
        except ray.exceptions.GetTimeoutError:
            ray.cancel(task)
            raise InputError(f"no worker was free for {PACE_SECONDS:g} s") from None
        except ray.exceptions.RayTaskError as error:
            raise InputError(str(error.cause) or type(error.cause).__name__) from None
        except ray.exceptions.RayError as error:
            raise InputError(str(error).strip().partition("\n")[0]) from None

    def run(self, directory: SweepDir, plan: Plan, grid: Grid, notify: Notify) -> None:
        """Train the packs of ``plan`` in order, one Ray trial a chunk.

        Args:
            directory: the sweep directory.
            plan: the packs to train.
            grid: the grid of the sweep.
            notify: receives the reports of the workers.

        Raises:
            InputError: Ray died and cannot be started again.
            KeyboardInterrupt: the sweep is to stop.
        """
        self._liveness = self._new_liveness_check()  # a new one: the backend may have been opened long ago
        with exit_if_ray_dies(directory, self._death_message, lambda: self._liveness(UNRESPONSIVE_SECONDS)) as tick:
            self._train_packs(directory, plan, grid, notify, tick)

    def _train_packs(
        self, directory: SweepDir, plan: Plan, grid: Grid, notify: Notify, tick: Callable[[], None]
    ) -> None:
        """Call ``run_chunks`` until no pack is left, the sweep is to stop, or a call brought no new end."""
        # Imported here, since Tune takes a second to import while the nodes answer (see ``nodes``).
        try:
            from sweeper.backends.ray.callback import DriverHooks  # noqa: PLC0415
            from sweeper.backends.ray.tune import run_chunks  # noqa: PLC0415
        except ImportError as error:
            raise no_ray_error(error) from None

        restarts = _RestartCounter(directory)
        while True:
            ended = read_ends(directory).keys()
            chunks = _remaining_chunks(directory, plan, ended)
            if not chunks:  # Ray died when the last pack had just ended
                return
            try:
                hooks = DriverHooks(notify, self._liveness, tick)
                run_chunks(directory, chunks, plan.workers, grid, hooks, capped=self._max_workers is not None)
            except RayLostError as error:
                if stop_requested(directory):  # whoever stops this process may have stopped Ray's with it
                    raise KeyboardInterrupt from None
                if not self._is_local or restarts.add() > MAX_RESTARTS:
                    raise InputError(self._death_message(str(error))) from None
                self._restart(str(error), notify, tick)
                continue
            # Some packs may be left: a worker that finds another worker at its pack leaves the rest of its chunk.
            if stop_requested(directory) or read_ends(directory).keys() == ended:
                return

    def _restart(self, lost_part: str, notify: Notify, tick: Callable[[], None]) -> None:
        """Start the local Ray again after one of its vital processes died."""
        notify(PackReport(pack=None, waiting=f"Ray's {lost_part} died; starting Ray again"))
        self._liveness = lambda patience: ""  # the new Ray may take its time to start
        shut_down()
        self._start()
        tick()
        notify(PackReport(pack=None))

    def _death_message(self, lost_part: str) -> str:
        """Return the message for a Ray that died and is not started again."""
        where = "" if self._is_local else f"--address {mask_secrets(self._address)}: "
        return f"{where}Ray's {lost_part} died; run the same command again to go on."

    def close(self) -> None:
        """Stop the local Ray, or leave the cluster."""
        shut_down()


class _RestartCounter:
    """Number of restarts of Ray in a row without a commit between them."""

    def __init__(self, directory: SweepDir) -> None:
        self._directory = directory
        self._parts = set(all_parts_in(directory))
        self._restarts = 0

    def add(self) -> int:
        """Count one restart, from one again if anything was committed since the last; return the number."""
        parts = set(all_parts_in(self._directory))
        self._restarts = self._restarts + 1 if parts == self._parts else 1
        self._parts = parts
        return self._restarts


def _remaining_chunks(directory: SweepDir, plan: Plan, ended: Collection[str]) -> list[str]:
    """Return the chunks of ``plan``, each the ids of its packs that have unended points and were not given up."""
    lost = given_up(directory).keys()
    left = {p.id for p in plan.packs if p.id not in lost and any(q.id not in ended for q in p.points)}
    chunks = [" ".join(pack for pack in chunk if pack in left) for chunk in plan.chunks]
    return [chunk for chunk in chunks if chunk]
