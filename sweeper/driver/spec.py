"""The specification of one run: what is to be trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search_spaces.cost import Profile
from search_spaces.points import Point
from search_spaces.recipe import Variant
from search_spaces.sections.grid import Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """One run of a grid.

    Attributes:
        grid: the grid.
        points: all points of the grid, in order.
        profiles: sizes and cost of each variant of the grid's trainable.
    """

    grid: Grid
    points: Sequence[Point]
    profiles: Mapping[Variant, Profile]
