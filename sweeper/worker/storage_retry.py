"""Retries while storage refuses."""

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
    """Storage has refused longer than the grid's patience, or the run is to stop while it refuses."""


def retry_storage(
    action: Callable[[], _Result], directory: SweepDir, pack: str, recovery: Recovery, notify: Notify
) -> _Result:
    """Do what reads or writes the sweep, and do it again while storage refuses: full, read-only or away for a while.

    Raises:
        StorageRefusedError: it still does when patience is over, or the run is to stop.
    """
    began, wait = time.monotonic(), FIRST_WAIT_SECONDS
    while True:
        try:
            size_of(directory.plan)  # where storage is away, an empty folder must not be taken for the sweep's
            return action()
        except OSError as error:
            waited = time.monotonic() - began
            if waited + wait > recovery.storage_seconds or stop_requested(directory):
                raise StorageRefusedError(f"storage refused for {waited:.0f} s: {error}") from error
            wait_with_heartbeat(wait, directory, PackReport(pack=pack, waiting=f"storage refuses: {error}"), notify)
            wait = min(2 * wait, MAX_WAIT_SECONDS)
