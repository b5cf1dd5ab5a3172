"""A real PostgreSQL and a real MLflow server on free ports of this machine, for tests and benchmarks."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sweeper.tracking.server import ENVIRONMENT

SECONDS = (
    120.0  # that a server may take to answer, or to leave: MLflow needs 6 s, on a machine with much else to do a minute
)


def postgres_program(name: str) -> str | None:
    """Path of ``initdb`` or ``postgres``; Debian keeps them out of the way. None if they are not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return shutil.which(name) or next((str(path) for path in reversed(debian)), None)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL of its own, empty and with its default settings; yields its URI. Its log is ``folder/postgres.log``.

    PostgreSQL refuses to run as root, whose temporary folders nobody else may enter: so data lie in a folder that
    belongs to another user then.
    """
    user = _harmless_user() if os.geteuid() == 0 else None
    port = free_port()
    data = Path(tempfile.mkdtemp(prefix="postgres-"))
    if user:
        shutil.chown(data, user)
    initdb = [postgres_program("initdb"), "--pgdata", data, "--username=mlflow", "--auth=trust", "--encoding=UTF8"]
    server = [postgres_program("postgres"), "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", ""]
    options = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
    try:
        with (folder / "postgres.log").open("w") as log:
            common = {"stdout": log, "stderr": subprocess.STDOUT, "cwd": data, **options}
            subprocess.run([*initdb, "--no-locale", "--no-sync"], check=True, **common)
            with _running(server, lambda: _answers(port), signal.SIGINT, **common):  # which waits for no client
                yield f"postgresql+psycopg2://mlflow@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(data)


@contextmanager
def mlflow_server(uri: str, folder: Path) -> Iterator[str]:
    """``mlflow server`` on a database, artifacts and log in ``folder``; yields its URL. One worker, no job runners."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", uri, "--artifacts-destination", (folder / "artifacts").as_uri()]
    environment = {**ENVIRONMENT, **os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    url = f"http://127.0.0.1:{port}"
    with (
        (folder / "mlflow-server.log").open("w") as log,
        _running(
            command,
            lambda: urllib.request.urlopen(f"{url}/health", timeout=2).close(),
            signal.SIGTERM,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
        ),
    ):
        yield url


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list, ask: Callable[[], None], end: signal.Signals, **options) -> Iterator[None]:
    """A process that answers ``ask`` before the block begins, and has left when it is over."""
    with subprocess.Popen(command, **options) as process:
        try:
            _wait_for(ask, process)
            yield
        finally:
            process.send_signal(end)
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(ask: Callable[[], None], process: subprocess.Popen) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return ask()
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{process.args[0]} does not answer; its log says why") from error
            time.sleep(0.1)


def _answers(port: int) -> None:
    """Whether PostgreSQL takes connections: it listens some 0.1 s before it does."""
    import psycopg2

    try:
        psycopg2.connect(host="127.0.0.1", port=port, user="mlflow", dbname="postgres").close()
    except psycopg2.OperationalError as error:
        raise OSError(str(error)) from error


def _harmless_user() -> str:
    """The user that packages of PostgreSQL make, or else the one who may do least."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
