"""Search spaces: typed grids, their points, the budget law and the plan of packs.

Text and numbers go in, values come out, and nothing is written. ``namesakes`` alone looks around: at the import path
and at the working directory, for the error messages of all packages. A point's id is the same on every machine, and
the plan is complete before anything runs. Torch, Ray and sweep directories must not leak in, so that a grid can be
checked and planned on any machine.
"""

from typing import TYPE_CHECKING

from search_spaces.namesakes import missing_attribute

BELONGS_TO = "sweeper"  # another package that is installed over this one has no such name

if not TYPE_CHECKING:  # type checkers would take it for a promise of every name

    def __getattr__(name: str) -> object:
        raise missing_attribute(__name__, name)
