"""Retries while storage refuses to read or write."""

import time
from collections.abc import Callable
from typing import TypeVar

from results.store.files import size_of
from results.store.sweep_dir import SweepDir
from search_spaces.sections.grid import Recovery
from sweeper.worker.messages import Notify, PackReport, stop_requested, wait_with_heartbeat

FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 1.0, 60.0  # seconds between attempts to write while storage refuses
_Result = TypeVar("_Result")


class StorageRefusedError(Exception):
    """Storage refused longer than the grid allows, or the run is to stop while storage refuses."""


def retry_storage(
    action: Callable[[], _Result], directory: SweepDir, pack: str, recovery: Recovery, notify: Notify
) -> _Result:
    """Read or write the sweep, and retry while storage refuses because it is full, read-only or away.

    Args:
        action: reads or writes the sweep. It must be safe to repeat.
        directory: the sweep.
        pack: id of the pack, for the reports while waiting.
        recovery: the grid's limits; ``storage_seconds`` is the longest time to wait.
        notify: sends a report to the driver.

    Returns:
        The result of ``action``.

    Raises:
        StorageRefusedError: storage still refuses after ``storage_seconds``, or the run is to stop.
    """
    began, wait = time.monotonic(), FIRST_WAIT_SECONDS
    while True:
        try:
            size_of(directory.plan)  # if storage is away, an empty folder must not be taken for the sweep's
            return action()
        except OSError as error:
            waited = time.monotonic() - began
            if waited + wait > recovery.storage_seconds or stop_requested(directory):
                raise StorageRefusedError(f"storage refused for {waited:.0f} s: {error}") from error
            wait_with_heartbeat(wait, directory, PackReport(pack=pack, waiting=f"storage refuses: {error}"), notify)
            wait = min(2 * wait, MAX_WAIT_SECONDS)
