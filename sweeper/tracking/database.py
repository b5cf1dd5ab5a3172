"""SQLite files of MLflow: made whole or not at all, by one process at a time.

MLflow makes its 65 tables in place, in several seconds and some hundred transactions. Two processes that did so at once
spoiled each other's work, and a process that was killed meanwhile left a file that no MLflow opened again.

The module ``mlflow`` is handed in, with ``mlflow.store.db.utils``, so that MLflow is imported in ``mirror.py`` alone.
"""

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from results.store.files import make_folder
from sweeper.tracking.address import sqlite_file, sqlite_uri

LOCK_SECONDS = 60.0  # to wait for another process that makes the file, which takes 2 to 10 s
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_INITIAL_ROWS = {"alembic_version", "experiments", "workspaces"}  # tables that have a row from the start


def prepare_database(library: Any, uri: str) -> None:
    """Make the SQLite file of an address, or bring its tables up to date, if it needs that.

    A file that an interrupted process left without all of its tables, and without a row of anybody's, is made anew. A
    file of an earlier MLflow is brought up to date as a copy, which takes its place; the old one stays beside it.

    Args:
        library: the module ``mlflow``, with ``mlflow.store.db.utils`` imported.
        uri: address of MLflow; nothing happens unless it names an SQLite file.

    Raises:
        OSError: the file cannot be made, or another process makes it for too long.
    """
    path = sqlite_file(uri)
    if path is None:
        return
    make_folder(path.parent)  # MLflow would try ten times, for 100 s, to open a file in a folder that does not exist
    with _locked(path.with_name(f"{path.name}.lock")):
        for unfinished in path.parent.iterdir():
            if unfinished.name.startswith(f".{path.name}."):  # its maker was killed, since nobody else has the lock
                unfinished.unlink(missing_ok=True)
        if not path.exists() or (_holds_nothing(path) and not _is_complete(library, path)):
            _make(library, path)
        elif not _has_all_tables(library, path):
            _bring_up_to_date(library, path)
        library.MlflowClient(uri).search_experiments(max_results=1)  # which adds the first experiment


@contextmanager
def _locked(lock: Path) -> Iterator[None]:
    """Hold a lock file while the block runs; without it where the file system knows no locks.

    Raises:
        TimeoutError: another process holds it for too long.
    """
    until = time.monotonic() + LOCK_SECONDS
    with lock.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError(
                        errno.ETIMEDOUT, f"another process holds it for {LOCK_SECONDS:g} s", str(lock)
                    ) from None
                time.sleep(0.05)
                continue
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
            break
        yield


def _holds_nothing(path: Path) -> bool:
    """Return whether no table has a row of anybody's. A file that is no database may hold something."""
    if not path.stat().st_size:
        return True
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: database.execute(f'SELECT count(*) FROM (SELECT 1 FROM "{name}" LIMIT 2)') for name in tables}
        counts = {name: int(cursor.fetchone()[0]) for name, cursor in rows.items()}
        return all(count <= (name.removeprefix("_alembic_tmp_") in _INITIAL_ROWS) for name, count in counts.items())
    return False


def _make(library: Any, path: Path, source: Path | None = None) -> None:
    """Make the file under a hidden name, from nothing or from a copy of ``source``, and rename it.

    Args:
        library: the module ``mlflow``.
        path: the file to make, or to replace.
        source: a file whose rows are kept.
    """
    hidden = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if source is not None:
            with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(hidden)) as new:
                old.backup(new)
        with _engine(library, hidden) as engine:
            _tools(library)._initialize_tables(engine)
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)  # SQLite would apply it to the new file
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)


def _bring_up_to_date(library: Any, path: Path) -> None:
    """Replace a file of an earlier MLflow by a copy with all tables; keep the old one, which others may have open."""
    kept = path.with_name(f"{path.name}.before-upgrade")
    kept.unlink(missing_ok=True)
    with suppress(OSError):  # of a file system without hard links
        kept.hardlink_to(path)
    _make(library, path, path)


def _has_all_tables(library: Any, path: Path) -> bool:
    """Return whether a file has all tables of this MLflow, which otherwise adds them when it opens the file."""
    with _engine(library, path) as engine:
        return bool(_tools(library)._all_tables_exist(engine))


def _is_complete(library: Any, path: Path) -> bool:
    """Return whether a file has the tables of this MLflow in their present form."""
    tools = _tools(library)
    with _engine(library, path) as engine:
        present = tools._all_tables_exist(engine)
        return bool(present and tools._get_schema_version(engine) == tools._get_latest_schema_revision())


@contextmanager
def _engine(library: Any, path: Path) -> Iterator[Any]:
    """Open a file as MLflow does, and close it again."""
    engine = _tools(library).create_sqlalchemy_engine(sqlite_uri(path))
    try:
        yield engine
    finally:
        engine.dispose()


def _tools(library: Any) -> Any:
    """Return MLflow's functions for its database, which ``mirror.py`` imports."""
    return library.store.db.utils
