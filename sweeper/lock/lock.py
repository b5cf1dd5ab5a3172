"""Lock of a sweep directory: one run at a time."""

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from pydantic import TypeAdapter
from rich.console import Console

from results.store.sweep_dir import SweepDir, refuse_links
from search_spaces.errors import InputError
from sweeper.file_locks import NoLocksError, try_lock
from sweeper.lock.holder import Holder, current_holder, in_use_error
from sweeper.lock.lease import hold_lease, lease_holder

_HOLDER = TypeAdapter(Holder)
_WAIT_SECONDS = 1.0  # 'sweeper status' holds the lock for an instant


@contextmanager
def locked(directory: SweepDir, console: Console | None = None) -> Iterator[SweepDir]:
    """Hold the sweep while the block runs, and yield it for the changes that only its holder may make.

    In a folder the lock belongs to the open file (flock), so that the system releases it however this process ends.
    In an object store it is a lease. Others may take it over while this process sleeps. So each change through the
    directory that is yielded asks first whether the lease still holds, and raises ``LeaseLostError`` if not.

    Args:
        directory: the sweep.
        console: shows what the process waits for; None for silence.

    Raises:
        InputError: another process holds the sweep. The message says which, and since when.
    """
    refuse_links(directory)  # before anything is written: a link may lead out of the folder
    if isinstance(directory.root, Path):
        with _flocked(directory, directory.root):
            yield directory
    else:
        with hold_lease(directory, directory.root, console) as held:
            yield held


@contextmanager
def _flocked(directory: SweepDir, root: Path) -> Iterator[None]:
    """Hold the lock file of a folder, with this process named in it, while the block runs."""
    lock = root / directory.lock.name
    with _open_locked(root, lock) as file:
        file.truncate(0)
        file.write(json.dumps(asdict(current_holder())))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
            if list(root.iterdir()) == [lock]:  # the run wrote nothing: leave no trace
                lock.unlink()
                root.rmdir()


def _open_locked(root: Path, lock: Path) -> TextIO:
    """Return the lock file, open and locked."""
    while True:
        root.mkdir(parents=True, exist_ok=True)
        file = _open_own(lock)
        try:
            if not try_lock(file, seconds=_WAIT_SECONDS):
                raise in_use_error(root, _read_holder(file))
        except NoLocksError as error:
            file.close()
            raise InputError(
                f"{root}: this file system has no locks ({error.strerror}); mount it with flock (Lustre: -o flock, "
                "NFS: without nolock), or use another --out."
            ) from None
        except BaseException:
            file.close()
            raise
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                return file
        file.close()  # the previous holder removed it after it was opened: a lock on it would keep nobody out


def _open_own(lock: Path) -> TextIO:
    """Open a lock file, and make it if it is absent.

    Raises:
        InputError: it is a link, or has a second name elsewhere; its content would be lost under that name too.
    """
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise InputError(f"{lock}: a link, which may lead out of the folder. Remove it.") from None
    status = os.fstat(handle)
    if status.st_nlink > 1 or not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise InputError(
            f"{lock}: this file has {status.st_nlink} names (hard links), and is no lock of this sweep alone. Remove "
            "this name of it; the run makes a file of its own."
        )
    return os.fdopen(handle, "a+", encoding="utf-8", errors="replace")


def holder(directory: SweepDir) -> str | None:
    """Return the process that runs the sweep, in words; None if there is none."""
    if not isinstance(directory.lock, Path):
        return lease_holder(directory)
    try:
        file = directory.lock.open(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    with file:
        # An unsigned lock is not tried: trying it would keep a run from starting for an instant.
        if not file.read(1):
            return None
        if not try_lock(file, shared=True):
            return str(_read_holder(file) or "another process")
    return None  # the process that signed was killed


def _read_holder(file: TextIO) -> Holder | None:
    """Return the holder that a lock file names; None while it has not written who it is yet."""
    file.seek(0)
    try:
        return _HOLDER.validate_json(file.read(1000))
    except ValueError:
        return None
