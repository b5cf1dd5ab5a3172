"""Folders and SQLite files in which MLflow keeps sweeps: made whole or not at all, by one process at a time.

MLflow makes its 65 tables in place, in several seconds and some hundred transactions. Two processes that did so at once
spoiled each other's work, and a process that was killed meanwhile left a file that no MLflow opened again.

The module ``mlflow`` is handed in, with ``mlflow.store.db.utils``, so that MLflow is imported in ``mirror.py`` alone.
"""

import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from results.store.files import make_folder
from results.store.paths import AnyPath
from sweeper.file_locks import NoLocksError, try_lock

LOCK_SECONDS = 60.0  # to wait for another process that makes the file, which takes 2 to 10 s
_INITIAL_ROWS = {"alembic_version", "experiments", "workspaces"}  # tables that have a row from the start

_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///([^?]*)(.*)", re.DOTALL)
_PLAIN = "/ !$&'()*+,:;=@[]"  # characters that mean nothing in the path of such an address


def default_uri(out: Path) -> str:
    """Return the default address for sweeps in ``out``: ``out/mlflow.db``, with artifacts in ``out/mlartifacts``."""
    return sqlite_uri(out.resolve() / "mlflow.db")


def artifacts_uri(out: AnyPath) -> str:
    """Return the address of the folder for reports and figures of the sweeps in ``out``."""
    return (out.resolve() / "mlartifacts").as_uri() if isinstance(out, Path) else f"{out}/mlartifacts"


def sqlite_uri(path: Path) -> str:
    """Return the address of an SQLite file, as SQLAlchemy from 2.1 on reads it.

    MLflow makes the folder of an address that begins with ``sqlite:///``, and takes ``%3F`` in it for a name. It does
    not where the driver is named.
    """
    text = quote(os.fsencode(path), safe=_PLAIN)
    return f"sqlite{'+pysqlite' if '%' in text else ''}:///{text}"


def sqlite_file(uri: str) -> Path | None:
    """Return the file of an address, None unless that is an SQLite file."""
    match = _SQLITE.match(uri)
    if match is None or not match[1] or match[1] == ":memory:" or "uri=" in match[2]:
        return None
    return Path(unquote(match[1], errors="surrogateescape"))


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
        elif not _is_complete(library, path):
            _make(library, path, upgrade=True)
        library.MlflowClient(uri).search_experiments(max_results=1)  # which adds the first experiment


@contextmanager
def _locked(lock: Path) -> Iterator[None]:
    """Hold a lock file while the block runs; without it where the file system knows no locks.

    Raises:
        TimeoutError: another process holds it for too long.
    """
    with lock.open("a") as file:
        with suppress(NoLocksError):
            if not try_lock(file, seconds=LOCK_SECONDS):
                raise TimeoutError(errno.ETIMEDOUT, f"another process holds it for {LOCK_SECONDS:g} s", str(lock))
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


def _make(library: Any, path: Path, *, upgrade: bool = False) -> None:
    """Make the file under a hidden name, and rename it.

    Args:
        library: the module ``mlflow``.
        path: the file to make, or to replace.
        upgrade: whether to begin with a copy of the file, and to keep the old one beside it.
    """
    hidden = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if upgrade:
            _copy(path, hidden)
        with _engine(library, hidden) as engine:
            _tools(library)._initialize_tables(engine)
        if upgrade:
            _keep(path)
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)  # SQLite would apply it to the new file
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)


def _keep(path: Path) -> None:
    """Give a file that is to be replaced a second name; others may have it open."""
    kept = path.with_name(f"{path.name}.before-upgrade")
    kept.unlink(missing_ok=True)
    try:
        kept.hardlink_to(path)
    except OSError:  # of a file system without hard links
        _copy(path, kept)


def _copy(source: Path, target: Path) -> None:
    """Copy a database, also while others write into it."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


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
