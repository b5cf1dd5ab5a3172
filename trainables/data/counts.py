"""Numbers of training, validation and test samples that a grid asks for."""

from pathlib import Path
from typing import Literal

from search_spaces.errors import InputError
from search_spaces.sections.data import SampleCount, Validation

_WORDS = {"train": "training", "test": "test"}


def requested_count(part: Literal["train", "test"], wanted: SampleCount, available: int, name: str, where: Path) -> int:
    """Return the number of samples that ``trainable.data.train`` or ``.test`` asks for.

    Args:
        part: the key, ``train`` or ``test``.
        wanted: its value.
        available: samples that the set has.
        name: name of the set, for the message.
        where: folder of the set, for the message.

    Raises:
        InputError: the grid asks for more than there are.
    """
    if wanted == "all":
        return available
    if wanted > available:
        raise InputError(
            f"trainable.data.{part}: {wanted} is not allowed: {name} in {where} has {available:,} {_WORDS[part]} "
            f"images. Ask for that many or fewer, or for all."
        )
    return wanted


def split_counts(train: SampleCount, validation: Validation, available: int, name: str, where: Path) -> tuple[int, int]:
    """Return (training images to train on, training images after them to hold out).

    Args:
        train: ``trainable.data.train``; it is cut to what the held-out images leave.
        validation: ``trainable.data.validation``.
        available: training images of the set.
        name: name of the set, for the message.
        where: folder of the set, for the message.

    Raises:
        InputError: the grid asks for more than there are, or none are left to train on.
    """
    wanted = requested_count("train", train, available, name, where)
    if validation is None:
        return wanted, 0
    if validation >= available:
        raise InputError(
            f"trainable.data.validation: {validation} is not allowed: {name} in {where} has {available:,} training "
            "images, and those held out are taken from them. Ask for fewer."
        )
    return min(wanted, available - validation), validation
