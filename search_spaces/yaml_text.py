"""YAML text to plain values with line numbers: the safe, small part of YAML that a grid needs.

Scalars follow the YAML 1.2 core schema, so ``1e-3`` is a number (PyYAML's 1.1 rules read it as a string) and ``no`` is
a word. Tags and aliases are refused: the first can construct objects, the second can grow without bound.
"""

import re
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from search_spaces.errors import InputError

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 32

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
KeyPath: TypeAlias = tuple[str | int, ...]

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its values, and the line on which each key path stands."""

    value: Value
    source: str
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def where(self, path: KeyPath) -> str:
        """``file, line 7, axes.eta[2]``; the line is that of the nearest key that exists."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        line = f", line {self.lines[known]}" if known in self.lines else ""
        return f"{self.source}{line}" + (f", {dotted(path)}" if path else "")


def dotted(path: KeyPath) -> str:
    """``("axes", "eta", 2)`` as ``axes.eta[2]``."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".")


def scalar(text: str) -> Value:
    """An unquoted scalar by the YAML 1.2 core schema."""
    if text in _SPECIAL:
        return _SPECIAL[text]
    if _INT.fullmatch(text) and len(text) < 400:  # longer ones exceed Python's digit limit and any use
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def read_yaml(text: str, source: str) -> Document:
    """Parse ``text``.

    Args:
        text: the file's content.
        source: its name, for messages.

    Raises:
        InputError: not YAML, too large, nested too deep, or with tags, aliases, duplicate or non-text keys.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"{source}: {len(text):,} characters; a grid has at most {MAX_CHARACTERS:,}. Is it the right file?"
        )
    try:
        _refuse_exotic(text, source)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise InputError(f"{source}: not valid YAML: {_one_line(error)}") from None
    document = Document(value=None, source=source)
    value = None if node is None else _build(node, (), document)
    return Document(value=value, source=source, lines=document.lines)


def _refuse_exotic(text: str, source: str) -> None:
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            raise InputError(
                f"{source}, line {line}: aliases (*{event.anchor}) are not used in grids; write the value out."
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise InputError(f"{source}, line {line}: tags ({tag}) are not used in grids; write a plain value.")
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if documents > 1:
            raise InputError(f"{source}, line {line}: a second document starts here (---); a file holds one grid.")
        if depth > MAX_DEPTH:
            raise InputError(f"{source}, line {line}: nested deeper than {MAX_DEPTH} levels; a grid needs 5.")


def _build(node: yaml.Node, path: KeyPath, document: Document) -> Value:
    document.lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        return str(node.value) if node.style else scalar(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, i), document) for i, item in enumerate(node.value)]
    mapping: dict[str, Value] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise InputError(f"{document.where(path)}: a key must be a word, not a list or a mapping.")
        key = str(key_node.value)
        if key in mapping:
            line = key_node.start_mark.line + 1
            raise InputError(
                f"{document.source}, line {line}, {dotted((*path, key))}: this key was given before, on line "
                f"{document.lines[*path, key]}; keep one of the two."
            )
        mapping[key] = _build(value_node, (*path, key), document)
    return mapping


def _one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable text"
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})." if mark else f"{problem}."
