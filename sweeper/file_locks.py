"""Locks on open files (flock), which the system releases however the process that holds one ends."""

import errno
import fcntl
import time
from typing import TextIO

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_PAUSE_SECONDS = 0.05


class NoLocksError(OSError):
    """The file system of the file knows no locks."""


def try_lock(file: TextIO, *, shared: bool = False, seconds: float = 0.0) -> bool:
    """Lock an open file, until it is closed.

    Args:
        file: the file.
        shared: whether others may hold a shared lock too.
        seconds: time to wait for another process that holds it.

    Returns:
        Whether this process holds the lock; False if another one has it.

    Raises:
        NoLocksError: the file system knows no locks.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_PAUSE_SECONDS)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                raise NoLocksError(error.errno, error.strerror) from None
            raise
        else:
            return True
