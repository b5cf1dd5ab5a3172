"""The layout of a sweep directory."""

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from results.store.files import entries_in
from results.store.paths import AnyPath, ObjectPath
from search_spaces.errors import InputError

_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")  # of ``_whole``
REQUESTS = 16  # to an object store at a time; one takes some 20 ms
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class SweepDir:
    """Paths of one sweep.

    Attributes:
        root: the directory.
    """

    root: AnyPath

    @property
    def name(self) -> str:
        """Name of the sweep."""
        return self.root.name

    @property
    def poll_seconds(self) -> float:
        """Seconds between two checks of ``stop``. In an object store a check a second, 20 ms each, would cost 2 %."""
        return 5.0 if isinstance(self.root, ObjectPath) else 1.0

    @property
    def grid(self) -> AnyPath:
        """The grid as resolved."""
        return self.root / "grid.yaml"

    @property
    def plan(self) -> AnyPath:
        """The plan: points, and the packs of the latest run."""
        return self.root / "plan.json"

    @property
    def rows(self) -> AnyPath:
        """Folder of the part files.

        While no run is under way ``pandas.read_parquet`` of it is the whole table; else there may be parts that do not
        count any more, which ``results.store.tables.read_rows`` leaves out.
        """
        return self.root / "rows"

    @property
    def checkpoints(self) -> AnyPath:
        """Folder of checkpoints, the states of packs in training."""
        return self.root / "checkpoints"

    @property
    def weights(self) -> AnyPath:
        """Folder of the final weights of points, if the grid keeps them."""
        return self.root / "weights"

    @property
    def attempts(self) -> AnyPath:
        """Folder with an empty file for every attempt at a pack, whose number is thereby taken."""
        return self.root / "attempts"

    @property
    def memory(self) -> AnyPath:
        """Folder with an empty file for every number of points that some worker had no memory for."""
        return self.root / "memory"

    @property
    def given_up(self) -> AnyPath:
        """Folder with the cause for each pack whose worker died too often in the latest run."""
        return self.root / "given-up"

    @property
    def lock(self) -> AnyPath:
        """The lock, held by the process that runs the sweep. It says which process that is."""
        return self.root / "lock"

    @property
    def stop(self) -> AnyPath:
        """A file that exists while workers are asked to commit and leave."""
        return self.root / "stop"

    @property
    def points(self) -> AnyPath:
        """The table of points, one row each, with their outcomes."""
        return self.root / "points.parquet"

    @property
    def analysis(self) -> AnyPath:
        """Folder of ``peaks.parquet``, ``verdicts.json`` and ``figures/``."""
        return self.root / "analysis"

    @property
    def verdicts(self) -> AnyPath:
        """The verdicts on the claims as JSON."""
        return self.analysis / "verdicts.json"

    @property
    def report(self) -> AnyPath:
        """The report, one self-contained page."""
        return self.root / "report.html"

    @property
    def prediction(self) -> AnyPath:
        """The page of ``sweeper predict``, in the sweep of a probe."""
        return self.root / "prediction.html"

    @property
    def forecast(self) -> AnyPath:
        """The forecast of ``sweeper predict`` as JSON."""
        return self.analysis / "forecast.json"

    @property
    def logs(self) -> AnyPath:
        """Logs of packs and failed points."""
        return self.root / "logs"

    def confirm(self) -> None:
        """Raise if this process held the sweep, and another run has taken it over since."""
        if isinstance(self.root, ObjectPath):
            self.root.confirm()

    def inside(self, path: AnyPath) -> str:
        """Return the path of a file relative to the sweep directory."""
        return str(path).removeprefix(f"{self.root}/")


def files_of(directory: SweepDir) -> dict[AnyPath, int]:
    """Map every file of a sweep to its size in bytes.

    Raises:
        InputError: there is a link, a pipe or a device. A sweep has none. A link that others made might lead writes and
            deletions out of the directory, and reading a pipe waits for ever.
    """
    root = directory.root
    if isinstance(root, ObjectPath):
        return {root / name: size for name, size in root.sizes().items()}
    found: dict[AnyPath, int] = {}
    for entry in _walk(root):
        with suppress(FileNotFoundError):  # removed since it was listed
            found[Path(entry.path)] = entry.stat(follow_symlinks=False).st_size
    return found


def refuse_links(directory: SweepDir) -> None:
    """Refuse links, pipes and devices, in half of the time of ``files_of``. An object store has none.

    Raises:
        InputError: there is one.
    """
    if isinstance(directory.root, Path):
        deque(_walk(directory.root), maxlen=0)


def leftovers(directory: SweepDir) -> list[AnyPath]:
    """List the files of writers that were killed before their rename. Errors as of ``files_of``."""
    root = directory.root
    if isinstance(root, ObjectPath):  # it makes none, but a folder may have been copied there
        return [path for path in files_of(directory) if is_temporary(path.name)]
    return sorted(Path(entry.path) for entry in _walk(root) if is_temporary(entry.name))


def is_temporary(name: str) -> bool:
    """Return whether a file has the name of one that a writer had not renamed yet."""
    return bool(_TEMPORARY.fullmatch(name))


def _walk(root: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the files below a folder. Errors as of ``files_of``."""
    folders = [str(root)]
    while folders:
        for entry in entries_in(folders.pop()):
            if entry.is_file(follow_symlinks=False):
                yield entry
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                raise InputError(
                    f"{entry.path}: neither a file nor a folder, but a link, a pipe or a device. Nothing in the folder "
                    "of a sweep may be one: put what it stands for in its place, or remove it. (The folder itself may "
                    "be a link.)"
                )


def map_reads(directory: SweepDir, read: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """Apply ``read`` to each item, in parallel where each is a request to an object store.

    Args:
        directory: the sweep.
        read: reads one item.
        items: the items.

    Returns:
        The results, in the order of the items.
    """
    if not isinstance(directory.root, ObjectPath):
        return [read(item) for item in items]
    with ThreadPoolExecutor(REQUESTS) as pool:
        return list(pool.map(read, items))
