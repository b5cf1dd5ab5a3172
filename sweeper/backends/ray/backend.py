"""Packs on Ray: a Ray of our own on this machine, or a cluster that is joined. What Ray Tune does is in ray_tune."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
from sweeper.backends.capacity import Capacity, available_cpus
from sweeper.backends.ray.liveness import (
    PATIENCE_SECONDS,
    LivenessCheck,
    RayLostError,
    cluster_check,
    guarded,
    own_ray_check,
)
from sweeper.backends.ray.nodes import request_capacity
from sweeper.backends.ray.remote import measure_pace_remotely
from sweeper.worker.messages import Notify, PackReport, stop_requested

if TYPE_CHECKING:
    from sweeper.backends.pace import Pace

MOST_RESTARTS = 3  # of a Ray of our own that dies before anything was committed
FREE_SECONDS = 60.0  # for a worker to be free and to train for a second
ASK_SECONDS = 2.0  # for a web server to say that it is one; a head of Ray speaks first
CONNECT_SECONDS = 10.0  # for the head of a cluster to take a connection
_TRIES = "RAY_gcs_server_port_wait_time_s"  # of ray.init, one a second


@contextmanager
def _once(joining: bool) -> Iterator[None]:
    """Ask a head once whether it lets this process in: with a wrong token Ray asks 20 times, and prints each answer."""
    before = os.environ.get(_TRIES)
    if joining:
        os.environ.setdefault(_TRIES, "1")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_TRIES, None)


def _is_web_server(probe: socket.socket) -> bool:
    """Whether HTTP/1 is spoken there: Ray itself would wait 40 s for a head to answer in its own way."""
    probe.settimeout(ASK_SECONDS)
    with suppress(OSError):
        probe.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return probe.recv(5) == b"HTTP/"
    return False


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
        elif code is not None:
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
            with _once(self._address != "local"):
                ray.init(address=self._address, **self._options)
        except (ConnectionError, ray.exceptions.RayError) as error:  # the latter without its token, say
            raise self._no_cluster(str(error).strip().partition("\n")[0].rstrip(".")) from None
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray's own would exit without letting workers commit
        self._lost = self._loss()

    def _loss(self) -> LivenessCheck:
        return own_ray_check() if self._address == "local" else cluster_check()

    def _refuse_silence(self) -> None:
        """Ray itself would try an address where nothing listens for minutes, and a signal would not end it."""
        if self._address in {"local", "auto"}:
            return
        host, _, port = self._address.rpartition(":")
        if not host or not port.isdecimal() or "/" in host:
            raise InputError(
                f"--address {self._address}: give HOST:PORT of the cluster's head (6379 is Ray's default port), or "
                "'auto' on a machine of the cluster. The address of its dashboard, as http://127.0.0.1:8265, is for "
                "'sweeper submit'."
            )
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS) as probe:
                web = _is_web_server(probe)
        except (OSError, OverflowError) as error:
            raise InputError(
                f"--address {self._address}: no Ray cluster answers there ({error}). docs/cluster.md says "
                "how to start one; leave --address out to use this machine."
            ) from None
        if web:
            raise InputError(
                f"--address {self._address}: a web server answers there, a dashboard perhaps. Give HOST:PORT "
                "of the cluster's head (6379 is Ray's default port); a dashboard's address, with http://, is for "
                "'sweeper submit'."
            )

    def _no_cluster(self, why: str) -> InputError:
        """Where something listens, or did when Ray wrote down where (``auto``)."""
        return InputError(
            f"--address {self._address}: no Ray cluster lets this process in ({why}). Its token may be another one "
            "(RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token; RAY_AUTH_MODE=disabled for a cluster "
            "without), or what listens there is no head of Ray 2.60; of several clusters name one by HOST:PORT."
        )

    def request_capacity(self, resources: Resources) -> Callable[[], Capacity]:
        """See ``nodes.request_capacity``."""
        return request_capacity(ray.nodes(), resources, joined=self._address != "local")

    def pace(self, grid: Grid, pack: Pack) -> "Pace | None":
        """What a pack takes on a worker.

        Raises:
            InputError: it cannot be tried out: no worker is free, or the worker lacks the data, or memory, say.
        """
        resources, share = grid.resources, 1 / grid.resources.processes_per_pack
        task = measure_pace_remotely.options(
            num_cpus=share * resources.cpus_per_pack,
            num_gpus=share * resources.gpus_per_pack,
            label_selector=resources.labels or None,
        ).remote(grid, pack)
        try:
            return cast("Pace | None", ray.get(task, timeout=FREE_SECONDS))
        except ray.exceptions.GetTimeoutError:
            ray.cancel(task)
            raise InputError(f"no worker was free for {FREE_SECONDS:g} s") from None
        except ray.exceptions.RayTaskError as error:
            raise InputError(str(error.cause) or type(error.cause).__name__) from None
        except ray.exceptions.RayError as error:
            raise InputError(str(error).strip().partition("\n")[0]) from None

    def run(self, directory: SweepDir, plan: Plan, grid: Grid, notify: Notify) -> None:
        """Train all packs of ``plan``, a chunk a Ray trial, in order; a Ray of our own that dies is started again."""
        self._lost = self._loss()  # patient from now on: opened long ago, it may not have been asked since
        with guarded(directory, self._failure, lambda: self._lost(PATIENCE_SECONDS)) as tick:
            self._run_on(directory, plan, grid, notify, tick)

    def _run_on(self, directory: SweepDir, plan: Plan, grid: Grid, notify: Notify, tick: Callable[[], None]) -> None:
        from sweeper.backends.ray.tune import run_chunks  # noqa: PLC0415 - as ray_nodes says

        restarts, committed = 0, set(all_parts_in(directory))
        while True:
            ended, lost = read_ends(directory).keys(), given_up(directory).keys()
            left = {p.id for p in plan.packs if p.id not in lost and any(q.id not in ended for q in p.points)}
            if not left:  # Ray died when the last of them had just ended
                return
            chunks = [" ".join(pack for pack in chunk if pack in left) for chunk in plan.chunks]
            try:
                chunks = [chunk for chunk in chunks if chunk]
                run_chunks(directory, chunks, plan.workers, grid, notify=notify, lost=self._lost, tick=tick)
                if stop_requested(directory) or read_ends(directory).keys() == ended:
                    return
                # Else some may be left: a worker that finds another at its pack leaves the rest of its chunk.
            except RayLostError as gone:
                if stop_requested(directory):  # whoever stops this process may have stopped Ray's with it
                    raise KeyboardInterrupt from None
                before, committed = committed, set(all_parts_in(directory))
                restarts = restarts + 1 if committed == before else 1
                if self._address != "local" or restarts > MOST_RESTARTS:
                    raise InputError(self._failure(str(gone))) from None
                notify(PackReport(pack=None, waiting=f"Ray's {gone} died; starting Ray again"))
                self._lost = lambda patience: ""  # the new one may take its time
                ray.shutdown()
                self._start()
                tick()
                notify(PackReport(pack=None))

    def _failure(self, lost: str) -> str:
        """What the user is told if it cannot go on."""
        where = "" if self._address == "local" else f"--address {self._address}: "
        return f"{where}Ray's {lost} died; run the same command again to go on."

    def close(self) -> None:
        """Stop the Ray that this process started, or leave the cluster."""
        ray.shutdown()
