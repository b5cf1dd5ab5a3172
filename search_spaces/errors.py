"""Errors in what the user wrote, and the words for them."""

import re
import shlex
import traceback
from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import ValidationError

# Names in other libraries, and the axis or key that means the same.
_SYNONYMS = {
    "alpha": "eta", "lr": "eta", "learning_rate": "eta",
    "l2": "lam", "lambda": "lam", "wd": "lam", "weight_decay": "lam",
    "momentum": "mu", "beta": "mu",
    "epochs": "budget",
    "seeds": "seed",
}  # fmt: skip
MAX_LINE = 500  # characters of a reason that others wrote, or that an error gives
MAX_TRACEBACK = 20_000  # characters of a log: 200 calls
_MAX_READ = 100_000  # characters of a text of others that are looked at
# Sequences that a terminal would obey: of colors and cursors (CSI), and of titles and links (OSC).
_SEQUENCES = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?")
_MAX_WORD_LENGTH = 100  # a longer word is no typing error, and comparing it takes quadratic time


class InputError(Exception):
    """Input that cannot be used; the message names the place, the value, what is allowed and what to do.

    The command line prints it without a traceback and exits with status 2.
    """


def command(*words: object) -> str:
    """Return a command for a message, in quotation marks, with its words as a shell takes them.

    >>> command("sweeper", "status", "runs/digits")
    "'sweeper status runs/digits'"
    >>> print(command("sweeper", "status", "runs/a b"))
    `sweeper status 'runs/a b'`
    """
    text = shlex.join(map(str, words))
    return f"`{text}`" if "'" in text else f"'{text}'"


def one_line(text: str, limit: int = MAX_LINE) -> str:
    r"""Return a text of others on one line, bounded, without anything that steers a terminal or that no file takes.

    It is for what errors, servers and files say. What the user wrote is shown as it is (``yaml_text.printable``).

    >>> one_line("CUDA error:\n  out of \x1b[31mmemory\0")
    'CUDA error: out of memory\\x00'
    >>> one_line("x" * 10**6, limit=5)
    'xxxx…'
    """
    text = without_sequences(text)
    cut = visible(" ".join(text[: 4 * limit].split()))
    return cut if len(cut) <= limit and len(text) <= 4 * limit else cut[: limit - 1] + "…"


def without_sequences(text: str) -> str:
    """Return the beginning of a text without the sequences of colors, cursors and titles that a terminal obeys."""
    return _SEQUENCES.sub("", text[:_MAX_READ])


def visible(text: str, kept: str = "") -> str:
    r"""Return a text with an escape in place of each character that cannot be printed, such as ``\x1b``.

    Args:
        text: the text.
        kept: characters that stay, though they cannot be printed.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else c.encode("unicode_escape").decode("ascii") for c in text)


def describe_error(error: BaseException) -> str:
    r"""Return the name and the text of any error as one printable line, also if its text is hostile.

    >>> describe_error(ValueError("no such\nkey"))
    'ValueError: no such key'
    """
    try:
        return one_line(f"{type(error).__name__}: {error}").rstrip(": ")
    except BaseException:  # of ``__str__``, which is code of the user as well
        return one_line(type(error).__name__) + " (whose text cannot be read)"


def describe_traceback(error: BaseException) -> str:
    """Return the traceback of any error for a log: bounded, and without anything that steers a terminal."""
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException:  # it reads texts, notes and causes, which are code of the user as well
        text = describe_error(error)
    if len(text) > MAX_TRACEBACK:
        half = MAX_TRACEBACK // 2
        text = f"{text[:half]}\n… {len(text) - 2 * half:,} characters are left out …\n{text[-half:]}"
    return visible(text, kept="\n\t")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "pack"), counted(1024, "pack"), counted(0, "process")
    ('1 pack', '1,024 packs', '0 processes')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"


def reason(error: Exception, source: str) -> str:
    """Return what an error says of the file ``source``, on one line, without the file's name and the remedy.

    >>> reason(InputError("a/plan.json: damaged (no packs). Run the same 'sweeper run' again."), "a/plan.json")
    'damaged (no packs)'
    """
    text = str(error).removeprefix(source).lstrip(":, ").partition("; run 'sweeper")[0].partition(" Run ")[0]
    return (text.splitlines() or [type(error).__name__])[0].rstrip(".")


def first_problem(error: ValueError) -> str:
    """Return the first thing that is wrong with data from a file, on one line, with its place in the data."""
    if not isinstance(error, ValidationError):
        return (str(error).splitlines() or [type(error).__name__])[0]
    problem = error.errors(include_url=False)[0]
    where = ".".join(map(str, problem["loc"]))
    return f"{where}: {problem['msg']}" if where else problem["msg"]


def synonym_of(word: str) -> str:
    """Return the axis or key that means the same as a word of other libraries; empty if there is none."""
    return _SYNONYMS.get(word.lower(), "")


def suggest(word: str, known: Iterable[str], listed: Iterable[str] | None = None) -> str:
    """Return a hint that names the nearest known word and lists the known words.

    Args:
        word: unknown word of the user.
        known: words that would be right.
        listed: words to list in place of ``known``.

    >>> suggest("widht", ["width", "depth"])
    "did you mean 'width'? (known: depth, width)"
    >>> suggest("learning_rate", ["eta", "lam"])
    "did you mean 'eta'? (known: eta, lam)"
    >>> suggest("x", ["eta", "lam"])
    'known: eta, lam'
    >>> suggest("modle.width", ["model.width", "model.depth"], ["model.…"])
    "did you mean 'model.width'? (known: model.…)"
    """
    words = sorted(known)
    listing = ", ".join(words if listed is None else listed)
    synonym = synonym_of(word)
    near = [synonym] if synonym in words else []
    if not near and len(word) <= _MAX_WORD_LENGTH:
        near = get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'? (known: {listing})" if near else f"known: {listing}"
