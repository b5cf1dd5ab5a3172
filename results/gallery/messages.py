"""Lines printed while a gallery is made."""

from rich.console import Console
from rich.markup import escape

_COLORS = {"recognized": "green", "left out": "yellow", "drawn": "green", "kept": "yellow", "not drawn": "yellow"}
_WIDTH = 12  # columns of the status with the blanks after it


def print_status(console: Console, status: str, text: str) -> None:
    """Print one line about a sweep or a figure.

    Args:
        console: The console for progress.
        status: ``recognized``, ``left out``, ``drawn``, ``kept`` or ``not drawn``.
        text: What the status applies to; markup in it is escaped.
    """
    blanks = " " * (_WIDTH - len(status))
    console.print(f"[{_COLORS[status]}]{status}[/]{blanks}{escape(text)}", soft_wrap=True, highlight=False)
