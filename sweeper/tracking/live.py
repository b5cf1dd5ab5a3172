"""Keeps MLflow up to date while a sweep runs, from a thread of its own: training never waits for a tracker."""

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

SYNC_SECONDS = 5.0
EXIT_SECONDS = 3.0  # that a run which is interrupted waits for a tracker that may be away


class LiveMirror:
    """Mirrors a sweep into MLflow while the ``with`` block runs; ``finish`` sends the rest, verdicts and figures.

    A tracker that fails costs one warning: Parquet holds everything, and ``sweeper track`` replays it.

    Args:
        directory: the sweep.
        uri: of MLflow; with None nothing happens, and mlflow is not imported.
        console: for the warning.
    """

    def __init__(self, directory: SweepDir, uri: str | None, console: Console) -> None:
        self._directory, self._uri, self._console = directory, uri, console
        self._stop = threading.Event()
        self._mirror: Mirror | None = None
        self._thread = threading.Thread(target=self._follow, name="mlflow", daemon=True)
        self._warned = False

    def __enter__(self) -> "LiveMirror":
        """Start to follow."""
        if self._uri is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop following."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(None if kind is None else EXIT_SECONDS)

    def finish(self, complete: bool) -> None:
        """Send what is left; ``complete`` if every planned point has ended."""
        if self._uri is None:
            return
        self._stop.set()  # a mirror serves one thread at a time
        self._thread.join()
        self._attempt(lambda: self._open_mirror().finish(complete=complete))

    def _follow(self) -> None:
        while not self._stop.wait(SYNC_SECONDS):
            self._attempt(self._sync)

    def _sync(self) -> None:
        if self._directory.plan.is_file():
            self._open_mirror().sync()

    def _open_mirror(self) -> "Mirror":
        from sweeper.tracking.mirror import Mirror  # noqa: PLC0415 - without a URI mlflow must not be imported

        self._mirror = self._mirror or Mirror(self._directory, self._uri or "")
        return self._mirror

    def _attempt(self, send: Callable[[], object]) -> None:
        from sweeper.tracking.mirror import TrackingError  # noqa: PLC0415

        try:
            send()
        except (TrackingError, InputError, OSError) as error:  # the last of the sweep's own storage
            if not self._warned:
                self._console.print(f"[yellow]warning:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
            self._warned = True
