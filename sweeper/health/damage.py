"""Damaged parts: found, and removed with all that was built on them."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial

from results.store.commits import OtherVersionError, read_footer
from results.store.part_names import PartName, valid_parts
from results.store.parts import is_intact, remove_parts
from results.store.sweep_dir import SweepDir, map_reads
from search_spaces.errors import InputError, reason


def damaged_parts(
    directory: SweepDir, names: Sequence[PartName], known: Collection[PartName] = ()
) -> dict[PartName, str]:
    """Find the parts whose content is not what their names say, or whose footer says nothing. Every byte is read.

    Parts of another version of this program are not damaged.

    Args:
        directory: the sweep.
        names: the parts to check.
        known: parts whose footer has been read already.

    Returns:
        Each damaged part with the reason.
    """
    reasons = map_reads(directory, partial(_damage, directory, known), names)
    return {name: why for name, why in zip(names, reasons, strict=True) if why}


def _damage(directory: SweepDir, known: Collection[PartName], name: PartName) -> str:
    """Why a part is damaged; empty if it is not."""
    try:
        if not is_intact(directory, name):
            return "its content is not what its name says"
        if name not in known:
            read_footer(directory, name)
    except (FileNotFoundError, OtherVersionError):  # the first: replaced since it was listed
        return ""
    except InputError as error:
        return reason(error, str(directory.rows / name.file))
    return ""


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
