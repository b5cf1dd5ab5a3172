"""Everything that trains: packs of points as one program, a user's loop, and the theory of infinitely wide networks.

A training takes points and a recipe and yields measurements; from the same points it yields the same numbers in any
pack. This package knows networks, data and one optimizer step. It must not know sweep directories, Ray or the command
line.
"""

from typing import TYPE_CHECKING

from search_spaces.namesakes import missing_attribute

BELONGS_TO = "sweeper"  # another package that is installed over this one has no such name

if not TYPE_CHECKING:  # type checkers would take it for a promise of every name

    def __getattr__(name: str) -> object:
        raise missing_attribute(__name__, name)
