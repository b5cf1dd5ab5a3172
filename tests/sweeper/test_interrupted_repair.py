"""Whoever dies while it repairs, cleans or analyzes leaves nothing that the next run does not put right."""

import os
import shutil
from contextlib import suppress

import pytest
from crash_support import DyingBackend, Killed, commit_always, dying
from faults_support import Sweep, assert_same, flip_a_byte
from tests_support import SMALL

from results.store.parts import valid_parts_in
from results.store.sweep_dir import SweepDir
from sweeper.health.verify import verify

SETTINGS = ("measure={log: 3}", "resources.pack=3", "recovery.commit_seconds=0", "keep_weights=true")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The same sweep, undisturbed."""
    sweep = Sweep(tmp_path_factory.mktemp("whole"), *SETTINGS, text=SMALL)
    with pytest.MonkeyPatch.context() as patch:
        commit_always(patch)
        sweep.run()
    return sweep.directory


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A sweep that was killed in its training, and some of whose files were damaged since."""
    sweep = Sweep(tmp_path_factory.mktemp("damaged"), *SETTINGS, text=SMALL)
    with suppress(Killed):
        sweep.run(lambda: DyingBackend(30))
    directory = sweep.directory
    flip_a_byte(directory.rows / valid_parts_in(directory)[0].file)
    flip_a_byte(max(directory.checkpoints.iterdir()))
    return directory


def dies(folder, damaged, at):
    """A copy of the damaged sweep whose repair died before change ``at``; whether it came so far."""
    sweep = Sweep(folder / str(at), *SETTINGS, text=SMALL)
    shutil.copytree(damaged.root, sweep.directory.root)
    with dying(sweep.directory, at) as count, suppress(Killed):
        verify(sweep.directory, repair=True)
    return sweep, count[0] == at


def test_a_repair_that_dies_between_two_files_is_finished_by_the_next_run(tmp_path, whole, damaged):
    at, more = 0, True
    while more:
        sweep, more = dies(tmp_path, damaged, at)
        sweep.run()
        assert_same(sweep.directory, whole)
        found, _ = verify(sweep.directory)
        assert (found.damage, found.waste, found.outdated) == ((), (), ())
        assert not sweep.directory.checkpoints.exists()
        at += 2
    assert at > 4


def test_checkpoints_that_nothing_goes_on_from_are_removed_where_nothing_is_to_be_trained(tmp_path, whole):
    sweep = Sweep(tmp_path, *SETTINGS, text=SMALL)
    shutil.copytree(whole.root, sweep.directory.root)
    sweep.directory.checkpoints.mkdir()
    (sweep.directory.checkpoints / f"{sweep.packs()[0]}-{'0' * 12}.pt").write_bytes(b"left behind")
    (sweep.directory.root / f".points.parquet.{os.getpid()}.tmp").touch()
    sweep.run()
    found, _ = verify(sweep.directory)
    assert (found.damage, found.waste, found.outdated) == ((), (), ())
    assert not SweepDir(sweep.directory.root).checkpoints.exists()
