"""Arrays stored beside the data that they were made from, shared by all workers of a machine."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

CACHE_FOLDER = ".sweeper-cache"


def cached_array(root: Path, key: str, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """Return the array of a key from ``root/.sweeper-cache``; make and store it if it is missing.

    One process makes it while others wait; if that process dies, the next makes it. Where nothing can be stored, as in
    a folder that is read-only, every process makes its own.

    Args:
        root: folder of the data.
        key: names the contents: two arrays that differ need two keys.
        make: called if the array is not stored or not intact; returns an array of any shape.

    Returns:
        The array, of the shape that ``make`` gives it. A stored one is mapped from the file, so that workers share its
        memory until one writes to it.
    """
    path = root / CACHE_FOLDER / f"{key}.npy"
    stored = _read(path)
    if stored is not None:
        return stored
    with _folder_lock_if_possible(path.parent):
        stored = _read(path)  # another process may have made it meanwhile
        if stored is not None:
            return stored
        made = make()
        try:
            _write(path, made)
        except OSError:
            return made
    stored = _read(path)
    return made if stored is None else stored


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; it is released when its process ends.

    Raises:
        OSError: the folder may not be written, or its file system has no locks.
    """
    if not folder.is_dir():  # which a FileLock would make
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    with FileLock(folder / ".lock"):
        yield


@contextmanager
def _folder_lock_if_possible(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder where there are locks.

    Without a lock several processes may do the same work; each stores whole files, so that nothing breaks.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
            stack.enter_context(folder_lock(folder))
        yield


def _read(path: Path) -> NDArray[Any] | None:
    try:
        # Mode c shares pages as mode r does. Torch has no read-only memory and would warn of mode r.
        return np.load(path, mmap_mode="c", allow_pickle=False)  # type: ignore[no-any-return]
    except (OSError, ValueError, EOFError):  # missing, unreadable or cut short
        return None


def _write(path: Path, array: NDArray[Any]) -> None:
    """Write an array under a temporary name first, so that a file with its final name is whole, on the disk too."""
    temporary = path.with_name(f"{path.stem}.{uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            np.save(file, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
