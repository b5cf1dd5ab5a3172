"""The consoles of all commands, and how they write numbers, paths and text from files."""

import os
import shlex

from rich.console import Console
from rich.text import Text

from results.store.paths import AnyPath, ObjectPath
from search_spaces.errors import counted, one_line

MAX_SHOWN = 1000  # characters of a text that comes from outside


class _LastingConsole(Console):
    """A console whose broken pipe or closed terminal ends no sweep."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


def stderr(*, quiet: bool = False) -> Console:
    """Console for progress and errors; stdout carries only results. With ``quiet`` nothing is shown."""
    return _LastingConsole(stderr=True, highlight=False, emoji=False, quiet=quiet)


def stdout() -> Console:
    """Console for the answers of commands.

    No console looks for numbers to highlight: that takes quadratic time, 36 s for a word of 40,000 digits. None puts a
    picture in the place of ``:dog:``, which may be part of a path.
    """
    return Console(highlight=False, emoji=False)


def labeled(label: str, style: str, text: str) -> Text:
    """A label in a style of Rich, such as ``red bold``, and a text from anywhere, in which Rich looks for no markup."""
    return Text.assemble((label, style), text)


def error_line(text: str) -> Text:
    """The line that says why a command fails."""
    return labeled("error:", "red bold", f" {text}")


def untrusted(text: str) -> str:
    """Text from files that anybody may have written, as one line for ``labeled``: it may hold markup of Rich."""
    return one_line(text, MAX_SHOWN)


def quoted(path: AnyPath | str) -> str:
    """A path or another word as a shell takes it, for commands that are printed."""
    return shlex.quote(str(path))


def short_path(path: AnyPath) -> str:
    """A path relative to the working directory where that is shorter."""
    if isinstance(path, ObjectPath):
        return str(path)
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)


def counted_of(number: int, total: int, noun: str) -> str:
    """``0/1 point`` or ``3/1,024 packs``."""
    return f"{number:,}/{counted(total, noun)}"


def number_range(values: list[float] | list[int]) -> str:
    """``0.3 … 3``, or the one value that all have."""
    low, high = min(values), max(values)
    return f"{low:,.4g}" if low == high else f"{low:,.4g} … {high:,.4g}"


def duration(seconds: float) -> str:
    """``0:42``, ``1:02:03`` or ``3 d 04:05``."""
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours:02}:{minutes:02}"
    return f"{hours}:{minutes:02}:{s:02}" if hours else f"{minutes}:{s:02}"
