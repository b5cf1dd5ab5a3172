"""Whether Ray itself still lives: without its vital parts the driver would wait for ever."""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import ray
from ray._private import worker as ray_worker

from results.store.sweep_dir import SweepDir
from sweeper.worker.messages import stop_requested

CHECK_SECONDS = 1.0  # between looks at what may have died
UNRESPONSIVE_SECONDS = 30.0  # with a cluster that does not answer; Ray itself ends this process after 60 s
STALL_SECONDS = 15.0  # without a tick of Tune, which has ten a second
_VITAL_PROCESSES = ("gcs_server", "raylet")


class RayLostError(BaseException):
    """A vital part of Ray is gone. Not an Exception: Tune would wrap it."""


class LivenessCheck(Protocol):
    """Says what vital part of Ray is gone, or has not answered for ``patience`` seconds; empty if nothing."""

    def __call__(self, patience: float) -> str:
        """Ask."""
        ...


def local_ray_check() -> LivenessCheck:
    """Of a Ray of our own, whose processes are ours."""
    every = ray_worker.global_worker.node.all_processes
    processes = [(name, info.process) for name in _VITAL_PROCESSES for info in every.get(name, ())]
    return lambda patience: next((name for name, process in processes if process.poll() is not None), "")


def cluster_check() -> LivenessCheck:
    """Of a joined cluster: its head, or the raylet of this machine."""
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    raylet = ray_worker.global_worker.node.raylet_socket_name
    answered = time.monotonic()

    def silent() -> str:
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=CHECK_SECONDS):
            with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(CHECK_SECONDS)
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
def exit_if_ray_dies(
    directory: SweepDir, failure: Callable[[str], str], lost: Callable[[], str]
) -> Iterator[Callable[[], None]]:
    """End this process if Ray dies under a call that then waits for it for ever, and that no exception gets out of.

    Removing the placement group of a dead worker is such a call, when GCS is going too. Nothing is lost: what is done
    stands in the store. While the block runs it calls what it is given, at least every ``STALL_SECONDS``.
    """
    ticked, done = time.monotonic(), threading.Event()

    def tick() -> None:
        nonlocal ticked
        ticked = time.monotonic()

    def guard() -> None:
        while not done.wait(CHECK_SECONDS):
            if time.monotonic() - ticked > STALL_SECONDS and (what := lost()):
                stopped = stop_requested(directory)
                with suppress(OSError):  # of storage that has gone too
                    directory.stop.unlink(missing_ok=True)
                sys.stderr.write(f"error: {failure(what)}\n")
                sys.stderr.flush()
                os._exit(130 if stopped else 2)

    threading.Thread(target=guard, name="guard of Ray", daemon=True).start()
    try:
        yield tick
    finally:
        done.set()
