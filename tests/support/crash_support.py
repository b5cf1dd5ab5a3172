"""A worker that dies at any change of the disk, and what must be the same whether it died or not."""

import math
import os
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from faults_support import GRID
from run_support import next_plan

from results.store.ledger import read_ends
from results.store.sweep_dir import SweepDir
from results.store.tables import read_rows
from search_spaces.outcome import Outcome
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.health.verify import verify
from sweeper.worker import commit_timer


class Killed(BaseException):
    """The process is gone; like no Exception, nothing may catch it."""


@contextmanager
def dying(directory: SweepDir, at: int | None = None):
    """Within the block the process dies before change number ``at`` of the sweep's files; gives the count so far.

    Whatever is written becomes visible by a rename, and invisible by a removal; numbers of attempts are empty files.
    These are all the changes there are.
    The power stays on, so nothing waits for the disk. Every measurement is committed.
    """
    count = [0]

    def counting(change):
        def changed(path, *arguments, **options):
            if Path(path).is_relative_to(directory.root):
                if count[0] == at:
                    raise Killed
                count[0] += 1
            return change(path, *arguments, **options)

        return changed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", counting(os.replace))
        patch.setattr(os, "unlink", counting(os.unlink))
        patch.setattr(Path, "touch", counting(Path.touch))
        patch.setattr(os, "fsync", lambda _file: None)
        commit_always(patch)
        yield count


def commit_always(patch) -> None:
    """Commit at every measurement, whatever that costs."""
    patch.setattr(commit_timer, "WRITING_SHARE", math.inf)
    patch.setattr(commit_timer, "INTERVAL_SHARE", 0.0)


def train(grid, out: Path) -> SweepDir:
    """Train what a grid lacks under ``out``, as ``run_sweep`` does, without analysis."""
    directory, backend = SweepDir(out / grid.name), InProcessBackend()
    plan = next_plan(directory, grid, backend)
    if plan is not None:
        backend.run(directory, plan, grid, lambda _progress: None)
    return directory


def train_dying(grid, out: Path, *at: int) -> SweepDir:
    """Train a grid in processes that die before change number ``at`` of the disk, one after the other, then to its end.

    A process that is done before just ends.
    """
    for number in at:
        with dying(SweepDir(out / grid.name), number), suppress(Killed):
            train(grid, out)
    with dying(SweepDir(out / grid.name)):
        return train(grid, out)


def changes(grid, out: Path) -> int:
    """How often the disk changes while a grid is trained."""
    with dying(SweepDir(out / grid.name)) as count:
        train(grid, out)
    return count[0]


def small(*settings: str, text: str):
    """A grid that commits at every measurement."""
    return load_grid(text, "grid.yaml", ("recovery.commit_seconds=0", *settings))


def packs_of(number):
    """A grid of four points in packs of so many."""
    return small(f"resources.pack={number}", "axes={eta: [0.1, 0.3], lam: [0.01, 0.03], seed: [0]}", text=GRID)


def assert_sound(directory, points):
    """All of so many points have completed, no row is there twice, and no file is damaged."""
    rows = read_rows(directory)
    assert not rows.duplicated(["point", "step"]).any()
    assert rows["point"].nunique() == points
    assert {end.outcome for end in read_ends(directory).values()} == {Outcome.COMPLETED}
    assert verify(directory)[0].damage == ()


class DyingBackend(InProcessBackend):
    """A backend whose process dies after so many changes of the disk."""

    def __init__(self, at):
        self._at = at

    def run(self, directory, *arguments):
        with dying(directory, self._at):
            super().run(directory, *arguments)
