"""Figures of the paper from sweep directories: read, drawn, written."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from results.figures.drawing import save
from results.figures.paper.catalog import FIGURES, draw_figure, find_figure
from results.figures.paper.sources import NO_SWEEPS, read_tables
from results.figures.style import PRINT_DPI
from results.store.paths import AnyPath
from results.store.plan_file import read_grid
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError


def paper_figure(
    name: str, roots: Sequence[AnyPath], out: AnyPath | None, only: Mapping[str, str], eta: float | None
) -> tuple[str, list[AnyPath]]:
    """Draw a figure of the paper and write it as SVG, PNG and the CSV of what it shows.

    Args:
        name: of the figure, as ``2``.
        roots: folders of sweeps; none for a figure of theory alone.
        out: folder to write to; by default ``analysis/figures/paper`` of the first sweep, or the present folder.
        only: axis to the value of the points to keep.
        eta: η of the panels that show only one; None lets them choose.

    Returns:
        The caption, and the paths written.

    Raises:
        InputError: an unknown figure, a folder without a sweep, or a sweep that has not what the figure needs.
    """
    theory = FIGURES[find_figure(name)].sweeps == 0
    directories = [SweepDir(root) for root in roots]
    if not directories and not theory:
        raise InputError(f"figure {name}: give the folder of a sweep, or several.")
    for directory in directories:
        if not directory.grid.is_file():
            raise InputError(
                f"{directory.root}: no sweep here; give the folder that 'sweeper run' made, as runs/digits."
            )
    tables = read_tables([(d, read_grid(d)) for d in directories], only, eta) if directories else NO_SWEEPS
    drawing = draw_figure(name, tables)
    beside = Path.cwd() if theory else directories[0].analysis / "figures" / "paper"
    folder = beside if out is None else out
    save(drawing, folder, PRINT_DPI)
    return drawing.caption, [folder / f"{drawing.name}.{ending}" for ending in ("svg", "png", "csv")]
