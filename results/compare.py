"""``sweeper compare``: read two sweep directories, compare them, write a figure and the results."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from results.analysis.peaks import find_peaks
from results.claims.comparison import Contest, Side, compare
from results.figures.comparison import draw_comparison
from results.figures.drawing import save
from results.store.files import write_text
from results.store.paths import AnyPath
from results.store.plan_file import read_grid, read_plan
from results.store.schema import COLUMNS
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points, read_rows, row_columns
from search_spaces.changes import trainable_differences
from search_spaces.errors import InputError

_ROW_COLUMNS = ("point", "seed", "eta", "lam", "mu", "step", "epoch", "decay_time", "train_acc", "test_acc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Result of a comparison and where it was written.

    Attributes:
        names: Names of the two sweeps, as the figure and the sentences show them.
        contests: What was compared, with the winner of each.
        folder: Folder that holds the files.
        differences: Keys in which model, data or loss of the two differ, a line each.
    """

    names: tuple[str, str]
    contests: tuple[Contest, ...]
    folder: AnyPath
    differences: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Sequence[object]]:
        """Return names and contests as a dict for ``json.dumps``."""
        contests = [c.to_json() for c in self.contests]
        return {"sweeps": self.names, "contests": contests, "differences": self.differences}


def compare_sweeps(first: AnyPath, second: AnyPath, accuracy: float | None, out: AnyPath | None) -> Comparison:
    """Compare two sweeps, and write the figure and its results.

    The files are ``comparison.svg``, ``.png``, ``.csv`` (the numbers shown) and ``.json`` (the contests).

    Args:
        first: Folder of a sweep.
        second: Folder of the other.
        accuracy: Test accuracy to be reached, 0 to 1; None for the smaller maximum less the tolerance.
        out: Folder to write to; None for ``comparison-FIRST-SECOND`` in the current folder.

    Raises:
        InputError: A folder has no sweep, both are the same sweep, or a sweep has no ended point or no test accuracy.
    """
    if _full_path(first) == _full_path(second):
        raise InputError(f"{second}: the same sweep twice; give two.")
    names = _distinguishing_names(first, second)
    a, b = (read_side(path, name) for path, name in zip((first, second), names, strict=True))
    contests = tuple(compare(a, b, accuracy))
    folder = out if out is not None else Path.cwd() / "-".join(["comparison", *(n.replace("/", "-") for n in names)])
    save(draw_comparison(a, b), folder)
    differences = trainable_differences(*(read_grid(SweepDir(path)) for path in (first, second)))
    comparison = Comparison(names=names, contests=contests, folder=folder, differences=tuple(differences))
    write_text(folder / "comparison.json", json.dumps(comparison.to_json(), indent=2, allow_nan=False) + "\n")
    return comparison


def read_side(path: AnyPath, name: str) -> Side:
    """Read one side of a comparison from the folder of a sweep.

    Args:
        path: Folder of the sweep.
        name: Name of the sweep in sentences and in the figure.

    Raises:
        InputError: The folder has no sweep, or none of its points ended with a test accuracy.
    """
    directory = SweepDir(path)
    read_plan(directory)  # refuses a folder without a sweep
    grid, points = read_grid(directory), read_points(directory)
    extra = [column for column in row_columns(directory) if column not in {c.name for c in COLUMNS}]
    rows = read_rows(directory, [*_ROW_COLUMNS, *extra])
    peaks = find_peaks(rows, points, grid.analysis.tolerance)
    if not peaks["best_test_acc"].notna().any():
        raise InputError(f"{path}: no point of this sweep has ended with a test accuracy; there is nothing to compare.")
    return Side(name=name, rows=rows, peaks=peaks, tolerance=grid.analysis.tolerance)


def _full_path(path: AnyPath) -> str:
    """Return the path from the root, or the address in an object store."""
    return str(path.resolve() if isinstance(path, Path) else path)


def _distinguishing_names(first: AnyPath, second: AnyPath) -> tuple[str, str]:
    """Return the names of two folders, with as many parent folders as tell them apart."""
    parts, other = _full_path(first).split("/"), _full_path(second).split("/")
    depth = next(n for n in range(1, max(len(parts), len(other)) + 1) if parts[-n:] != other[-n:])
    return "/".join(parts[-depth:]), "/".join(other[-depth:])
