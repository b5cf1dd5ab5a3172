"""One output for all commands: the answer of a command, shown to people or printed as JSON."""

import json
from collections.abc import Mapping
from typing import Protocol

from rich.console import Console

from sweeper.console import stdout


class View(Protocol):
    """The answer of a command."""

    def to_json(self) -> Mapping[str, object]:
        """The answer as a dict for ``json.dumps``."""
        ...

    def print(self, console: Console) -> None:
        """Print the answer for people."""
        ...


def show(view: View, *, as_json: bool = False, console: Console | None = None) -> None:
    """Show the answer of a command on stdout.

    Args:
        view: the answer.
        as_json: whether to print JSON for programs instead of tables for people.
        console: in place of stdout.
    """
    console = console or stdout()
    if as_json:
        console.print_json(json.dumps(view.to_json(), allow_nan=False))
    else:
        view.print(console)
