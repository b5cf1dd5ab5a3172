"""What ``sweeper verify`` found, and how it is printed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something wrong with a sweep directory.

    Attributes:
        file: relative to the folder of the sweep.
        why: what is wrong with it.
        again: what the next run or analysis does again for it; empty if nothing.
        repairable: whether ``--repair`` drops it.
    """

    file: str
    why: str
    again: str = ""
    repairable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A kind of files, how many there are, and what they hold."""

    what: str
    files: int
    bytes: int
    holds: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found in a sweep directory.

    Attributes:
        damage: files that are not what they were.
        waste: files of no use, which the next run removes, each with why.
        outdated: files that an analysis would write anew.
        bytes: of all files.
        runner: who runs the sweep at present, in words.
    """

    sweep: str
    checked: tuple[Checked, ...]
    damage: tuple[Fault, ...]
    waste: tuple[Fault, ...]
    outdated: tuple[Fault, ...]
    bytes: int
    runner: str | None = None
