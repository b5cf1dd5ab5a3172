"""How many samples of a set are used, and for what."""

from pathlib import Path
from typing import Literal

from search_spaces.errors import InputError
from search_spaces.sections.data import SampleCount, Validation

_WORDS = {"train": "training", "test": "test"}


def used(part: Literal["train", "test"], wanted: SampleCount, available: int, name: str, where: Path) -> int:
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


def split(train: SampleCount, validation: Validation, available: int, name: str, where: Path) -> tuple[int, int]:
    """How many of the training images are trained on, and how many of those that follow are held out.

    Args:
        train: ``trainable.data.train``; it is cut to what the held-out images leave.
        validation: ``trainable.data.validation``.
        available: training images of the set.
        name: of the set.
        where: its folder.

    Raises:
        InputError: more than there are, or none left to train on.
    """
    wanted = used("train", train, available, name, where)
    if validation is None:
        return wanted, 0
    if validation >= available:
        raise InputError(
            f"trainable.data.validation: {validation} is not allowed: {name} in {where} has {available:,} training "
            "images, and those held out are taken from them. Ask for fewer."
        )
    return min(wanted, available - validation), validation
