"""One output for all commands: the answer of a command, shown to people or printed as JSON."""

import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TextIO, cast

from rich.console import Console

from sweeper.cli.options import STATUS_FAILED
from sweeper.console import error_line, stderr, stdout


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
        print_json(view.to_json(), console)
    else:
        view.print(console)


def print_json(value: object, console: Console) -> None:
    """Print a value as JSON in ASCII, without colors, for programs: whatever the terminal is, and ``FORCE_COLOR``."""
    print(json.dumps(value, indent=2, allow_nan=False), file=console.file)


class LastingStream:
    """Standard output or error that ends no command: what cannot be written is dropped.

    Attributes:
        lost: the error of the first write that failed; None while all can be written.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to ``stream``, and replace the characters that its encoding does not have."""
        self._stream, self.lost = stream, cast("OSError | None", None)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")

    def write(self, text: str) -> int:
        """Write a text, as ``TextIO.write`` does."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Flush, as ``TextIO.flush`` does."""
        try:
            self._stream.flush()
        except OSError as error:
            self._drop(error)

    def __getattr__(self, name: str) -> Any:
        """Return whatever else the stream has."""
        return getattr(self._stream, name)

    def _drop(self, error: OSError) -> None:
        """Drop what is left in the buffer, and all that follows; Python would try it again when it exits."""
        self.lost = self.lost or error
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)


@contextmanager
def lasting_output() -> Iterator[None]:
    """Let neither a full disk nor a closed pipe end a command within a ``with`` block.

    A command whose reader has left ends with the status that it has anyway. One whose answer could not be written says
    so in a line, and does not end with status 0.
    """
    before = sys.stdout, sys.stderr
    out, err = (LastingStream(stream) if stream else None for stream in before)  # None where it was closed
    sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", err)
    try:
        yield
    except SystemExit as ended:
        if out:
            out.flush()
        if out and out.lost and not isinstance(out.lost, BrokenPipeError):
            stderr().print(error_line(f"standard output: {out.lost.strerror}."), soft_wrap=True)
            sys.exit(ended.code or STATUS_FAILED)
        raise
    finally:
        for stream in (out, err):
            if stream:
                stream.flush()
        sys.stdout, sys.stderr = before


def has_reader() -> bool:
    """Return whether somebody can still read what is printed."""
    return getattr(sys.stdout, "lost", None) is None
