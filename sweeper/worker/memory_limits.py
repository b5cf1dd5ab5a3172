"""How many points fit into memory at a time: what shapes say, and what workers have found out since.

``memory/VARIANT-POINTS`` is an empty file: so many points of a variant of the trainable were too many for some worker.
"""

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from results.store.files import create, make_folder, names_in
from results.store.sweep_dir import SweepDir
from search_spaces.cost import Profile
from search_spaces.recipe import Variant

GPU_MEMORY_SHARE = 0.8  # of what a pack is given; the rest is for the library's workspaces
GPU_MOST_POINTS = 1024
_NAME = re.compile(r"([0-9a-f]{12})-(\d{1,9})")


def note_too_many(directory: SweepDir, variant: Variant, points: int) -> None:
    """Record that so many points did not fit."""
    make_folder(directory.memory)
    with suppress(FileExistsError):
        create(directory.memory / f"{_key(variant)}-{points}")


def most_that_fit(directory: SweepDir, variant: Variant) -> int | None:
    """Half of the fewest points that did not fit, as a worker goes on that runs out of memory; None if all did."""
    return _limits(directory).get(_key(variant))


def limited(directory: SweepDir, profiles: Mapping[Variant, Profile]) -> dict[Variant, Profile]:
    """``profiles`` with packs that fit."""
    limits = _limits(directory)
    return {
        variant: replace(profile, pack_limit=min(profile.pack_limit, limits.get(_key(variant), profile.pack_limit)))
        for variant, profile in profiles.items()
    }


def sized(profiles: Mapping[Variant, Profile], pack_bytes: float | None) -> dict[Variant, Profile]:
    """``profiles`` with packs as large as so much memory of a GPU may hold; those of a CPU if None."""
    if pack_bytes is None:
        return dict(profiles)
    return {
        variant: replace(profile, pack_limit=_most_in(pack_bytes, profile.point_bytes))
        if profile.point_bytes
        else profile
        for variant, profile in profiles.items()
    }


def _most_in(pack_bytes: float, point_bytes: int) -> int:
    return max(1, min(GPU_MOST_POINTS, int(GPU_MEMORY_SHARE * pack_bytes) // point_bytes))


def _limits(directory: SweepDir) -> dict[str, int]:
    """Key of a variant to points."""
    limits: dict[str, int] = {}
    for match in filter(None, map(_NAME.fullmatch, names_in(directory.memory))):
        limits[match[1]] = max(1, min(limits.get(match[1], 10**9), int(match[2]) // 2))
    return limits


def _key(variant: Variant) -> str:
    return hashlib.sha256(repr(variant).encode()).hexdigest()[:12]
