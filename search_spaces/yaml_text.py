"""A reader of the safe, small part of YAML that a grid needs: plain values with their line numbers.

Unquoted scalars follow the YAML 1.2 core schema, decimal numbers only: ``1e-3`` is a number (PyYAML's 1.1 rules read it
as text), ``010`` is ten, and ``no``, ``1_000``, ``0x10`` and ``1:30`` are text. Tags and aliases are refused: the first
can construct objects, the second can grow without bound.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

import yaml

from search_spaces.errors import InputError, visible

MAX_CHARACTERS = 300_000  # about 5 s to parse; a grid with an axis of 10,000 listed values has about 200,000
MAX_DEPTH = 32
_MAX_SHOWN = 60  # characters of a value in a message, and items of a list

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
KeyPath: TypeAlias = tuple[str | int, ...]

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_SCALARS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".inf": math.inf, ".Inf": math.inf, ".INF": math.inf, "+.inf": math.inf, "-.inf": -math.inf, "-.Inf": -math.inf,
    ".nan": math.nan, ".NaN": math.nan, ".NAN": math.nan,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its values, and the place of each key path.

    Attributes:
        value: content of the file, with the settings applied.
        source: name of the file, for messages.
        lines: key path to its line in the file.
        settings: key path to the ``--set KEY`` that sets it; a setting hides the lines of the keys that it replaces.
    """

    value: Value
    source: str
    lines: dict[KeyPath, int] = field(default_factory=dict)
    settings: dict[KeyPath, str] = field(default_factory=dict)

    def where(self, path: KeyPath) -> str:
        """Return the place of a key path, as ``file, line 7, axes.eta[2]``; the line of the nearest key that exists."""
        nearest = [path[:end] for end in range(len(path), 0, -1)]
        for setting in (self.settings[key] for key in nearest if key in self.settings):
            return setting if setting == f"--set {dotted(path)}" else f"{setting}, {dotted(path)}"
        for line in (self.lines[key] for key in nearest if key in self.lines):
            return f"{self.source}, line {line}, {dotted(path)}"
        return f"{self.source}, {dotted(path)}" if path else self.source


def dotted(path: KeyPath) -> str:
    """Return a key path as text: ``("axes", "eta", 2)`` as ``axes.eta[2]``."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{printable(p) or repr(p)}" for p in path).removeprefix(".")


def show(value: object) -> str:
    """Return a value as a grid would write it, on one short line, for messages.

    >>> show([0.001, True, None, "no", {"log": [1, 2]}])
    "[0.001, true, null, the text 'no', {log: [1, 2]}]"
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": ".inf", "-inf": "-.inf"}.get(str(value), ".nan")
    if isinstance(value, list | tuple):
        return _shorten("[" + ", ".join(show(v) for v in islice(value, _MAX_SHOWN)) + "]")
    if isinstance(value, dict):
        return _shorten(
            "{" + ", ".join(f"{printable(k)}: {show(v)}" for k, v in islice(value.items(), _MAX_SHOWN)) + "}"
        )
    return f"the text '{printable(value)}'" if isinstance(value, str) else _shorten(str(value))


def parse_scalar(text: str) -> Value:
    """Return the value of an unquoted scalar.

    >>> parse_scalar("1e-3"), parse_scalar("010"), parse_scalar("no"), parse_scalar("1_000"), parse_scalar("~")
    (0.001, 10, 'no', '1_000', None)
    """
    if text in _SPECIAL_SCALARS:
        return _SPECIAL_SCALARS[text]
    if _INT.fullmatch(text) and len(text) <= 20 and abs(integer := int(text)) < 2**63:
        return integer
    return float(text) if _FLOAT.fullmatch(text) else text  # also integers that no 64-bit number holds


def read_yaml(text: str, source: str) -> Document:
    """Parse ``text``.

    Args:
        text: content of the file.
        source: name of the file, for messages.

    Raises:
        InputError: the text is not YAML, is too large, is nested too deep, or has tags, aliases, or keys that are
            repeated or not text.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"{source}: {len(text):,} characters; a grid has at most {MAX_CHARACTERS:,}. Is it the right file?"
        )
    reader = _Reader(text, source)
    try:
        value = reader.read()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(
            f"{source}, line {line}: the character U+{error.character:04X} is not allowed in YAML; remove it."
        ) from None
    except yaml.YAMLError as error:
        raise InputError(f"{source}: not valid YAML: {_one_line(error)}") from None
    except ValueError as error:  # of PyYAML on "\U00110000", of _valid_unicode on "\ud800"
        raise InputError(f"{source}: a character that Unicode does not have ({error}); remove its escape.") from None
    return Document(value=value, source=source, lines=reader.lines)


class _Reader:
    """A reader in one pass over the events of a text, so that nothing is built before it was checked."""

    def __init__(self, text: str, source: str) -> None:
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        self._source = source
        self.lines: dict[KeyPath, int] = {}

    def read(self) -> Value:
        """Return the value of the only document, None for a text without one."""
        value: Value = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._error(event, "a second document starts here (---); a file holds one grid")
                value = self._build(next(self._events), ())
        return value

    def _build(self, event: yaml.Event, path: KeyPath) -> Value:
        """Return the value that begins with ``event``."""
        self._check(event, path)
        self.lines[path] = _line(event)
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0] and event.tag is None
            return parse_scalar(event.value) if plain else _valid_unicode(event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Value] = []
            while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
                items.append(self._build(event, (*path, len(items))))
            return items
        mapping: dict[str, Value] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path, mapping)
            mapping[key] = self._build(next(self._events), (*path, key))
            self.lines[*path, key] = _line(event)  # of the key, where the value may begin below it
        return mapping

    def _key(self, event: yaml.Event, path: KeyPath, mapping: dict[str, Value]) -> str:
        """Return a key of ``mapping``, which does not have it yet."""
        self._check(event, path)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error(event, "a key must be a word, not a list or a mapping; quote it if it is one")
        key = _valid_unicode(event.value)
        if key in mapping:
            before = self.lines[*path, key]
            raise self._error(event, f"{dotted((*path, key))} was given before, on line {before}; keep one of the two")
        return key

    def _check(self, event: yaml.Event, path: KeyPath) -> None:
        """Refuse aliases, tags and deep nesting."""
        if isinstance(event, yaml.AliasEvent):
            raise self._error(event, f"aliases (*{event.anchor}) are not used in grids; write the value out")
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            raise self._error(event, f"tags ({printable(event.tag)}) are not used in grids; write a plain value")
        if len(path) >= MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH} levels; a grid needs 5")

    def _error(self, event: yaml.Event, text: str) -> InputError:
        return InputError(f"{self._source}, line {_line(event)}: {text}.")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _valid_unicode(text: str) -> str:
    """Return ``text``, or raise UnicodeEncodeError where it holds half a character."""
    text.encode()  # "\ud800" is taken by no file or terminal
    return text


def printable(text: str) -> str:
    """Return a text of a grid for messages: as it was written, with its blanks, on one short line."""
    return _shorten(visible(text))


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def _one_line(error: yaml.YAMLError) -> str:
    """Return an error of PyYAML with its line and column."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or printable(str(error))
    hint = "; indent with spaces" if "'\\t'" in problem else ""
    return f"{problem}{hint} (line {mark.line + 1}, column {mark.column + 1})." if mark else f"{problem}{hint}."
