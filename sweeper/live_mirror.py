"""Keeps MLflow up to date while a sweep runs, from a thread of its own: training never waits for a tracker."""

import threading
from collections.abc import Callable
from types import TracebackType

from rich.console import Console

from results.store import SweepDir

PERIOD_SECONDS = 5.0


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
            self._thread.join()

    def finish(self, complete: bool) -> None:
        """Send what is left; ``complete`` if every planned point has ended."""
        if self._uri is not None:
            self._attempt(lambda: self._mirror.finish(complete=complete))

    def _follow(self) -> None:
        from sweeper.tracking import Mirror  # noqa: PLC0415 - imports mlflow, which --tracking-uri none must not

        self._mirror = Mirror(self._directory, self._uri or "")
        while not self._stop.wait(PERIOD_SECONDS):
            self._attempt(self._mirror.sync)

    def _attempt(self, send: Callable[[], object]) -> None:
        from sweeper.tracking import TrackingError  # noqa: PLC0415

        try:
            send()
        except TrackingError as error:
            if not self._warned:
                self._console.print(
                    f"[yellow]MLflow:[/] {error} Training goes on, nothing is lost; later run "
                    f"'sweeper track {self._directory.root}'.",
                    soft_wrap=True,
                )
            self._warned = True
