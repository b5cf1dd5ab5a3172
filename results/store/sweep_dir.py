"""The sweep directory: where things lie in it, how a file is read, and how one is written whole or not at all."""

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
    """Paths of one sweep."""

    root: AnyPath

    @property
    def name(self) -> str:
        """Name of the sweep."""
        return self.root.name

    @property
    def poll_seconds(self) -> float:
        """Between two looks at whether ``stop`` is there: 20 ms of a request a second would be 2 % of the training."""
        return 5.0 if isinstance(self.root, ObjectPath) else 1.0

    @property
    def grid(self) -> AnyPath:
        """The grid as resolved."""
        return self.root / "grid.yaml"

    @property
    def plan(self) -> AnyPath:
        """Points and packs of the latest run."""
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
        """States of the packs that are in training."""
        return self.root / "checkpoints"

    @property
    def weights(self) -> AnyPath:
        """Weights of points at their ends, if the grid asks for them."""
        return self.root / "weights"

    @property
    def attempts(self) -> AnyPath:
        """An empty file for every attempt at a pack: its number is taken."""
        return self.root / "attempts"

    @property
    def memory(self) -> AnyPath:
        """An empty file for every number of points that some worker had no memory for."""
        return self.root / "memory"

    @property
    def given_up(self) -> AnyPath:
        """For every pack whose worker died too often in the latest run, a file that says why."""
        return self.root / "given-up"

    @property
    def lock(self) -> AnyPath:
        """Held by the process that runs the sweep, and says which it is."""
        return self.root / "lock"

    @property
    def stop(self) -> AnyPath:
        """There while workers are asked to commit and leave."""
        return self.root / "stop"

    @property
    def points(self) -> AnyPath:
        """One row a point, with its outcome."""
        return self.root / "points.parquet"

    @property
    def analysis(self) -> AnyPath:
        """``peaks.parquet``, ``verdicts.json`` and ``figures/``."""
        return self.root / "analysis"

    @property
    def report(self) -> AnyPath:
        """The report, one self-contained page."""
        return self.root / "report.html"

    @property
    def prediction(self) -> AnyPath:
        """Page of ``sweeper predict``; of a probe only."""
        return self.root / "prediction.html"

    @property
    def forecast(self) -> AnyPath:
        """The same as JSON."""
        return self.analysis / "forecast.json"

    @property
    def logs(self) -> AnyPath:
        """Logs of packs and failed points."""
        return self.root / "logs"

    def inside(self, path: AnyPath) -> str:
        """Name of a file of the sweep as seen from its folder."""
        return str(path).removeprefix(f"{self.root}/")


def files_of(directory: SweepDir) -> dict[AnyPath, int]:
    """Every file of a sweep, with its bytes.

    Raises:
        InputError: there is a link, a pipe or a device. A sweep has none, one made by others might lead out of its
            folder what is written or deleted in it, and reading a pipe waits for ever.
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
    """Raise what ``files_of`` would, in half of its time; an object store has no links."""
    if isinstance(directory.root, Path):
        deque(_walk(directory.root), maxlen=0)


def leftovers(directory: SweepDir) -> list[AnyPath]:
    """Files of writers that were killed before their rename. Errors as of ``files_of``."""
    root = directory.root
    if isinstance(root, ObjectPath):  # it makes none, but a folder may have been copied there
        return [path for path in files_of(directory) if _TEMPORARY.fullmatch(path.name)]
    return sorted(Path(entry.path) for entry in _walk(root) if _TEMPORARY.fullmatch(entry.name))


def _walk(root: Path) -> Iterator[os.DirEntry[str]]:
    """The files below a folder. Errors as of ``files_of``."""
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
    """``read`` of each, side by side where each is a request to an object store."""
    if not isinstance(directory.root, ObjectPath):
        return [read(item) for item in items]
    with ThreadPoolExecutor(REQUESTS) as pool:
        return list(pool.map(read, items))
