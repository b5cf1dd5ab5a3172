"""Locks on open files (flock), which the system releases however the process that holds one ends.

The library filelock locks a file that it opens by itself, for one process alone. The lock of a sweep needs more: it is
held on a file that was checked and that names its holder, others look at it with a shared lock, and a file system
without locks is told from a lock that is taken. The folder of a data set needs no more (``trainables.data.cache``).
"""

import errno
import time
from typing import TextIO

try:
    import fcntl
except ModuleNotFoundError:  # Windows: planning, forecasts without a probe, and analysis need no lock
    fcntl = None  # type: ignore[assignment]

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
    if fcntl is None:
        raise NoLocksError(errno.ENOSYS, "Windows has no flock; use WSL")
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
