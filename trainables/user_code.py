"""Code of users: what it raises, and the ways in which it may try to end the process that runs it."""

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


class UserCodeError(Exception):
    """Code of a user has raised an error of any kind.

    Attributes:
        error: what it raised, which need not be an ``Exception``.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


@contextmanager
def user_code() -> Iterator[None]:
    """Run code of a user in the block, and turn whatever leaves it into a ``UserCodeError``.

    ``sys.exit(0)`` and ``os._exit(0)`` are errors here too: they would end a run that has trained nothing, with the
    status of success. Only an interrupt passes as it is, because a signal raises it.

    Raises:
        UserCodeError: the block raised anything but an interrupt, or called ``os._exit``.
    """
    try:
        with exits_raise():
            yield
    except (KeyboardInterrupt, UserCodeError):
        raise
    except BaseException as error:
        raise UserCodeError(error) from error
