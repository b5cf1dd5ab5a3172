"""Damaged parts: found, and removed with all that was built on them."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from results.store.commits import OtherVersionError, read_footer
from results.store.part_names import PartName, valid_parts
from results.store.parts import is_intact, remove_parts
from results.store.sweep_dir import SweepDir, map_reads
from search_spaces.errors import InputError, reason


class Defects(NamedTuple):
    """Parts that cannot be read.

    Attributes:
        damaged: each damaged part with the reason.
        foreign: parts of another version of this program, which are not damaged.
    """

    damaged: dict[PartName, str]
    foreign: list[PartName]


def find_defects(directory: SweepDir, names: Sequence[PartName], known: Collection[PartName] = ()) -> Defects:
    """Find the parts whose content is not what their names say, or whose footer says nothing. Every byte is read.

    Args:
        directory: the sweep.
        names: the parts to check.
        known: parts whose footer has been read already.
    """
    problems = dict(zip(names, map_reads(directory, partial(_problem, directory, known), names), strict=True))
    return Defects(
        damaged={name: problem for name, problem in problems.items() if isinstance(problem, str)},
        foreign=[name for name, problem in problems.items() if isinstance(problem, OtherVersionError)],
    )


def _problem(directory: SweepDir, known: Collection[PartName], name: PartName) -> str | OtherVersionError | None:
    """The reason why a part is damaged, or the error that it is of another version; None if neither is so."""
    try:
        if not is_intact(directory, name):
            return "its content is not what its name says"
        if name not in known:
            read_footer(directory, name)
    except FileNotFoundError:  # replaced since it was listed
        return None
    except OtherVersionError as error:
        return error
    except InputError as error:
        return reason(error, str(directory.rows / name.file))
    return None


def remove_without(directory: SweepDir, names: Iterable[PartName], damaged: Collection[PartName]) -> None:
    """Remove damaged parts and all parts that do not count without them; the next run trains again what they held.

    Parts that do not count now are removed first. Otherwise those of an overtaken worker would come to count.

    Args:
        directory: the sweep.
        names: all its parts.
        damaged: the damaged ones among them.
    """
    names = set(names)
    valid = set(valid_parts(names))
    remove_parts(directory, names - valid)
    remove_parts(directory, valid - set(valid_parts(valid - set(damaged))))
