"""Generations of the parts of a sweep: an older analysis gives way to a newer one.

Whoever analyzes a sweep may be frozen while a run goes on and ends. Tables, figures and report would then be written
over newer ones. So the tables say which parts they were made of, and a writer compares before each of its files.
"""

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import pyarrow as pa

from results.store.files import names_in, read_schema, table_bytes, version_of, write_bytes
from results.store.part_names import DIGEST_LENGTH, PartName, digest_of
from results.store.parts import valid_parts_in
from results.store.paths import AnyPath
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError

GENERATION_KEY = b"sweeper.generation"
_TEXT = re.compile(rf"(\d{{1,12}})-(\d{{1,12}})-([0-9a-f]{{{DIGEST_LENGTH}}})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What the parts of a sweep were at one moment.

    Attributes:
        attempts: number of attempts that had been made at packs by then, or fewer. They only grow.
        parts: number of the parts that counted. It grows until an attempt is made.
        digest: of the names of these parts.
    """

    attempts: int
    parts: int
    digest: str

    def __str__(self) -> str:
        """The text that ``parse_generation`` reads."""
        return f"{self.attempts}-{self.parts}-{self.digest}"

    def precedes(self, other: "Generation") -> bool:
        """Return whether this generation is older than another of the same sweep."""
        return (self.attempts, self.parts) < (other.attempts, other.parts)


def generation_of(attempts: int, names: Iterable[PartName]) -> Generation:
    """Return the generation of the parts that count, given the number of attempts before they were listed."""
    files = sorted(name.file for name in names)
    return Generation(attempts=attempts, parts=len(files), digest=digest_of("\n".join(files).encode()))


def count_attempts(directory: SweepDir) -> int:
    """Return the number of attempts that were made at packs of a sweep."""
    return len(names_in(directory.attempts))


def parse_generation(text: object) -> Generation | None:
    """Parse the text of a generation; return None if it is none."""
    match = _TEXT.fullmatch(text) if isinstance(text, str) else None
    return Generation(attempts=int(match[1]), parts=int(match[2]), digest=match[3]) if match else None


def stored_generation(table: AnyPath) -> Generation | None:
    """Return the generation that a table was made of; None if it is absent, cannot be read, or does not say."""
    try:
        metadata = read_schema(table).metadata or {}
    except (pa.ArrowException, OSError):
        return None
    return parse_generation(metadata.get(GENERATION_KEY, b"").decode(errors="replace"))


class _OlderError(Exception):
    """What lies in the sweep was made of later parts."""


class ResultWriter:
    """Writer of what is derived from the parts of a sweep, of ``points.parquet`` first.

    Attributes:
        generation: the generation that the files are made of.
        gave_way: whether files of a later generation were found, so that nothing more is written.
    """

    def __init__(self, directory: SweepDir, generation: Generation) -> None:
        """Write files of ``generation`` into a sweep."""
        self.generation, self.gave_way = generation, False
        self._directory = directory
        self._seen: Hashable = None  # version of points.parquet that was compared last

    def write(self, path: AnyPath, content: bytes) -> None:
        """Write a file whole or not at all, unless a later generation has been written."""
        if not self.gave_way:
            try:
                write_bytes(path, content, self._refuse_if_older)
            except _OlderError:
                self.gave_way = True

    def write_table(self, path: AnyPath, table: pa.Table) -> None:
        """Write a Parquet file that says of which generation it is."""
        metadata = {**(table.schema.metadata or {}), GENERATION_KEY: str(self.generation)}
        self.write(path, table_bytes(table.replace_schema_metadata(metadata)))

    def write_text(self, path: AnyPath, text: str) -> None:
        """Write a text file."""
        self.write(path, text.encode())

    def _refuse_if_older(self) -> None:
        """Refuse to write over files of a later generation, unless the parts are those of this one again."""
        try:
            version = version_of(self._directory.points)
        except FileNotFoundError:
            return
        if version == self._seen:
            return
        there = stored_generation(self._directory.points)
        if there is not None and self.generation.precedes(there) and not self._is_current():
            raise _OlderError
        self._seen = version

    def _is_current(self) -> bool:
        try:
            names = valid_parts_in(self._directory)
        except InputError:  # a file of others lies among the parts
            return True
        return generation_of(0, names).digest == self.generation.digest


def is_of_other_parts(generation: Generation | None, names: Iterable[PartName]) -> bool:
    """Return whether a file was made of other parts than ``names``; False if it does not say of which."""
    return generation is not None and generation.digest != generation_of(0, names).digest
