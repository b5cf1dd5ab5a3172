"""The ledger: which points have ended, and how."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from results.store.commits import Commit, PointEnd, read_commits
from results.store.files import names_in, read_limited, write_text
from results.store.part_names import PartName
from results.store.parts import read_consistent
from results.store.paths import AnyPath
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from search_spaces.outcome import Outcome


def read_ends(directory: SweepDir, pack: str | None = None) -> dict[str, PointEnd]:
    """The ledger: point id to its end, of one pack's parts or of all. Reads footers only.

    Raises:
        InputError: a file among the parts is damaged or not of this program.
    """
    commits = read_consistent(directory, partial(read_commits, directory), pack)
    return {end.point: end for commit in commits for end in commit.ends}


def durable_ends(directory: SweepDir) -> dict[str, PointEnd]:
    """The ends that no crash takes back: what is behind the last checkpoint of a pack may be trained again."""
    ends: dict[str, PointEnd] = {}
    waiting: defaultdict[str, list[PointEnd]] = defaultdict(list)

    def commits(names: list[PartName]) -> list[tuple[str, Commit]]:
        return [(name.pack, commit) for name, commit in zip(names, read_commits(directory, names), strict=True)]

    for pack, commit in read_consistent(directory, commits):
        waiting[pack] += commit.ends
        if commit.checkpoint is not None or commit.finished:
            ends |= {end.point: end for end in waiting.pop(pack)}
    return ends


MOST_BYTES = 1_000_000  # of the cause of a pack that was given up, a line


def give_up(directory: SweepDir, pack: str, why: str) -> None:
    """Record that this run tries a pack no more; the next one does."""
    write_text(directory.given_up / f"{pack}.json", json.dumps({"why": why}))


def read_ledger(directory: SweepDir, packs: Mapping[str, Collection[str]]) -> dict[str, PointEnd]:
    """Point id to its end; points of packs that were given up count as failed.

    Args:
        directory: the sweep.
        packs: pack id to the ids of its points.
    """
    ends = read_ends(directory)
    for pack, why in given_up(directory).items():
        for point in packs.get(pack, ()):
            if point not in ends:
                ends[point] = PointEnd(
                    point=point, pack=pack, attempt=0, outcome=Outcome.FAILED, steps=0, seconds=0.0, why=why
                )
    return ends


def ends_of_chunk(directory: SweepDir, packs: Sequence[str]) -> dict[str, tuple[PointEnd, ...] | None]:
    """Of each of ``packs`` that was not given up: the ends of its points if it is finished, None if some is left."""
    lost = given_up(directory)
    found: dict[str, tuple[PointEnd, ...] | None] = {}
    for pack in packs:
        if pack not in lost:
            commits = read_consistent(directory, partial(read_commits, directory), pack)
            done = bool(commits) and commits[-1].finished
            found[pack] = tuple(end for commit in commits for end in commit.ends) if done else None
    return found


def given_up(directory: SweepDir) -> dict[str, str]:
    """Packs that the latest run gave up, each with the cause.

    Raises:
        InputError: a file among them is damaged.
    """
    return {path.stem: read_cause(path) for path in cause_files(directory)}


def cause_files(directory: SweepDir) -> list[AnyPath]:
    """The files of packs that were given up."""
    return [directory.given_up / name for name in names_in(directory.given_up) if name.endswith(".json")]


def read_cause(path: AnyPath) -> str:
    """Why a pack was given up.

    Raises:
        InputError: the file is damaged.
    """
    try:
        return str(json.loads(read_limited(path, MOST_BYTES))["why"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{path}: damaged; remove it, or run the sweep again, which does so.") from None
