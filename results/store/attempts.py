"""Numbers of attempts at packs. Each number is given once, and a later attempt takes the pack over.

See docs/durability.md.
"""

import re
from collections.abc import Collection, Iterator

from results.store.files import create, make_folder, names_in
from results.store.parts import all_parts_in
from results.store.sweep_dir import SweepDir, map_reads

_ATTEMPT = re.compile(r"([0-9a-z]+)-(\d{3,})")


class OvertakenError(Exception):
    """A later attempt at the same pack has begun. This one must not write any more."""


def claim(directory: SweepDir, pack: str, *, new: bool = False) -> int:
    """Claim a number for an attempt at a pack, which no other attempt has or will have.

    Args:
        directory: the sweep.
        pack: id of the pack.
        new: whether no attempt at it had been made when the plan was written. If none has been made since, the number
            is 0, and no folder needs to be listed.

    Returns:
        The number.
    """
    if new and _take(directory, pack, 0):
        return 0
    taken = [name.attempt for name in all_parts_in(directory, pack)]
    taken += [attempt for _, attempt in _attempts(directory, f"{pack}-")]
    attempt = max(taken, default=-1) + 1
    while not _take(directory, pack, attempt):
        attempt += 1
    return attempt


def claim_all(directory: SweepDir, packs: Collection[str]) -> None:
    """Claim the next number of each pack, so that a worker which trains one of them sees that it is overtaken."""
    latest: dict[str, int] = {}
    for pack, attempt in (*((n.pack, n.attempt) for n in all_parts_in(directory)), *_attempts(directory)):
        latest[pack] = max(attempt, latest.get(pack, attempt))

    def take(pack: str) -> None:
        attempt = latest.get(pack, -1) + 1
        while not _take(directory, pack, attempt):
            attempt += 1

    map_reads(directory, take, packs)


def claim_next(directory: SweepDir, pack: str, attempt: int) -> int:
    """Claim the number after ``attempt`` for the same worker.

    Args:
        directory: the sweep.
        pack: id of the pack.
        attempt: the number that the worker has.

    Returns:
        The number.

    Raises:
        OvertakenError: a later attempt has it.
    """
    if not _take(directory, pack, attempt + 1):
        raise _overtaken(pack, attempt)
    return attempt + 1


def _take(directory: SweepDir, pack: str, attempt: int) -> bool:
    """Take a number; return False if it is taken."""
    make_folder(directory.attempts)
    try:
        create(directory.attempts / f"{pack}-{attempt:03d}")
    except FileExistsError:
        return False
    return True


def refuse_if_overtaken(directory: SweepDir, pack: str, attempt: int) -> None:
    """Refuse to let an overtaken attempt write.

    Args:
        directory: the sweep.
        pack: id of the pack.
        attempt: number of the attempt.

    Raises:
        OvertakenError: a later attempt has begun.
    """
    if (directory.attempts / f"{pack}-{attempt + 1:03d}").exists():  # numbers are given without a gap
        raise _overtaken(pack, attempt)


def _overtaken(pack: str, attempt: int) -> OvertakenError:
    return OvertakenError(f"pack {pack}: attempt {attempt} has been taken over from")


def packs_begun(directory: SweepDir) -> set[str]:
    """Return the ids of the packs at which an attempt was made."""
    return {pack for pack, _ in _attempts(directory)} | {name.pack for name in all_parts_in(directory)}


def _attempts(directory: SweepDir, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Pack and number of each attempt that was made."""
    matches = map(_ATTEMPT.fullmatch, names_in(directory.attempts, prefix))
    return ((match[1], int(match[2])) for match in matches if match)
