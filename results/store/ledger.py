"""The ledger: which points have ended, and how.

The footers of the parts hold the ends. For a pack that a run gave up, the driver records the cause, until the next run.
"""

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
from search_spaces.errors import InputError, one_line
from search_spaces.outcome import Outcome

MAX_CAUSE_BYTES = 1_000_000  # of the cause for which a pack was given up, which is a line


def read_ends(directory: SweepDir) -> dict[str, PointEnd]:
    """Map each point that has ended to its end. Reads footers only.

    Raises:
        InputError: a file among the parts is damaged or not of this program.
    """
    commits = read_consistent(directory, partial(read_commits, directory))
    return {end.point: end for commit in commits for end in commit.ends}


def durable_ends(commits: Mapping[PartName, Commit]) -> dict[str, PointEnd]:
    """Select the ends that no crash takes back; a point behind the last checkpoint of its pack may be trained again.

    Args:
        commits: of the parts that count, in the order of pack and sequence.

    Returns:
        Each such point with its end.
    """
    ends: dict[str, PointEnd] = {}
    waiting: defaultdict[str, list[PointEnd]] = defaultdict(list)
    for name, commit in commits.items():
        waiting[name.pack] += commit.ends
        if commit.checkpoint is not None or commit.finished:
            ends |= {end.point: end for end in waiting.pop(name.pack)}
    return ends


def with_failures(
    ends: Mapping[str, PointEnd], causes: Mapping[str, str], packs: Mapping[str, Collection[str]]
) -> dict[str, PointEnd]:
    """Add the points of packs that were given up, as failed.

    Args:
        ends: point id to its end, as the parts have it.
        causes: pack id to the cause for which it was given up.
        packs: pack id to the ids of its points.

    Returns:
        Point id to its end, with those failures.
    """
    failures = {
        point: PointEnd(point=point, pack=pack, attempt=0, outcome=Outcome.FAILED, steps=0, seconds=0.0, why=cause)
        for pack, cause in causes.items()
        for point in packs.get(pack, ())
    }
    return {**ends, **{point: end for point, end in failures.items() if point not in ends}}


def ends_of_chunk(directory: SweepDir, packs: Sequence[str]) -> dict[str, tuple[PointEnd, ...] | None]:
    """Map each of ``packs`` that was not given up to its ends if it is finished, else to None."""
    lost = given_up(directory)
    found: dict[str, tuple[PointEnd, ...] | None] = {}
    for pack in packs:
        if pack not in lost:
            commits = read_consistent(directory, partial(read_commits, directory), pack)
            done = bool(commits) and commits[-1].finished
            found[pack] = tuple(end for commit in commits for end in commit.ends) if done else None
    return found


def give_up(directory: SweepDir, pack: str, why: str) -> None:
    """Record that this run tries a pack no more; the next run does.

    Args:
        directory: the sweep.
        pack: id of the pack.
        why: the cause, in a line.
    """
    write_text(directory.given_up / f"{pack}.json", json.dumps({"why": one_line(why)}))


def given_up(directory: SweepDir) -> dict[str, str]:
    """Map each pack that the latest run gave up to the cause.

    Raises:
        InputError: a file among them is damaged.
    """
    return {path.stem: read_cause(path) for path in cause_files(directory)}


def cause_files(directory: SweepDir) -> list[AnyPath]:
    """List the files of packs that were given up."""
    return [directory.given_up / name for name in names_in(directory.given_up) if name.endswith(".json")]


def read_cause(path: AnyPath) -> str:
    """Read the cause for which a pack was given up.

    Raises:
        InputError: the file is damaged.
    """
    try:
        return one_line(str(json.loads(read_limited(path, MAX_CAUSE_BYTES))["why"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{path}: damaged; remove it, or run the sweep again, which does so.") from None
