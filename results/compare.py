"""Two sweep directories side by side: read, compared, written."""

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
from search_spaces.errors import InputError

_ROW_COLUMNS = ("point", "seed", "eta", "lam", "mu", "step", "epoch", "decay_time", "train_acc", "test_acc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a comparison found and where it was written."""

    names: tuple[str, str]
    contests: tuple[Contest, ...]
    folder: AnyPath

    def to_json(self) -> dict[str, Sequence[object]]:
        """A dict for ``json.dumps``."""
        return {"sweeps": self.names, "contests": [c.to_json() for c in self.contests]}


def compare_sweeps(first: AnyPath, second: AnyPath, accuracy: float | None, out: AnyPath | None) -> Comparison:
    """Compare two sweeps; write ``comparison.svg``, ``.png``, ``.csv`` (the numbers shown) and ``.json`` (verdicts).

    Args:
        first: folder of a sweep.
        second: folder of the other.
        accuracy: test accuracy to be reached; None for the smaller maximum less the tolerance.
        out: folder to write to; None for ``comparison-FIRST-SECOND`` here.

    Raises:
        InputError: a folder without a sweep, one sweep twice, a sweep of which nothing has ended or was measured.
    """
    if _full_path(first) == _full_path(second):
        raise InputError(f"{second}: the same sweep twice; give two.")
    names = _distinguishing_names(first, second)
    a, b = (read_side(path, name) for path, name in zip((first, second), names, strict=True))
    contests = tuple(compare(a, b, accuracy))
    folder = out if out is not None else Path.cwd() / "-".join(["comparison", *(n.replace("/", "-") for n in names)])
    save(draw_comparison(a, b), folder)
    comparison = Comparison(names=names, contests=contests, folder=folder)
    write_text(folder / "comparison.json", json.dumps(comparison.to_json(), indent=2, allow_nan=False) + "\n")
    return comparison


def read_side(path: AnyPath, name: str) -> Side:
    """One side of a comparison from the folder of a sweep.

    Raises:
        InputError: no sweep lies there, or none of its points ended with a test accuracy.
    """
    directory = SweepDir(path)
    read_plan(directory)  # says where there is no sweep
    grid, points = read_grid(directory), read_points(directory)
    further = [column for column in row_columns(directory) if column not in {c.name for c in COLUMNS}]
    rows = read_rows(directory, [*_ROW_COLUMNS, *further])
    peaks = find_peaks(rows, points, grid.analysis.tolerance)
    if not peaks["best_test_acc"].notna().any():
        raise InputError(f"{path}: no point of this sweep has ended with a test accuracy; there is nothing to compare.")
    return Side(name=name, rows=rows, peaks=peaks, tolerance=grid.analysis.tolerance)


def _full_path(path: AnyPath) -> str:
    return str(path.resolve() if isinstance(path, Path) else path)


def _distinguishing_names(first: AnyPath, second: AnyPath) -> tuple[str, str]:
    """Names of the folders, with as many of the folders above as tell them apart."""
    one, two = _full_path(first).split("/"), _full_path(second).split("/")
    depth = next(n for n in range(1, max(len(one), len(two)) + 1) if one[-n:] != two[-n:])
    return "/".join(one[-depth:]), "/".join(two[-depth:])
