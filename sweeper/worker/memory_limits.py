"""Number of points that fit into memory at a time: estimated from shapes, then corrected by what workers find out.

``memory/VARIANT-POINTS`` is an empty file. It says that so many points of a variant of the trainable did not fit into
the memory of some worker.
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

GPU_MEMORY_SHARE = 0.8  # of the memory that a pack is given; the rest is for the library's workspaces
MAX_GPU_PACK_POINTS = 1024
_FILE_NAME = re.compile(r"([0-9a-f]{12})-(\d{1,9})")


def record_too_many_points(directory: SweepDir, variant: Variant, points: int) -> None:
    """Record that points of a variant did not fit into memory together.

    Args:
        directory: the sweep.
        variant: the variant of the trainable.
        points: number of points that did not fit.
    """
    make_folder(directory.memory)
    with suppress(FileExistsError):
        create(directory.memory / f"{_variant_key(variant)}-{points}")


def read_point_limit(directory: SweepDir, variant: Variant) -> int | None:
    """Return half of the fewest points of a variant that did not fit, at least 1; None if all did.

    A worker that runs out of memory continues with the same number.
    """
    return _point_limits(directory).get(_variant_key(variant))


def limit_packs(directory: SweepDir, profiles: Mapping[Variant, Profile]) -> dict[Variant, Profile]:
    """Return ``profiles`` with ``pack_limit`` lowered where workers ran out of memory."""
    limits = _point_limits(directory)

    def limited(variant: Variant, profile: Profile) -> Profile:
        limit = limits.get(_variant_key(variant), profile.pack_limit)
        return replace(profile, pack_limit=min(profile.pack_limit, limit))

    return {variant: limited(variant, profile) for variant, profile in profiles.items()}


def size_packs(profiles: Mapping[Variant, Profile], pack_bytes: float | None) -> dict[Variant, Profile]:
    """Return ``profiles`` with ``pack_limit`` set to what the memory of a GPU may hold.

    Args:
        profiles: the cost of each variant.
        pack_bytes: bytes of GPU memory that one pack is given; None on a CPU, where the limits stay as they are.
    """
    if pack_bytes is None:
        return dict(profiles)
    return {
        variant: replace(profile, pack_limit=_points_in(pack_bytes, profile.point_bytes))
        if profile.point_bytes
        else profile
        for variant, profile in profiles.items()
    }


def _points_in(pack_bytes: float, point_bytes: int) -> int:
    """Return how many points of ``point_bytes`` fit into ``pack_bytes`` of GPU memory, at least 1."""
    return max(1, min(MAX_GPU_PACK_POINTS, int(GPU_MEMORY_SHARE * pack_bytes) // point_bytes))


def _point_limits(directory: SweepDir) -> dict[str, int]:
    """Map the key of each variant that ran out of memory to half of the fewest points that did not fit."""
    limits: dict[str, int] = {}
    for match in filter(None, map(_FILE_NAME.fullmatch, names_in(directory.memory))):
        limits[match[1]] = max(1, min(limits.get(match[1], 10**9), int(match[2]) // 2))
    return limits


def _variant_key(variant: Variant) -> str:
    """Return 12 hexadecimal digits that name a variant."""
    return hashlib.sha256(repr(variant).encode()).hexdigest()[:12]
