"""What of the user's travels to a cluster: the grid, and the code that it names."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from search_spaces.errors import InputError
from search_spaces.sections.grid import Grid
from search_spaces.sections.trainable import OwnLoop, OwnTrainable

MAX_SOURCE_BYTES = 50_000_000  # of Python source; Ray keeps what travels in the memory of the cluster's head
_SKIPPED_FOLDERS = {"node_modules", "site-packages", "__pycache__"}
_OWN_PACKAGES = ("sweeper", "trainables", "results", "search_spaces")  # on every machine, with files that are no code


def names_own_code(grid: Grid) -> bool:
    """Whether a grid names a function or a loop of one's own."""
    return isinstance(grid.trainable, OwnTrainable | OwnLoop)


@contextmanager
def code_bundle(grid: Grid, folder: Path) -> Iterator[Path]:
    """A folder to send: if the grid names code of one's own, all Python files below ``folder``.

    What is hidden or a link, virtual environments, what is installed, and sweeper itself stay where they are.

    Raises:
        InputError: that is more than code.
    """
    with TemporaryDirectory(prefix="sweeper-") as text:
        packed = Path(text)
        if names_own_code(grid):
            _copy_sources(folder, packed)
        yield packed


def _copy_sources(folder: Path, packed: Path) -> None:
    total = 0
    for path in _source_files(folder):
        total += path.stat().st_size
        if total > MAX_SOURCE_BYTES:
            raise InputError(
                f"{folder}: the grid names code of your own, which is sent to the cluster with all Python files of the "
                f"working directory; here they are more than {MAX_SOURCE_BYTES:,} bytes. "
                "Work in the folder of your code."
            )
        target = packed / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _source_files(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:  # which knows what each is: there may be sweeps of many files
        seen = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in seen:
        path = Path(entry.path)
        if entry.is_symlink():
            continue
        if entry.is_dir():
            if not (path.name in _SKIPPED_FOLDERS or (path / "pyvenv.cfg").exists() or _is_own_package(path)):
                yield from _source_files(path)
        elif path.suffix == ".py":
            yield path


def _is_own_package(folder: Path) -> bool:
    """Whether a folder is one of the packages that run here, as in a clone of sweeper's repository."""
    if folder.name not in _OWN_PACKAGES:
        return False
    spec = find_spec(folder.name)
    found = spec.submodule_search_locations if spec else None
    return bool(found) and folder.resolve() in {Path(place).resolve() for place in found or ()}
