"""The grids that ship with sweeper, by name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "grids"  # in a clone a link to grids/ at the root, in a wheel the files themselves
_SENTENCE = re.compile(r".*?[.?](?=\s|$)")
_COST = re.compile(r"^# Cost: +(?P<cost>.*(?:\n#  +.*)*)", re.MULTILINE)  # further lines of it are indented


@dataclass(frozen=True, slots=True)
class ShippedGrid:
    """A grid that ships with sweeper, in the words of the comment at its top.

    Attributes:
        name: its path below ``grids``, without the suffix, such as ``small/fig4``.
        path: its file.
        question: what it is for, one sentence.
        cost: what it costs to run, one sentence.
    """

    name: str
    path: Path
    question: str
    cost: str


def shipped_grids() -> Iterator[ShippedGrid]:
    """Yield all grids that ship: those for a first day, the small ones, then those of the paper's size."""
    small, paper = (sorted((FOLDER / scale).glob("*.yaml")) for scale in ("small", "paper"))
    for path in (*sorted(FOLDER.glob("*.yaml")), *small, *paper):
        text = path.read_text(encoding="utf-8")
        yield ShippedGrid(_name_of(path), path, _first_sentence(text), _first_sentence(_cost(text)))


def shipped_names() -> list[str]:
    """Return the names of all grids that ship, in order."""
    return sorted(map(_name_of, FOLDER.rglob("*.yaml")))


def shipped_file(name: str) -> Path | None:
    """Return the file of a grid that ships; None if none has that name."""
    return FOLDER / f"{name}.yaml" if name in shipped_names() else None


def _name_of(path: Path) -> str:
    return path.relative_to(FOLDER).with_suffix("").as_posix()


def _cost(text: str) -> str:
    match = _COST.search(text)
    return match["cost"] if match else ""


def _first_sentence(text: str) -> str:
    """Return the first sentence of a comment of one or more lines."""
    words = " ".join(line.removeprefix("#").strip() for line in text.splitlines()[:4])
    match = _SENTENCE.match(words)
    return match[0] if match else words
