"""Commands that write what came out: ``analyze``, ``compare``, ``export``, ``figure``, ``gallery``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from search_spaces.errors import InputError
from sweeper.cli.options import Json, SweepFolder, lasting_path, parse_key_value, sweep_folder
from sweeper.cli.output import show
from sweeper.console import stderr
from sweeper.shipped_grids import FOLDER


def _analyze(sweep_dir: SweepFolder, json_: Json = False) -> None:
    """Analyze what a sweep holds: tables, verdicts, figures, report; prints the verdicts.

    Example: [cyan]sweeper analyze runs/digits --json[/]
    """
    from results.conclude import conclude
    from results.store.state import read_state
    from results.store.sweep_dir import SweepDir
    from sweeper.cli.views.result import ResultView

    directory = SweepDir(sweep_folder(sweep_dir))
    show(ResultView(conclude(read_state(directory)), directory), as_json=json_)


def _compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Folder of a sweep.", show_default=False)],
    second: Annotated[str, typer.Argument(metavar="B", help="Folder of the other.", show_default=False)],
    accuracy: Annotated[
        float | None,
        typer.Option(help="Test accuracy to be reached, 0 to 1.  [default: the smaller maximum less the tolerance]"),
    ] = None,
    out: Annotated[str | None, typer.Option(help="Folder to write to.  [default: comparison-A-B]")] = None,
    json_: Json = False,
) -> None:
    """Compare two sweeps: best accuracy, time to an accuracy, one figure of both; prints who is better.

    Example: [cyan]sweeper compare runs/constant runs/autol2[/]
    """
    from results.compare import compare_sweeps
    from sweeper.cli.views.comparison import ComparisonView

    if accuracy is not None and not 0 < accuracy <= 1:
        raise InputError(f"--accuracy {accuracy}: a test accuracy is a number > 0 and <= 1.")
    roots = sweep_folder(first), sweep_folder(second)
    comparison = compare_sweeps(*roots, accuracy, None if out is None else lasting_path(out))
    show(ComparisonView(comparison), as_json=json_)


def _export(
    sweep_dir: SweepFolder,
    csv: Annotated[bool, typer.Option("--csv/--parquet", help="Format of the files.")] = True,
    out: Annotated[Path | None, typer.Option(help="Folder to write to.  [default: export-NAME]")] = None,
) -> None:
    """Write the tables of a sweep for other programs, a file a table: rows, points, peaks, …; prints the paths.

    Example: [cyan]sweeper export runs/digits --csv[/]
    """
    from results.export import export_sweep
    from results.store.sweep_dir import SweepDir

    directory = SweepDir(sweep_folder(sweep_dir))
    for path in export_sweep(directory, out or Path(f"export-{directory.name}"), "csv" if csv else "parquet"):
        print(path)


def _figure(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Figure of the paper, e.g. 2 or S7.", show_default=False)
    ] = None,
    sweep_dirs: Annotated[
        list[str] | None, typer.Argument(metavar="SWEEP_DIR...", help="Folders of sweeps.", show_default=False)
    ] = None,
    out: Annotated[
        str | None, typer.Option(help="Folder to write to.  [default: SWEEP_DIR/analysis/figures/paper]")
    ] = None,
    eta: Annotated[float | None, typer.Option(help="η of the panels that show only one.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Keep the points of one value of an axis. Repeatable.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show the figures and what each needs.")] = False,
) -> None:
    """Draw a figure of the paper from sweeps, as SVG, PNG and the CSV of what it shows; prints the paths.

    Budgets T are those of analysis.budgets. A grid without them shows the longest T, a tenth and a hundredth of it.

    Example: [cyan]sweeper figure 2 runs/digits[/]   (5ab is theory alone and takes no sweep)
    """
    from results.figures.paper.draw import paper_figure
    from sweeper.cli.views.figures import FiguresView

    if list_:
        return show(FiguresView())
    if name is None:
        raise InputError("sweeper figure: give a NAME and a SWEEP_DIR; 'sweeper figure --list' shows the names.")
    pairs = dict(parse_key_value(text) for text in only or ())
    roots = [sweep_folder(path) for path in sweep_dirs or ()]
    caption, paths = paper_figure(name, roots, None if out is None else lasting_path(out), pairs, eta)
    stderr().print(Text(caption), soft_wrap=True)
    for path in paths:
        print(path)
    return None


def _gallery(
    sweeps: Annotated[
        list[str] | None,
        typer.Argument(metavar="SWEEP_DIR...", help="Folders of sweeps, or folders of such.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of gallery.md, gallery.html and gallery/.")] = Path("docs"),
    grids: Annotated[
        Path, typer.Option(help="Folder of the project's grids.", show_default="those that ship")
    ] = FOLDER,
) -> None:
    """Draw the figures that sweeps of the project's grids are about; the others stay as they were. Prints the pages.

    A sweep is known by its name and its points: those of grids/paper/*.yaml or of grids/small/*.yaml.

    Example: [cyan]sweeper gallery runs --out docs[/]
    """
    from results.gallery.make import make_gallery

    roots = [lasting_path(path) for path in sweeps or ()]
    for page in make_gallery(roots, out.absolute(), grids, stderr()):
        print(page)


COMMANDS: dict[str, Callable[..., None]] = {
    "analyze": _analyze,
    "compare": _compare,
    "export": _export,
    "figure": _figure,
    "gallery": _gallery,
}
