"""Live tracking: a thread keeps MLflow up to date while a sweep runs, so that training never waits for a tracker."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from sweeper.tracking.mirror import Mirror

SYNC_SECONDS = 5.0  # between two synchronizations
EXIT_SECONDS = 3.0  # that a run waits for the thread in the end; a tracker may be away


class LiveMirror:
    """Context manager that mirrors a sweep into MLflow while its block runs; ``finish`` sends the rest.

    A tracker that fails costs one warning: Parquet holds everything, and ``sweeper track`` replays it.

    Args:
        directory: the sweep directory.
        uri: address of MLflow. With None nothing happens, and mlflow is not imported.
        console: where the warning is printed.
    """

    def __init__(self, directory: SweepDir, uri: str | None, console: Console) -> None:
        self._directory, self._uri, self._console = directory, uri, console
        self._stop = threading.Event()
        self._mirror: Mirror | None = None
        self._thread = threading.Thread(target=self._sync_until_stopped, name="mlflow", daemon=True)
        self._warned = False

    def __enter__(self) -> "LiveMirror":
        """Start the thread."""
        if self._uri is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the thread, and wait for it only a few seconds."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(EXIT_SECONDS)

    def finish(self, complete: bool) -> None:
        """Send the remaining points, verdicts and figures.

        Args:
            complete: whether every planned point has ended.
        """
        if self._uri is None:
            return
        self._stop.set()
        mirror = self._open_mirror()
        # A mirror serves one thread at a time, so the other one comes to its end first.
        self._warn_on_error(lambda: mirror.finish_in_time(self._say, complete=complete, before=self._thread.join))

    def _say(self, line: str) -> None:
        self._console.print(escape(line), soft_wrap=True)

    def _sync_until_stopped(self) -> None:
        while not self._stop.wait(SYNC_SECONDS):
            self._warn_on_error(self._sync)

    def _sync(self) -> None:
        if self._directory.plan.is_file():
            self._open_mirror().sync()

    def _open_mirror(self) -> "Mirror":
        from sweeper.tracking.mirror import Mirror  # noqa: PLC0415 - without a URI mlflow must not be imported

        self._mirror = self._mirror or Mirror(self._directory, self._uri or "")
        return self._mirror

    def _warn_on_error(self, send: Callable[[], object]) -> None:
        """Call ``send``, and print a warning for the first error of all calls."""
        from sweeper.tracking.mirror import TrackingError  # noqa: PLC0415

        try:
            send()
        except (TrackingError, InputError, OSError) as error:  # an OSError comes from the sweep's own storage
            if not self._warned:
                self._console.print(f"[yellow]warning:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
            self._warned = True
