"""Options that commands share, and the grids and sweeps that they name."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import typer

from results.store.paths import AnyPath, any_path
from search_spaces.errors import InputError
from search_spaces.sections.grid import Grid
from sweeper.shipped_grids import shipped_file, shipped_names


def complete_grid(incomplete: str) -> list[str]:
    """Return the grids that ship, the grid files and the folders whose names go on from what was typed."""
    start = Path(incomplete)
    folder, name = (start, "") if incomplete.endswith("/") else (start.parent, start.name)
    found = [path for path in sorted(folder.glob(f"{glob.escape(name)}*")) if path.is_dir() or path.suffix == ".yaml"]
    files = [f"{path}/" if path.is_dir() else str(path) for path in found]
    return [*(n for n in shipped_names() if n.startswith(incomplete)), *files]


# Of folders the options are text, since they may be addresses in an object store.
GridFile = Annotated[
    Path,
    typer.Argument(
        metavar="GRID",
        help="The grid: a YAML file, or the name of one that ships ('sweeper grids' lists them).",
        show_default=False,
        autocompletion=complete_grid,
    ),
]
SweepFolder = Annotated[
    str, typer.Argument(metavar="SWEEP_DIR", help="Folder of a sweep, or its address (s3://…).", show_default=False)
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a key of the grid, e.g. axes.seed=[0,1]. Repeatable."),
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
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the answer and errors alone: no progress, no warnings.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]

_SHIPPED = "the name of a grid that ships, such as digits ('sweeper grids' lists them)"
STATUS_DONE, STATUS_FAILED, STATUS_BAD_INPUT, STATUS_INTERRUPTED = 0, 1, 2, 130


def lasting_path(text: str) -> AnyPath:
    """Parse the path of a folder, or an address in an object store.

    Raises:
        InputError: there is no such store, or what it holds is gone when this process ends.
    """
    if text.startswith("memory:"):
        raise InputError(f"{text}: this lies in the memory of this process and is gone when it ends; give a folder.")
    return any_path(text)


@contextmanager
def grid_of(path: Path, settings: Sequence[str] | None, name: str | None = None) -> Iterator[Grid]:
    """Load the grid of a file, with ``--set`` and ``--name`` applied. Errors about its keys name the file and the line.

    Args:
        path: the YAML file, or the name of a grid that ships. It is read once, so that it may be a pipe.
        settings: texts KEY=VALUE of ``--set``.
        name: name of the sweep; the grid's own if None.

    Raises:
        InputError: the file cannot be read, or is no grid; or an error about one of its keys within the ``with`` block.
    """
    from search_spaces.reading.load import load_grid, locate

    path = find_grid(path)
    text = read_grid_file(path)
    overrides = [*(settings or ()), *([f"name={json.dumps(name)}"] if name is not None else [])]
    try:
        yield load_grid(text, str(path), overrides)
    except InputError as error:
        problem = str(locate(error, text, str(path), overrides))
        named = problem.replace("--set name:", "--name:") if name is not None else problem
        raise InputError(named) from error.__cause__


def find_grid(path: Path) -> Path:
    """Return a file as it is, and for the name of a grid that ships, where no such file exists, the file of that."""
    return path if path.exists() and not path.is_dir() else shipped_file(path.as_posix()) or path


def read_grid_file(path: Path) -> str:
    """Read a grid file, or the grid that ships under that name.

    Raises:
        InputError: there is no such file, or it is no text.
    """
    path = find_grid(path)
    try:
        return path.read_bytes().decode("utf-8")
    except IsADirectoryError:
        raise InputError(f"{path}: this is a folder; give a YAML file, or {_SHIPPED}.") from None
    except FileNotFoundError:
        near = get_close_matches(path.as_posix(), shipped_names(), n=1)
        hint = f"; did you mean '{near[0]}'?" if near else "."
        raise InputError(f"{path}: no such file{hint} Give a YAML file, or {_SHIPPED}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file (UTF-8); a grid is YAML.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from None


def parse_key_value(text: str) -> tuple[str, str]:
    """Split KEY=VALUE of ``--only``.

    Raises:
        InputError: the text has another form.
    """
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise InputError(f"--only {text}: write KEY=VALUE, e.g. mu=0.9.")
    return key, value


_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(option: str, text: str) -> float:
    """Return the seconds of a time such as 90s, 10m or 2h.

    Raises:
        InputError: the text has another form.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{option} {text}: write a time as 90s, 10m, 2h or 1d.")
    return float(match[1]) * _SECONDS[match[2]]


def sweep_folder(text: str) -> AnyPath:
    """Parse the path of a sweep. Others may have made it, so links that lead out of it are refused."""
    from results.store.files import names_in
    from results.store.sweep_dir import SweepDir, refuse_links

    root = lasting_path(text)
    if isinstance(root, Path):
        refuse_links(SweepDir(root))
    else:
        names_in(root, SweepDir(root).plan.name)  # whether there is such a bucket
    return root


def sweeps_below(text: str) -> list[AnyPath]:
    """Return the sweep at a path, or the sweeps that a folder holds, by name.

    Raises:
        InputError: there is no such folder, or it holds no sweep.
    """
    from results.store.sweep_dir import SweepDir

    root = sweep_folder(text)
    if not isinstance(root, Path) or SweepDir(root).plan.is_file() or SweepDir(root).grid.is_file():
        return [root]
    inner = [path for path in sorted(root.glob("*")) if SweepDir(path).plan.is_file()]
    if inner:
        return [sweep_folder(str(path)) for path in inner]
    why = "" if not root.is_dir() or any(root.iterdir()) else ": this folder is empty"
    raise InputError(
        f"{root}: no sweep here (no plan.json){why}. Give the folder that 'sweeper run' made, or one that holds such."
    )
