"""Signals that ask this process to leave, and the interrupts that they raise."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object]


class SignalInterrupt(KeyboardInterrupt):
    """A signal has asked this process to leave. Code of users may raise ``KeyboardInterrupt``, but not this."""


class LeaveAtOnce(SignalInterrupt):
    """A second signal has come while workers commit: nothing is waited for any more."""


@contextmanager
def handle_signals(handler: Handler) -> Iterator[None]:
    """Handle SIGINT, SIGTERM and SIGHUP while the block runs; only the main thread can, and only it does.

    SIGHUP stays ignored if it is (``nohup``): such a process is meant to survive its terminal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        numbers.append(hangup)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, signal.SIG_DFL if earlier is None else earlier)  # None: not set by Python


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Raise ``SignalInterrupt`` in the block when a signal asks this process to leave."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise SignalInterrupt(signal.Signals(number).name)

    with handle_signals(interrupt):
        yield


def is_raised_by_signal(error: BaseException) -> bool:
    """Return whether a signal has raised an interrupt, and not the code that was running.

    Python's own handler of SIGINT cannot be told from code that raises ``KeyboardInterrupt``. Where it is in place, the
    signal is taken for the cause.
    """
    if not isinstance(error, KeyboardInterrupt):
        return False
    in_main_thread = threading.current_thread() is threading.main_thread()
    own_handler = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return isinstance(error, SignalInterrupt) or (in_main_thread and own_handler)
