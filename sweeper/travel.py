"""What of the user's travels to a cluster: the grid, and the code that it names."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from search_spaces.errors import InputError
from search_spaces.grid import Grid
from search_spaces.trainable import OwnLoop, OwnTrainable

MOST_BYTES = 50_000_000  # of Python source; Ray keeps what travels in the memory of the cluster's head
_NOT_CODE = {"node_modules", "site-packages", "__pycache__"}


def names_code(grid: Grid) -> bool:
    """Whether a grid names a function or a loop of one's own."""
    return isinstance(grid.trainable, OwnTrainable | OwnLoop)


@contextmanager
def luggage(grid: Grid, folder: Path) -> Iterator[Path]:
    """A folder to send: if the grid names code of one's own, all Python files below ``folder``.

    Hidden folders, virtual environments and what is installed stay where they are.

    Raises:
        InputError: that is more than code.
    """
    with TemporaryDirectory(prefix="sweeper-") as text:
        packed = Path(text)
        if names_code(grid):
            _copy(folder, packed)
        yield packed


def _copy(folder: Path, packed: Path) -> None:
    total = 0
    for path in _sources(folder):
        total += path.stat().st_size
        if total > MOST_BYTES:
            raise InputError(
                f"{folder}: the grid names code of your own, which is sent to the cluster with all Python files of the "
                f"working directory; here they are more than {MOST_BYTES:,} bytes. Work in the folder of your code."
            )
        target = packed / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if not (path.name.startswith(".") or path.name in _NOT_CODE or (path / "pyvenv.cfg").exists()):
                yield from _sources(path)
        elif path.suffix == ".py":
            yield path
