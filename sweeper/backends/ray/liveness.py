"""Checks that Ray itself still lives. Without its vital processes the driver would wait for ever."""

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

CHECK_SECONDS = 1.0  # between two checks
UNRESPONSIVE_SECONDS = 30.0  # that a cluster may not answer; Ray itself ends this process after 60 s
STALL_SECONDS = 15.0  # without a tick of Tune, which has ten a second
_VITAL_PROCESSES = ("gcs_server", "raylet")


class RayLostError(BaseException):
    """Loss of a vital part of Ray. Not an Exception: Tune would wrap it."""


class LivenessCheck(Protocol):
    """Function that returns which vital part of Ray is gone; empty if all live."""

    def __call__(self, patience: float) -> str:
        """Return the part that is gone, or that has not answered for ``patience`` seconds; empty if there is none."""
        ...


def local_ray_check() -> LivenessCheck:
    """Return a check of the local Ray, whose processes are children of this one."""
    all_processes = ray_worker.global_worker.node.all_processes
    vital = [(name, info.process) for name in _VITAL_PROCESSES for info in all_processes.get(name, ())]
    return lambda patience: next((name for name, process in vital if process.poll() is not None), "")


def cluster_check() -> LivenessCheck:
    """Return a check of the joined cluster: of its head and of the raylet of this machine."""
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    raylet = ray_worker.global_worker.node.raylet_socket_name
    answered = time.monotonic()

    def silent_part() -> str:
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=CHECK_SECONDS):
            with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(CHECK_SECONDS)
                connection.connect(raylet)
                return ""
            return "raylet of this machine"
        return "head"

    def check(patience: float) -> str:
        nonlocal answered
        silent = silent_part()
        if not silent:
            answered = time.monotonic()
        return silent if time.monotonic() - answered >= patience else ""

    return check


@contextmanager
def exit_if_ray_dies(
    directory: SweepDir, message: Callable[[str], str], find_lost_part: Callable[[], str]
) -> Iterator[Callable[[], None]]:
    """End this process if Ray dies during a call that then waits for it for ever and raises nothing.

    Removing the placement group of a dead worker is such a call, when GCS is going too. Nothing is lost: the results
    are in the sweep directory. The exit status is 130 if the sweep was to stop, else 2.

    Args:
        directory: the sweep directory.
        message: returns the error message for a lost part of Ray.
        find_lost_part: returns the part of Ray that is gone; empty if there is none.

    Yields:
        A function that the block must call at least every ``STALL_SECONDS``.
    """
    last_tick, done = time.monotonic(), threading.Event()

    def tick() -> None:
        nonlocal last_tick
        last_tick = time.monotonic()

    def guard() -> None:
        while not done.wait(CHECK_SECONDS):
            if time.monotonic() - last_tick > STALL_SECONDS and (lost_part := find_lost_part()):
                stopped = stop_requested(directory)
                with suppress(OSError):  # the storage may be gone as well
                    directory.stop.unlink(missing_ok=True)
                sys.stderr.write(f"error: {message(lost_part)}\n")
                sys.stderr.flush()
                os._exit(130 if stopped else 2)

    threading.Thread(target=guard, name="guard of Ray", daemon=True).start()
    try:
        yield tick
    finally:
        done.set()
