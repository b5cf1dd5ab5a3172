"""Commands about grid files: ``grids``, ``new``, ``schema``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from search_spaces.errors import InputError
from sweeper.cli.options import Json, complete_grid, read_grid_file
from sweeper.cli.output import print_json, show
from sweeper.console import quoted, stderr, stdout


def _grids(json_: Json = False) -> None:
    """List the grids that ship with sweeper: what each is for, and what it costs.

    Every command that takes a GRID takes the name of one of these too.

    Example: [cyan]sweeper grids[/]
    """
    from sweeper.cli.views.grids import GridsView
    from sweeper.shipped_grids import shipped_grids

    show(GridsView(tuple(shipped_grids())), as_json=json_)


def _new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, *.yaml.", show_default=False)],
    source: Annotated[
        Path,
        typer.Option("--from", metavar="GRID", help="The grid to start from.", autocompletion=complete_grid),
    ] = Path("digits"),
) -> None:
    """Write a commented grid of one's own, and beside it the schema with which editors complete and check it.

    Example: [cyan]sweeper new my.yaml --from digits[/]
    """
    from results.store.files import create, write_text
    from search_spaces.reading.load import load_grid
    from search_spaces.reference.json_schema import grid_schema
    from search_spaces.reference.starting_grid import SCHEMA_FILE, starting_grid

    if file.suffix not in {".yaml", ".yml"}:
        raise InputError(f"{file}: the name of a grid file ends in .yaml.")
    if not file.absolute().parent.is_dir():
        raise InputError(f"{file}: there is no folder {file.parent}; make it first.")
    text = starting_grid(read_grid_file(source), file.stem, f"the grid {source}", quoted(file))
    load_grid(text, str(file))  # the stem may be no name of a sweep, and the source no grid
    try:
        create(file)
    except FileExistsError:
        raise InputError(f"{file}: this file exists; give another name.") from None
    write_text(file, text)
    write_text(file.with_name(SCHEMA_FILE), json.dumps(grid_schema(), indent=2) + "\n")
    stderr().print(f"look at it with 'sweeper plan {quoted(file)}'", soft_wrap=True, highlight=False, markup=False)
    print(file)


def _schema() -> None:
    """Print the JSON Schema of the grid, for editors.

    Example: [cyan]sweeper schema > grid.schema.json[/]
    """
    from search_spaces.reference.json_schema import grid_schema

    print_json(grid_schema(), stdout())


COMMANDS: dict[str, Callable[..., None]] = {"grids": _grids, "new": _new, "schema": _schema}
