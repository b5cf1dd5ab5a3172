"""Sizes of packs: as many points as fit into memory, by their shapes and by what workers have found out."""

from collections.abc import Mapping
from dataclasses import replace

from search_spaces.cost import Profile
from search_spaces.recipe import Variant

GPU_MEMORY_SHARE = 0.8  # of the memory that a pack is given; the rest is for the library's workspaces


def size_packs(profiles: Mapping[Variant, Profile], pack_bytes: float | None) -> dict[Variant, Profile]:
    """Return ``profiles`` with ``pack_limit`` set to what a GPU can compute together and its memory may hold.

    Args:
        profiles: the cost of each variant.
        pack_bytes: bytes of GPU memory that one pack is given; None on a CPU, where the limits stay as they are.
    """
    if pack_bytes is None:
        return dict(profiles)
    return {
        variant: replace(profile, pack_limit=min(profile.gpu_pack_limit, _points_in(pack_bytes, profile.point_bytes)))
        if profile.point_bytes
        else profile
        for variant, profile in profiles.items()
    }


def _points_in(pack_bytes: float, point_bytes: int) -> int:
    """Return how many points of ``point_bytes`` fit into ``pack_bytes`` of GPU memory, at least 1."""
    return max(1, int(GPU_MEMORY_SHARE * pack_bytes) // point_bytes)


def limit_packs(profiles: Mapping[Variant, Profile], limits: Mapping[Variant, int]) -> dict[Variant, Profile]:
    """Return ``profiles`` with ``pack_limit`` lowered to ``limits``, where workers ran out of memory."""
    return {
        variant: replace(profile, pack_limit=min(profile.pack_limit, limits.get(variant, profile.pack_limit)))
        for variant, profile in profiles.items()
    }
