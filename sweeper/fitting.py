"""How many points fit into memory at a time: what workers have found out, for the others and for later plans.

``memory/VARIANT-POINTS`` is an empty file: so many points of a variant of the trainable were too many for some worker.
"""

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from results.store import SweepDir, create, make_folder, sizes_in
from search_spaces.plan import Profile
from search_spaces.recipe import Variant

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


def _limits(directory: SweepDir) -> dict[str, int]:
    """Key of a variant to points."""
    limits: dict[str, int] = {}
    for match in filter(None, map(_NAME.fullmatch, sizes_in(directory.memory))):
        limits[match[1]] = max(1, min(limits.get(match[1], 10**9), int(match[2]) // 2))
    return limits


def _key(variant: Variant) -> str:
    return hashlib.sha256(repr(variant).encode()).hexdigest()[:12]
