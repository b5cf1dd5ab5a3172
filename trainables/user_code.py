"""Code of users, and the ways in which it may try to end the process that runs it."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


class ProcessExitError(BaseException):
    """Code of a user has called ``os._exit``. Not an Exception: that code is not to go on, whatever it catches."""


@contextmanager
def exits_raise() -> Iterator[None]:
    """Raise ``ProcessExitError`` where this thread calls ``os._exit`` in the block.

    The call would end a worker with all that it has not committed, and nobody would know the cause. In other threads
    and in processes that are forked from this one (of a DataLoader, say) the call ends the process as always.
    """
    leave, place = os._exit, (os.getpid(), threading.get_ident())

    def refuse(status: int) -> NoReturn:
        if (os.getpid(), threading.get_ident()) == place:
            raise ProcessExitError(f"os._exit({status!r}) was called")
        leave(status)

    os._exit = refuse
    try:
        yield
    finally:
        os._exit = leave
