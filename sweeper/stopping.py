"""Leaving in good order: what SIGINT and SIGTERM do to a run."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console

from results.store import SweepDir
from sweeper.events import stop_requested

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signals(directory: SweepDir, console: Console) -> Iterator[None]:
    """While the block runs, a first signal asks the workers to commit and leave, and a second stops at once.

    Raises:
        KeyboardInterrupt: the workers have left, or there was a second signal.
    """
    if threading.current_thread() is not threading.main_thread():  # only it may handle signals
        yield
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop_requested(directory):
            raise KeyboardInterrupt
        try:
            directory.stop.touch()
        except OSError:  # the workers cannot be told
            raise KeyboardInterrupt from None
        line = f"[yellow]{signal.Signals(number).name}:[/] workers commit what they have and leave; again stops at once"
        # Not from here, which may be in the midst of anything: of a write to a pipe that broke, say.
        threading.Thread(target=lambda: console.print(line, soft_wrap=True), daemon=True).start()

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
        if stop_requested(directory):
            raise KeyboardInterrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        directory.stop.unlink(missing_ok=True)
