"""What the commands share: their options, the grid or sweep that is meant, how they are interrupted."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from results.store.place import Place, place
from search_spaces.errors import InputError
from search_spaces.grid import Grid
from sweeper.console import escaped, stderr

if TYPE_CHECKING:
    from sweeper.backends import Backend
    from sweeper.backends.ray_backend import RayBackend
    from sweeper.conclude import Account

# Of folders the options are text, since they may be addresses in an object store.
GridFile = Annotated[Path, typer.Argument(metavar="GRID", help="The grid, a YAML file.", show_default=False)]
SweepFolder = Annotated[
    str, typer.Argument(metavar="SWEEP_DIR", help="Folder of a sweep, or its address (s3://…).", show_default=False)
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a key of the grid, e.g. budget.max=500. Repeatable."),
]
Out = Annotated[str, typer.Option("--out", help="Folder of sweeps, or an address in an object store (s3://…).")]
Tracking = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        envvar="MLFLOW_TRACKING_URI",
        help="MLflow: a URI, or 'none'.  [default: sqlite under --out; none for an object store]",
    ),
]
BackendName = Annotated[Literal["ray", "inprocess"], typer.Option("--backend", help="Where packs run.")]
Address = Annotated[str | None, typer.Option(help="Ray cluster to join, 'auto' or HOST:PORT.  [default: this machine]")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]

# Full, over quota, read-only, broken, or gone: of storage that took the sweep until then.
_REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE}
STATUS_DONE, STATUS_FAILED, STATUS_BAD_INPUT, STATUS_INTERRUPTED = 0, 1, 2, 130


@contextmanager
def stopped_in_order(folder: Place) -> Iterator[None]:
    """Say how to go on where training is interrupted, or the storage of ``folder`` refuses; and exit."""
    try:
        yield
    except KeyboardInterrupt:
        note = "Interrupted. Points that ended are stored; run the same command again to continue."
        stderr().print(note, soft_wrap=True)
        sys.exit(STATUS_INTERRUPTED)
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        note = f"{folder}: storage refuses ({error.strerror}). What was committed is kept; make room or mend it, "
        note += "then run the same command again to continue."
        stderr().print(f"[red bold]error:[/] {escaped(note)}", soft_wrap=True, highlight=False)
        sys.exit(STATUS_FAILED)


def runner(out: Place, backend: str, address: str | None, tracking_uri: str | None) -> Callable[[Grid], Account]:
    """Runs a grid, or what is missing of it, in a folder of sweeps."""
    from sweeper.run import run_sweep

    uri = tracking_of(tracking_uri, out)
    open_backend = opener(backend, address)
    return lambda grid: run_sweep(grid, out, lambda: open_backend(grid), uri, stderr())


def load(path: Path, settings: Sequence[str] | None, name: str | None = None) -> Grid:
    """The grid of a file, with ``--set`` and ``--name`` applied."""
    from search_spaces.load import load_grid

    try:
        text = path.read_bytes().decode("utf-8")
    except IsADirectoryError:
        raise InputError(f"{path}: this is a folder; give a YAML file such as grids/digits.yaml.") from None
    except FileNotFoundError:
        known = sorted(str(p) for p in Path("grids").glob("*.yaml"))
        hint = f" There are: {', '.join(known)}." if known else ""
        raise InputError(f"{path}: no such file.{hint}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file (UTF-8); a grid is YAML.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from None
    named = [f"name={json.dumps(name)}"] if name is not None else []
    try:
        return load_grid(text, str(path), [*(settings or ()), *named])
    except InputError as error:
        raise InputError(str(error).replace("--set name:", "--name:") if named else str(error)) from None


def pair(text: str) -> tuple[str, str]:
    """KEY=VALUE of ``--only``."""
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise InputError(f"--only {text}: write KEY=VALUE, e.g. mu=0.9.")
    return key, value


def opener(backend: str, address: str | None) -> Callable[[Grid], Backend]:
    """Opens the backend when there is something to train."""
    if backend == "inprocess" and address:
        raise InputError(f"--address {address}: only the ray backend joins a cluster; leave --backend out.")

    def open_backend(grid: Grid) -> Backend:
        if backend == "ray":
            return ray_backend(grid, address)
        from sweeper.backends.inprocess import InProcessBackend

        return InProcessBackend()

    return open_backend


def ray_backend(grid: Grid, address: str | None) -> RayBackend:
    """A Ray of this machine, or a cluster, to which the code goes that the grid names."""
    from sweeper.travel import JOB, luggage

    try:
        from sweeper.backends.ray_backend import RayBackend
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed here, which Ray needs; 'sweeper run --backend inprocess' does without."
        ) from None
    if address is None:
        return RayBackend()
    if JOB in os.environ:
        # Ray makes the folder of a job anew where another node shares it: who is in the old one is nowhere.
        os.chdir(os.sep)
        return RayBackend(address)
    with luggage(grid, Path.cwd()) as folder:
        return RayBackend(address, folder if any(folder.iterdir()) else None)


def tracking_of(uri: str | None, out: Place) -> str | None:
    """Where MLflow is; None for no tracking."""
    from sweeper.console import mask_secrets
    from sweeper.tracking.address import default_uri

    if uri not in {None, "none"} and not re.match(r"(https?|sqlite|postgresql|mysql|mssql)(\+\w+)?://", str(uri)):
        raise InputError(
            f"--tracking-uri {mask_secrets(str(uri))}: give 'none', http(s)://… or a database such as sqlite:///…."
        )
    if uri is not None or not isinstance(out, Path):
        return None if uri == "none" else uri
    return default_uri(out)


def sweep_folder(text: str) -> Place:
    """The folder of a sweep, which others may have made: there must be no way out of it."""
    from results.store.files import names_in
    from results.store.sweep_dir import SweepDir, refuse_links

    root = place(text)
    if isinstance(root, Path):
        refuse_links(SweepDir(root))
    else:
        names_in(root, SweepDir(root).plan.name)  # whether there is such a bucket
    return root
