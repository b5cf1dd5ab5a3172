"""Orderly stop of a run on SIGINT, SIGTERM and SIGHUP."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, Queue
from types import FrameType

from rich.console import Console

from results.store.files import create
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from sweeper.signals import LeaveAtOnce, SignalInterrupt, handle_signals
from sweeper.worker.messages import stop_requested

ANSWER_SECONDS, JOIN_SECONDS = 1.0, 10.0  # for a store that does not answer


@contextmanager
def stop_on_signals(directory: SweepDir, console: Console, waiting: Callable[[], str]) -> Iterator[None]:
    """Handle signals while the block runs: the first asks workers to commit and leave, a second stops at once.

    Args:
        directory: the sweep.
        console: for a line that says so.
        waiting: what is waited for after the first signal, in words.

    Raises:
        SignalInterrupt: the workers have left.
        LeaveAtOnce: there was a second signal, or the workers could not be asked.
    """
    asking: list[threading.Thread] = []
    answers: Queue[Exception | None] = Queue()

    def ask(number: int) -> None:
        try:
            with suppress(FileExistsError):
                create(directory.stop)
            answers.put(None)
        except (OSError, InputError) as error:
            answers.put(error)
            return
        line = f"[yellow]{signal.Signals(number).name}:[/] {waiting()}; press again to leave at once"
        with suppress(OSError):  # the terminal may be gone
            console.print(line, soft_wrap=True, highlight=False)

    def handle(number: int, _frame: FrameType | None) -> None:
        if asking:
            raise LeaveAtOnce
        # A signal may interrupt any write or request, so that a thread creates the file.
        asking.append(threading.Thread(target=ask, args=(number,), daemon=True))
        asking[0].start()
        with suppress(Empty):
            if answers.get(timeout=ANSWER_SECONDS) is not None:  # the workers cannot be told
                raise LeaveAtOnce

    with handle_signals(handle):
        try:
            yield
            if asking or stop_requested(directory):
                raise SignalInterrupt
        finally:
            for thread in asking:
                thread.join(JOIN_SECONDS)  # or it would make the file behind our back
            directory.stop.unlink(missing_ok=True)
