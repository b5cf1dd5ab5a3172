"""The findings of ``sweeper verify``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault of a sweep directory.

    Attributes:
        file: path relative to the sweep directory.
        why: the reason.
        again: the work that the next run or analysis repeats for it; empty if none.
        repairable: whether ``--repair`` drops it.
    """

    file: str
    why: str
    again: str = ""
    repairable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A kind of files.

    Attributes:
        what: name of the kind.
        files: number of the files.
        bytes: their size together.
        holds: their content in words; empty where nothing is to be said.
    """

    what: str
    files: int
    bytes: int
    holds: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The findings in a sweep directory.

    Attributes:
        sweep: name of the sweep.
        checked: the kinds of files that were checked.
        damage: files whose content has changed, or that are missing.
        waste: files of no use, which the next run removes.
        outdated: files that an analysis would write anew.
        bytes: size of all files.
        runner: the process that runs the sweep at present, in words; None if there is none.
    """

    sweep: str
    checked: tuple[Checked, ...]
    damage: tuple[Fault, ...]
    waste: tuple[Fault, ...]
    outdated: tuple[Fault, ...]
    bytes: int
    runner: str | None = None
