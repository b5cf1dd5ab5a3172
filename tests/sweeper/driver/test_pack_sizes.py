"""Sizes of packs: the memory of a GPU, and what workers have found out."""

from dataclasses import replace

import pytest

from search_spaces.points import make_points
from sweeper.driver.pack_sizes import limit_packs, size_packs
from trainables.pack_limits import MAX_GPU_POINTS
from trainables.profile import profiles_of


@pytest.mark.parametrize(("points", "limit"), [(10, 8), (1, 1), (0.5, 1), (10**6, MAX_GPU_POINTS)])
def test_packs_on_gpus_fill_four_fifths_of_what_they_have(small_grid, points, limit):
    grid = small_grid()
    ((variant, profile),) = profiles_of(grid, make_points(grid)).items()
    assert size_packs({variant: profile}, None)[variant] == profile
    assert profile.point_bytes > 16 * profile.parameters  # weights, gradients, momentum, the next weights
    assert size_packs({variant: profile}, points * profile.point_bytes)[variant].pack_limit == limit


def test_a_limit_by_arithmetic_holds_however_much_memory_there_is(small_grid):
    ((variant, profile),) = profiles_of(grid := small_grid(), make_points(grid)).items()
    profile = replace(profile, gpu_pack_limit=3)
    assert [size_packs({variant: profile}, b * profile.point_bytes)[variant].pack_limit for b in (2.6, 100)] == [2, 3]


def test_what_has_no_size_stays_as_it_is(small_grid):
    """Loops of one's own, theory, and points that several processes train."""
    grid = small_grid()
    ((variant, profile),) = profiles_of(grid, make_points(grid)).items()
    alone = replace(profile, pack_limit=1, point_bytes=0)
    assert size_packs({variant: alone}, 1e12) == {variant: alone}


@pytest.mark.parametrize(("limit", "expected"), [(1, 1), (3, 3), (10**6, None)])
def test_a_limit_that_workers_found_lowers_a_pack_and_never_raises_it(small_grid, limit, expected):
    ((variant, profile),) = profiles_of(grid := small_grid(), make_points(grid)).items()
    assert limit_packs({variant: profile}, {})[variant] == profile
    limited = limit_packs({variant: profile}, {variant: limit})[variant]
    assert limited == replace(profile, pack_limit=expected or profile.pack_limit)
