"""Launch of a run: its backend, the address of MLflow, and the exit after an interrupt."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from results.store.paths import AnyPath
from search_spaces.errors import InputError
from search_spaces.sections.grid import Grid
from sweeper.cli.options import STATUS_FAILED, STATUS_INTERRUPTED
from sweeper.console import error_line, stderr
from sweeper.signals import interrupted_by_signals

if TYPE_CHECKING:
    from rich.text import Text

    from results.conclude import SweepResult
    from sweeper.backends import Backend
    from sweeper.backends.ray.backend import RayBackend
    from sweeper.predict.probe import SweepRunner


# Full, over quota, over the limit of a file, read-only, broken, or gone: of storage that took files until then.
_REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE}
_Options = ParamSpec("_Options")


def ended_in_order(command: Callable[_Options, None], *, resumes: bool) -> Callable[_Options, None]:
    """Let a command end with a line, whenever a signal interrupts it or storage refuses.

    Args:
        command: the function of the command.
        resumes: whether the same command continues where it was interrupted.

    Returns:
        A function with the same parameters.
    """
    remedy = "run the same command again" + (" to continue" if resumes else "")

    @wraps(command)
    def ended(*arguments: _Options.args, **options: _Options.kwargs) -> None:
        try:
            with interrupted_by_signals():
                command(*arguments, **options)
        except KeyboardInterrupt:
            kept = "Points that ended are stored; " if resumes else "No file is half written; "
            _say(f"Interrupted. {kept}{remedy}.")
            sys.exit(STATUS_INTERRUPTED)
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            place = f"{error.filename}: " if error.filename else ""
            kept = "What was committed is kept" if resumes else "No file is half written"
            note = f"{place}storage refuses ({error.strerror}). {kept}; make room or mend it, then {remedy}."
            _say(error_line(note))
            sys.exit(STATUS_FAILED)

    return ended


def _say(line: str | Text) -> None:
    """Print a line, unless nobody can read it any more."""
    with suppress(OSError):
        stderr().print(line, soft_wrap=True)


def make_sweep_runner(
    out: AnyPath,
    backend: str,
    address: str | None,
    tracking_uri: str | None,
    workers: int | None = None,
    *,
    quiet: bool = False,
) -> SweepRunner:
    """Return a function that runs a grid in a folder of sweeps.

    Args:
        out: folder of sweeps.
        backend: ``ray`` or ``inprocess``.
        address: address of a Ray cluster; None for this machine.
        tracking_uri: address of MLflow, or ``none``; None for the default.
        workers: most packs that run at the same time; None for as many as there is room for.
        quiet: whether to show no progress.
    """
    from sweeper.driver.run import run_sweep

    uri = tracking_of(tracking_uri, out)
    open_backend = make_backend_opener(backend, address, workers)

    def run(grid: Grid, *, report: bool = True) -> SweepResult:
        return run_sweep(grid, out, lambda: open_backend(grid), uri, stderr(quiet=quiet), report=report)

    return run


def make_backend_opener(backend: str, address: str | None, workers: int | None) -> Callable[[Grid], Backend]:
    """Return a function that opens the backend.

    Raises:
        InputError: the backend takes no address.
    """
    if backend == "inprocess" and address:
        raise InputError(f"--address {address}: only the ray backend joins a cluster; leave --backend out.")

    def open_backend(grid: Grid) -> Backend:
        if backend == "ray":
            return ray_backend(grid, address, workers)
        from sweeper.backends.inprocess import InProcessBackend

        return InProcessBackend()

    return open_backend


def ray_backend(grid: Grid, address: str | None, workers: int | None = None) -> RayBackend:
    """Start Ray on this machine, or join a cluster and send it the code that the grid names.

    Raises:
        InputError: Ray is not installed, or no cluster answers.
    """
    from sweeper.backends.ray.code_bundle import code_bundle
    from sweeper.backends.ray.environment import no_ray_error
    from sweeper.lock.holder import RAY_JOB_VARIABLE

    try:
        from sweeper.backends.ray.backend import RayBackend
    except ImportError as error:
        raise no_ray_error(error) from None
    if address is None:
        return RayBackend(max_workers=workers)
    if RAY_JOB_VARIABLE in os.environ:
        # Ray makes the folder of a job anew where another node shares it: who is in the old one is nowhere.
        os.chdir(os.sep)
        return RayBackend(address, max_workers=workers)
    with code_bundle(grid, Path.cwd()) as folder:
        return RayBackend(address, folder if any(folder.iterdir()) else None, workers)


def tracking_of(uri: str | None, out: AnyPath) -> str | None:
    """Return the address of MLflow; None for no tracking.

    Raises:
        InputError: it is none that MLflow knows.
    """
    from sweeper.addresses import mask_secrets
    from sweeper.tracking.database import default_uri

    if uri not in {None, "none"} and not re.match(r"(https?|sqlite|postgresql|mysql|mssql)(\+\w+)?://", str(uri)):
        raise InputError(
            f"--tracking-uri {mask_secrets(str(uri))}: give 'none', http(s)://… or a database such as sqlite:///…."
        )
    if uri is not None or not isinstance(out, Path):
        return None if uri == "none" else uri
    return default_uri(out)
