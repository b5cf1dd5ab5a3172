"""Orderly stop of a run on SIGINT and SIGTERM."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, Queue
from types import FrameType

from rich.console import Console

from results.store.files import create
from results.store.sweep_dir import SweepDir
from sweeper.worker.messages import stop_requested

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
ANSWER_SECONDS, JOIN_SECONDS = 1.0, 10.0  # for a store that does not answer


@contextmanager
def stop_on_signals(directory: SweepDir, console: Console) -> Iterator[None]:
    """Handle signals while the block runs: the first asks workers to commit and leave, a second stops at once.

    Args:
        directory: the sweep.
        console: for a line that says so.

    Raises:
        KeyboardInterrupt: the workers have left, or there was a second signal.
    """
    if threading.current_thread() is not threading.main_thread():  # only it may handle signals
        yield
        return
    asking: list[threading.Thread] = []
    answers: Queue[OSError | None] = Queue()

    def ask(number: int) -> None:
        try:
            with suppress(FileExistsError):
                create(directory.stop)
            answers.put(None)
        except OSError as error:
            answers.put(error)
            return
        line = f"[yellow]{signal.Signals(number).name}:[/] workers commit what they have and leave; again stops at once"
        console.print(line, soft_wrap=True)

    def handle(number: int, _frame: FrameType | None) -> None:
        if asking:
            raise KeyboardInterrupt
        # A signal may interrupt any write or request, so that a thread creates the file.
        asking.append(threading.Thread(target=ask, args=(number,), daemon=True))
        asking[0].start()
        with suppress(Empty):
            if answers.get(timeout=ANSWER_SECONDS) is not None:  # the workers cannot be told
                raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
        if asking or stop_requested(directory):
            raise KeyboardInterrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for thread in asking:
            thread.join(JOIN_SECONDS)  # or it would make the file behind our back
        directory.stop.unlink(missing_ok=True)
