"""The end of a run, and analyses that are later than it."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from crash_support import DyingBackend, Killed
from faults_support import Sweep, wait_for
from tests_support import SMALL

from results.conclude import conclude
from results.store.generation import Generation, parse_generation, stored_generation
from results.store.state import read_state
from results.store.tables import read_points
from sweeper.health.verify import verify

SETTINGS = ("measure={log: 3}", "resources.pack=3", "recovery.commit_seconds=0")


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A sweep of six points, three of which have ended when its run is killed."""
    sweep = Sweep(tmp_path_factory.mktemp("begun"), *SETTINGS, text=SMALL)
    with suppress(Killed):
        sweep.run(lambda: DyingBackend(24))
    return sweep


@pytest.fixture
def sweep(begun, tmp_path):
    copy = Sweep(tmp_path, *SETTINGS, text=SMALL)
    shutil.copytree(begun.directory.root, copy.directory.root)
    return copy


def assert_current(directory):
    """Every file was made of all six points."""
    assert len(read_points(directory)) == 6
    found, _ = verify(directory)
    assert (found.damage, found.outdated) == ((), ())
    assert "6 ended" in directory.report.read_text()


@pytest.mark.parametrize("flush", [1, 11, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 5, 7, 9, 13, 25))])
def test_an_analysis_that_sleeps_while_it_flushes_a_file_gives_way_to_the_run_that_ended(sweep, flush, monkeypatch):
    """Each file is flushed, then its folder."""
    fsync, count = os.fsync, [0]

    def flushed(file):
        count[0] += 1
        if count[0] == flush:
            sweep.run()
        fsync(file)

    state = read_state(sweep.directory)
    assert 0 < len(state.ends) < 6
    monkeypatch.setattr(os, "fsync", flushed)
    result = conclude(state)
    assert result.superseded
    assert len(result.ends) < 6
    assert_current(sweep.directory)


def test_analyses_of_a_sweep_that_goes_on_are_written(sweep):
    """Nobody has written anything later: the parts that were added since will be in the next analysis."""
    state = read_state(sweep.directory)
    with suppress(Killed):
        sweep.run(lambda: DyingBackend(4))
    assert read_state(sweep.directory).footers.keys() != state.footers.keys()
    assert not conclude(state).superseded
    assert len(read_points(sweep.directory)) == len(state.ends)
    sweep.run()
    assert_current(sweep.directory)


def test_an_analysis_of_fewer_parts_is_written_if_these_are_all_there_are(sweep):
    sweep.run()
    directory = sweep.directory
    for path in list(directory.rows.iterdir())[1:]:
        path.unlink()
    assert not conclude(read_state(directory)).superseded
    assert len(read_points(directory)) < 6


SLEEPER = """
import os, signal, sys
from sweeper.cli.app import main

fsync, left = os.fsync, [int(sys.argv.pop(1))]

def flushed(file):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    fsync(file)

os.fsync = flushed
main()
"""


@pytest.mark.parametrize("after", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_late_analysis_says_that_it_gives_way(sweep, after):
    words = [sys.executable, "-c", SLEEPER, str(after), "analyze", str(sweep.directory.root)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for(lambda: Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "T", process)
            sweep.run()
            process.send_signal(signal.SIGCONT)
            said, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, errors) == (0, "")
    assert "superseded: the sweep has gone on meanwhile" in said


def test_generations_are_read_as_they_are_written(tmp_path):
    generation = Generation(attempts=3, parts=14, digest="0123456789ab")
    assert parse_generation(str(generation)) == generation
    for other in ("", "3-14", "3-14-0123456789ag", "-3-14-0123456789ab", "3-14-0123456789ab\n", None, 7):
        assert parse_generation(other) is None
    (tmp_path / "x.parquet").write_bytes(b"none")
    assert stored_generation(tmp_path / "x.parquet") is None
    assert stored_generation(tmp_path / "absent.parquet") is None
