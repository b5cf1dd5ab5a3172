"""Connections to Ray: start a local Ray or join a cluster, and refuse an address that is no head of a cluster."""

import os
import signal
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ray
from ray._private import utils as ray_utils
from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]
from ray.job_config import JobConfig

from search_spaces.errors import InputError, one_line
from sweeper.addresses import mask_secrets
from sweeper.backends.ray.environment import set_local_token
from sweeper.private import private_folder

HTTP_ANSWER_SECONDS = 2.0  # for a web server to answer; a head of Ray sends its own bytes first
CONNECT_SECONDS = 10.0  # for the head of a cluster to accept a connection
_INIT_ATTEMPTS = "RAY_gcs_server_port_wait_time_s"  # attempts of ray.init, one a second


def connect(address: str, options: Mapping[str, Any]) -> None:
    """Start a local Ray, or join the cluster at ``address``.

    Args:
        address: ``local``, ``auto`` or HOST:PORT.
        options: further keywords of ``ray.init``.

    Raises:
        InputError: no Ray cluster answers at ``address``, or it does not let this process in.
    """
    with _own_signals():
        if address == "local":
            _start_local(options)
        else:
            _join(address, options)


def shut_down() -> None:
    """Stop the local Ray, or leave the cluster."""
    try:
        ray.shutdown()
    finally:
        _set_handlers_again()


def _set_handlers_again() -> None:
    """Set Python's handlers of signals again.

    Ray's core puts its own below them, where Python does not see it, whenever it stops or starts for the second time.
    SIGTERM would then end this process at once, with a stack trace.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if (handler := signal.getsignal(number)) is not None:  # None: not set by Python
                signal.signal(number, handler)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handlers of signals while Ray starts.

    Ray's own handler of SIGTERM would exit before workers can commit. The processes of Ray inherit that SIGHUP is
    ignored, since a terminal that closes sends it to them too.
    """
    set_sigterm_handler = ray_utils.set_sigterm_handler
    ray_utils.set_sigterm_handler = lambda _handler: None
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN) if in_main_thread else None
    try:
        yield
    finally:
        ray_utils.set_sigterm_handler = set_sigterm_handler
        if handler is not None:
            signal.signal(signal.SIGHUP, handler)
        _set_handlers_again()


def _start_local(options: Mapping[str, Any]) -> None:
    """Start a Ray whose sessions lie in a folder that no other user can enter.

    Ray's own folder, /tmp/ray, is open to all users, and the logs in it have the environment of workers. Ray opens any
    folder that it is given, with mode 777, so it gets one inside of ours.

    Raises:
        InputError: Ray does not start.
    """
    set_local_token()
    AuthenticationTokenLoader.instance().reset_cache()
    try:
        ray.init(address="local", _temp_dir=str(private_folder() / "r"), job_config=_local_job(), **options)
    except InputError:
        raise
    except Exception as error:  # of many kinds, when a process of Ray dies or a port or a folder cannot be used
        with suppress(Exception):
            shut_down()
        raise InputError(
            f"Ray does not start on this machine ({one_line(_cause_of(error))}). Run the same command again; if that "
            "does not help, --backend inprocess does without Ray."
        ) from None


def _local_job() -> JobConfig:
    """Return a configuration with which workers import the same packages as this process.

    Ray puts the working directory first, where a file as results.py would hide a package. Code of the user is found
    there nevertheless, after all that is installed (``trainables.task.import_function``).
    """
    job, root = JobConfig(), Path(__file__).parents[3]
    installed = root.name in {"site-packages", "dist-packages"}  # where workers look anyway
    job._py_driver_sys_path = _FixedList([] if installed else [str(root)])
    return job


class _FixedList(list[str]):
    """A list to which Ray adds nothing."""

    def extend(self, _: Iterable[str]) -> None:
        """Add nothing."""


def _cause_of(error: Exception) -> str:
    """Return the line of an error that says why: the last one of a traceback, else the first."""
    lines = [line.strip() for line in str(error)[-100_000:].splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    return (lines[-1] if any(line.startswith("Traceback") for line in lines) else lines[0]).rstrip(".:")


def _join(address: str, options: Mapping[str, Any]) -> None:
    """Join the cluster at ``address``.

    Raises:
        InputError: no Ray cluster answers there, or it does not let this process in.
    """
    if address != "auto":
        _refuse_wrong_address(address)
    try:
        with _single_attempt():
            ray.init(address=address, **options)
    except (ConnectionError, ray.exceptions.RayError) as error:  # a RayError where the token is missing, for example
        raise _refused_by_cluster(address, one_line(_cause_of(error))) from None


@contextmanager
def _single_attempt() -> Iterator[None]:
    """Ask a head only once to let this process in.

    With a wrong token Ray asks 20 times by default, and prints each answer.
    """
    before = os.environ.get(_INIT_ATTEMPTS)
    os.environ.setdefault(_INIT_ATTEMPTS, "1")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_INIT_ATTEMPTS, None)


def _refuse_wrong_address(address: str) -> None:
    """Raise an ``InputError`` unless something that may be a head of Ray listens at ``address``.

    Ray itself would try an address where nothing listens for minutes, and a signal would not end it.
    """
    host, _, port = address.rpartition(":")
    address = mask_secrets(address)
    if not host or not port.isdecimal() or "/" in host:
        raise InputError(
            f"--address {address}: give HOST:PORT of the cluster's head (6379 is Ray's default port), or "
            "'auto' on a machine of the cluster. The address of its dashboard, as http://127.0.0.1:8265, is for "
            "'sweeper submit'."
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS) as connection:
            web = _speaks_http(connection)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"--address {address}: no Ray cluster answers there ({error}). docs/cluster.md says "
            "how to start one; leave --address out to use this machine."
        ) from None
    if web:
        raise InputError(
            f"--address {address}: a web server answers there, a dashboard perhaps. Give HOST:PORT "
            "of the cluster's head (6379 is Ray's default port); a dashboard's address, with http://, is for "
            "'sweeper submit'."
        )


def _speaks_http(connection: socket.socket) -> bool:
    """Return whether an HTTP/1 server answers; Ray itself would wait 40 s for it to answer as a head does."""
    connection.settimeout(HTTP_ANSWER_SECONDS)
    with suppress(OSError):
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return connection.recv(5) == b"HTTP/"
    return False


def _refused_by_cluster(address: str, reason: str) -> InputError:
    """Return the error for an address where something listens, or listened when Ray noted it (``auto``)."""
    return InputError(
        f"--address {mask_secrets(address)}: no Ray cluster lets this process in ({reason}). Its token may be another "
        "one (RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token; RAY_AUTH_MODE=disabled for a cluster "
        "without), or what listens there is no head of Ray 2.60; of several clusters name one by HOST:PORT."
    )
