"""The folder of this process that no other user can enter."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from search_spaces.errors import InputError
from sweeper.file_locks import try_lock

# Ray's sockets lie below this folder: r/session_2026-11-20_11-00-00_123456_1234567/sockets/plasma_store. The path of
# a socket has at most 107 bytes (103 on macOS).
MAX_FOLDER_BYTES = 36
_PREFIX = "sweeper."
_LOCK = ".lock"  # held as long as the process lives


@cache
def private_folder() -> Path:
    """Make the folder, of mode 700 and with a short path, and remove it when this process ends.

    Raises:
        InputError: no folder for temporary files has a short path and can be written to.
    """
    for parent in _parents():
        if len(os.fsencode(parent / f"{_PREFIX}12345678")) > MAX_FOLDER_BYTES:
            continue
        with suppress(OSError):
            _remove_abandoned(parent)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))  # of mode 700
            lock = (folder / _LOCK).open("w")
            with suppress(OSError):  # of a file system without locks
                try_lock(lock)
            atexit.register(_remove, folder, os.getpid(), lock)
            return folder
    raise InputError(
        f"no folder for temporary files can be used: it needs a path of at most "
        f"{MAX_FOLDER_BYTES - len(_PREFIX) - 9} bytes, since sockets lie below it, and must be writable (tried: "
        f"{', '.join(map(str, _parents()))}). Set RAY_TMPDIR to one, or use --backend inprocess."
    )


def _parents() -> Iterator[Path]:
    """Yield folders for temporary files, that of the user first."""
    for name in ("RAY_TMPDIR", "TMPDIR", "TEMP", "TMP"):
        if os.environ.get(name):
            yield Path(os.environ[name]).absolute()
    yield from (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime)


def _remove_abandoned(parent: Path) -> None:
    """Remove folders of own processes that were killed: nobody holds the lock in them."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with (folder / _LOCK).open("r+") as lock:
                if try_lock(lock):
                    shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path, owner: int, _lock: object) -> None:
    if os.getpid() == owner:  # and not in a process that was forked from it
        shutil.rmtree(folder, ignore_errors=True)
