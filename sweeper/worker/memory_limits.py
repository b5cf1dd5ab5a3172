"""Limits on the number of points that train together, found by workers that ran out of memory.

``memory/VARIANT-POINTS`` is an empty file. It says that so many points of a variant of the trainable did not fit into
the memory of some worker.
"""

import hashlib
import re
from collections.abc import Iterable
from contextlib import suppress

from results.store.files import create, make_folder, names_in
from results.store.sweep_dir import SweepDir
from search_spaces.recipe import Variant

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


def read_point_limits(directory: SweepDir, variants: Iterable[Variant]) -> dict[Variant, int]:
    """Map each variant that ran out of memory to its limit of points (``read_point_limit``)."""
    limits = _point_limits(directory)
    return {variant: limits[key] for variant in variants if (key := _variant_key(variant)) in limits}


def _point_limits(directory: SweepDir) -> dict[str, int]:
    """Map the key of each variant that ran out of memory to half of the fewest points that did not fit."""
    limits: dict[str, int] = {}
    for match in filter(None, map(_FILE_NAME.fullmatch, names_in(directory.memory))):
        limits[match[1]] = max(1, min(limits.get(match[1], 10**9), int(match[2]) // 2))
    return limits


def _variant_key(variant: Variant) -> str:
    """Return 12 hexadecimal digits that name a variant."""
    return hashlib.sha256(repr(variant).encode()).hexdigest()[:12]
