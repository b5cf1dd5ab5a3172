"""Code bundle: the Python files that a grid needs on a cluster besides sweeper itself."""

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

MAX_SOURCE_BYTES = 50_000_000  # of all files; Ray keeps them in the memory of the cluster's head
_SKIPPED_FOLDERS = {"node_modules", "site-packages", "__pycache__"}
# Packages that are installed on every machine. They also have files that are not Python, which would be left behind.
_OWN_PACKAGES = ("sweeper", "trainables", "results", "search_spaces")


@contextmanager
def code_bundle(grid: Grid, folder: Path) -> Iterator[Path]:
    """Make a folder to send: with all Python files below ``folder`` if the grid names the user's own code, else empty.

    Hidden files, links, virtual environments, installed packages and sweeper itself are left out.

    Raises:
        InputError: the files are larger than code is.
    """
    with TemporaryDirectory(prefix="sweeper-") as name:
        bundle = Path(name)
        if isinstance(grid.trainable, OwnTrainable | OwnLoop):
            _copy_sources(folder, bundle)
        yield bundle


def _copy_sources(folder: Path, bundle: Path) -> None:
    total = 0
    for path in _source_files(folder):
        total += path.stat().st_size
        if total > MAX_SOURCE_BYTES:
            raise InputError(
                f"{folder}: the grid names code of your own, which is sent to the cluster with all Python files of the "
                f"working directory; here they are more than {MAX_SOURCE_BYTES:,} bytes. "
                "Work in the folder of your code."
            )
        target = bundle / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _source_files(folder: Path) -> Iterator[Path]:
    """Yield the Python files below ``folder`` that are the user's own, by name."""
    with os.scandir(folder) as entries:  # scandir knows the type of each entry: there may be sweeps of many files
        visible = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in visible:
        path = Path(entry.path)
        if entry.is_symlink():
            continue
        if entry.is_dir():
            if not (path.name in _SKIPPED_FOLDERS or (path / "pyvenv.cfg").exists() or _is_own_package(path)):
                yield from _source_files(path)
        elif path.suffix == ".py":
            yield path


def _is_own_package(folder: Path) -> bool:
    """Return whether a folder is one of the packages that run here, as in a clone of sweeper's repository."""
    if folder.name not in _OWN_PACKAGES:
        return False
    spec = find_spec(folder.name)
    locations = spec.submodule_search_locations if spec else None
    return bool(locations) and folder.resolve() in {Path(location).resolve() for location in locations or ()}
