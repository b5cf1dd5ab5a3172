"""The consoles of all commands, and how they write numbers, paths and text from files."""

import os
import re

from rich.console import Console
from rich.markup import escape

from results.store.paths import AnyPath, ObjectPath
from search_spaces.errors import counted


class _LastingConsole(Console):
    """A console whose broken pipe or closed terminal ends no sweep."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


def stderr() -> Console:
    """Console for progress and errors; stdout carries only results."""
    return _LastingConsole(stderr=True)


def stdout() -> Console:
    """Console for the answers of commands."""
    return Console()


def escaped(text: str) -> str:
    """Text in which Rich sees no markup."""
    return text.replace("[", r"\[")


def untrusted(text: str) -> str:
    """Text from a file that anybody may have written, without control characters and markup."""
    return escape(text if text.isprintable() else text.encode("unicode_escape").decode("ascii"))


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


def mask_secrets(uri: str) -> str:
    """``uri`` with stars in place of passwords and tokens."""
    hidden = re.sub(r"(://[^:/@?#]*):.*@", r"\1:***@", uri)
    return re.sub(r"(?i)([?&][^=&]*(?:password|passwd|pwd|token|secret|key)[^=&]*=)[^&]*", r"\1***", hidden)
