"""Checkpoints: states of packs in training on the disk, and the state from which a pack continues.

A checkpoint is written once, under a name that contains its digest.
"""

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from pydantic import TypeAdapter

from results.store.commits import Commit, read_commits
from results.store.files import sizes_in, write_bytes
from results.store.part_names import DIGEST_LENGTH, PartName, digest_of
from results.store.parts import read_consistent
from results.store.paths import AnyPath
from results.store.sweep_dir import SweepDir
from sweeper.worker.weights import load_torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """State from which a worker continues a pack as if it had never stopped.

    Attributes:
        points: ids of the points that train together, in the order of the training's members. Points that have ended
            are included. Empty if no training is under way.
        step: optimizer steps that ``training`` has taken.
        together: maximum number of points that train at a time; None for all. It is 1 after an error of one point, and
            smaller than the pack if the pack did not fit into memory.
        seconds: wall time of the pack so far.
        records: point id to pairs (test accuracy, decay time), one for each time that the accuracy was the best so far.
        training: state of the training of ``points``; None if it has not begun.
    """

    points: Sequence[str] = ()
    step: int = 0
    together: int | None = None
    seconds: float = 0.0
    records: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    training: Mapping[str, Any] | None = None


_CHECKPOINT = TypeAdapter(Checkpoint)
_FILE_NAME = re.compile(rf"[0-9a-z]+-[0-9a-f]{{{DIGEST_LENGTH}}}\.pt")


def save_checkpoint(directory: SweepDir, pack: str, checkpoint: Checkpoint, max_bytes: float = math.inf) -> str | None:
    """Write a checkpoint whole or not at all.

    Args:
        directory: the sweep.
        pack: id of the pack.
        checkpoint: the state to save.
        max_bytes: limit on the bytes of all checkpoints of the sweep together, this one included.

    Returns:
        The name of its file. None if there is no room for it on the disk or in memory; then nothing is written.
    """
    buffer = io.BytesIO()
    try:
        torch.save({f.name: getattr(checkpoint, f.name) for f in fields(checkpoint)}, buffer)
        content = buffer.getvalue()
    except (MemoryError, RuntimeError):  # no memory for a copy of the state; torch may then say "unexpected pos"
        return None
    if checkpoint_bytes(directory) + len(content) > max_bytes:
        return None
    name = f"{pack}-{digest_of(content)}.pt"
    write_bytes(directory.checkpoints / name, content)
    return name


def load_checkpoint(directory: SweepDir, name: str) -> Checkpoint | None:
    """Read a checkpoint without running code from it; return None if it is gone, damaged or not a checkpoint."""
    if not is_checkpoint(name):  # it may lead out of the folder
        return None
    try:
        content = (directory.checkpoints / name).read_bytes()
    except FileNotFoundError:
        return None
    if not name.endswith(f"-{digest_of(content)}.pt"):
        return None
    try:
        return _CHECKPOINT.validate_python(load_torch(content))
    except Exception:  # what torch raises depends on where in the file it finds nonsense
        return None


def checkpoint_files(directory: SweepDir, pack: str | None = None) -> list[AnyPath]:
    """Return the paths of the checkpoints of one pack, or of all packs, sorted by name."""
    return [directory.checkpoints / name for name in _checkpoint_sizes(directory, "" if pack is None else f"{pack}-")]


def checkpoint_bytes(directory: SweepDir) -> int:
    """Return the bytes that all checkpoints of a sweep take."""
    return sum(_checkpoint_sizes(directory).values())


def is_checkpoint(name: str) -> bool:
    """Return whether a file has the name of a checkpoint."""
    return bool(_FILE_NAME.fullmatch(name))


def _checkpoint_sizes(directory: SweepDir, prefix: str = "") -> dict[str, int]:
    return {name: size for name, size in sizes_in(directory.checkpoints, prefix).items() if is_checkpoint(name)}


NO_CHECKPOINT = Checkpoint()


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """State from which training of a pack continues.

    Attributes:
        names: the parts to build on, from the first one. What later parts hold is trained again.
        ended: ids of the points that ended in these parts.
        steps: optimizer steps that the ended points have taken, all together.
        checkpoint: the state after the last of these parts.
    """

    names: tuple[PartName, ...] = ()
    ended: frozenset[str] = frozenset()
    steps: int = 0
    checkpoint: Checkpoint = NO_CHECKPOINT


def restart_of(directory: SweepDir, pack: str) -> Restart:
    """Return the restart after the last commit of a pack that finished it or whose checkpoint is intact.

    Without such a commit the pack starts anew.
    """

    def restart(names: Sequence[PartName]) -> Restart:
        return restart_after(directory, dict(zip(names, read_commits(directory, names), strict=True)))

    return read_consistent(directory, restart, pack)


def restart_after(directory: SweepDir, commits: Mapping[PartName, Commit]) -> Restart:
    """Return the restart that the commits of a pack allow, from its first part on, as ``restart_of`` does."""
    for count in range(len(commits), 0, -1):
        kept = list(commits.values())[:count]
        name = kept[-1].checkpoint
        checkpoint = load_checkpoint(directory, name) if name else None
        if checkpoint is not None or kept[-1].finished:
            ends = [end for commit in kept for end in commit.ends]
            return Restart(
                names=tuple(commits)[:count],
                ended=frozenset(end.point for end in ends),
                steps=sum(end.steps for end in ends),
                checkpoint=checkpoint or NO_CHECKPOINT,
            )
    return Restart()
