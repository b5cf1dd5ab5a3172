"""How many samples of a set are used."""

from pathlib import Path
from typing import Literal

from search_spaces.errors import InputError
from search_spaces.trainable import Some

_WORDS = {"train": "training", "test": "test"}


def used(part: Literal["train", "test"], wanted: Some, available: int, name: str, where: Path) -> int:
    """How many samples ``trainable.data.train`` or ``.test`` asks for.

    Raises:
        InputError: more than there are.
    """
    if wanted == "all":
        return available
    if wanted > available:
        raise InputError(
            f"trainable.data.{part}: {wanted} is not allowed: {name} in {where} has {available:,} {_WORDS[part]} "
            f"images. Ask for that many or fewer, or for all."
        )
    return wanted
