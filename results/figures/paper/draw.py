"""``sweeper figure``: read sweep directories, draw a figure of the paper, write its files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from results.figures.drawing import save
from results.figures.paper.catalog import FIGURES, draw_figure, find_figure
from results.figures.paper.sources import NO_SWEEPS, read_tables
from results.figures.style import PRINT_DPI
from results.store.paths import AnyPath
from results.store.plan_file import read_grid
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError


class DrawnFigure(NamedTuple):
    """A figure that was written.

    Attributes:
        caption: Caption of the figure.
        paths: Paths of its SVG, PNG and CSV.
    """

    caption: str
    paths: list[AnyPath]


def paper_figure(
    name: str, roots: Sequence[AnyPath], out: AnyPath | None, only: Mapping[str, str], eta: float | None
) -> DrawnFigure:
    """Draw a figure of the paper and write it as SVG, PNG and the CSV of what it shows.

    Args:
        name: Name of the figure, such as ``2``.
        roots: Folders of sweeps; none for a figure of theory alone.
        out: Folder to write to. The default is ``analysis/figures/paper`` of the first sweep, or the current folder for
            a figure of theory alone.
        only: Value of the points to keep, by axis.
        eta: η of the panels that show only one; None lets them choose.

    Raises:
        InputError: The figure is unknown, a folder has no sweep, or a sweep lacks what the figure needs.
    """
    is_theory = FIGURES[find_figure(name)].sweeps == 0
    directories = [SweepDir(root) for root in roots]
    if not directories and not is_theory:
        raise InputError(f"figure {name}: give the folder of a sweep, or several.")
    for directory in directories:
        if not directory.grid.is_file():
            raise InputError(
                f"{directory.root}: no sweep here; give the folder that 'sweeper run' made, as runs/digits."
            )
    tables = read_tables([(d, read_grid(d)) for d in directories], only, eta) if directories else NO_SWEEPS
    drawing = draw_figure(name, tables)
    default = Path.cwd() if is_theory else directories[0].analysis / "figures" / "paper"
    folder = default if out is None else out
    save(drawing, folder, PRINT_DPI)
    paths = [folder / f"{drawing.name}.{ending}" for ending in ("svg", "png", "csv")]
    return DrawnFigure(drawing.caption, paths)
