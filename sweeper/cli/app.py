"""The command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from search_spaces.errors import InputError
from sweeper.cli import grids, monitor, report, train
from sweeper.cli.launch import ended_in_order
from sweeper.cli.options import STATUS_BAD_INPUT
from sweeper.cli.output import lasting_output
from sweeper.console import error_line, stderr

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Sweeps of learning rate, L2 coefficient and budget: run a grid, measure the law t* = c/(ηλ), judge it.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"sweeper {version('sweeper')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the program itself."""


_COMMANDS: dict[str, Callable[..., None]] = {**grids.COMMANDS, **train.COMMANDS, **monitor.COMMANDS, **report.COMMANDS}
_RESUMED = {"run", "settle", "predict"}  # they go on where they were interrupted; others start anew
_ORDER = [
    "grids",
    "new",
    "plan",
    "run",
    "settle",
    "submit",
    "predict",
    "list",
    "status",
    "watch",
    "verify",
    "analyze",
    "figure",
    "gallery",
    "compare",
    "export",
    "track",
    "ui",
    "schema",
]
for _name in dict.fromkeys((*_ORDER, *_COMMANDS)):  # as ``--help`` lists them
    app.command(_name)(ended_in_order(_COMMANDS[_name], resumes=_name in _RESUMED))


def main() -> None:
    """Entry point: errors of the user become one paragraph and status 2."""
    with lasting_output():
        try:
            app()
        except InputError as error:
            stderr().print(error_line(str(error)), soft_wrap=True)
            sys.exit(STATUS_BAD_INPUT)
        except OSError as error:
            if error.filename is None:
                raise
            stderr().print(error_line(f"{error.filename}: {error.strerror}."), soft_wrap=True)
            sys.exit(STATUS_BAD_INPUT)
