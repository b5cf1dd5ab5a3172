"""One run at a time, whoever dies."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from sweeper.lock.lock import locked

ROOT = Path(__file__).parents[3]
HOLDER = """
import sys, time
from pathlib import Path
from results.store.sweep_dir import SweepDir
from sweeper.lock.lock import locked
with locked(SweepDir(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def sweep(tmp_path):
    return SweepDir(tmp_path / "demo")


@pytest.fixture
def other(sweep):
    """Another process that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(sweep.root)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            assert process.stdout.readline() == b"held\n"
            yield process
        finally:
            process.kill()


def test_a_second_process_is_refused_and_told_who_holds_the_sweep(sweep, other):
    with pytest.raises(InputError) as refusal, locked(sweep):
        pytest.fail("two hold it")
    assert re.fullmatch(
        rf"{sweep.root}: this sweep is being run already, by process {other.pid} on {re.escape(socket.gethostname())} "
        rf"since [\d:T+-]+\. Wait for it, stop it \(kill -INT {other.pid}\), or give this run a name of its own "
        rf"\(--name demo-2\)\. 'sweeper status {sweep.root}' shows how far it is\.",
        str(refusal.value),
    )
    assert sweep.lock.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_whoever_was_killed_holds_nothing(sweep, other, number):
    other.send_signal(number)
    other.wait()
    with locked(sweep):
        assert json.loads(sweep.lock.read_text())["pid"] == os.getpid()


def test_it_is_one_at_a_time_in_one_process_too(sweep):
    with locked(sweep), pytest.raises(InputError, match=f"by process {os.getpid()} on"), locked(sweep):
        pytest.fail("two hold it")


def test_it_can_be_taken_again_and_an_error_gives_it_back(sweep):
    sweep.root.mkdir()
    (sweep.root / "grid.yaml").touch()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), locked(sweep):
            raise KeyboardInterrupt
    with locked(sweep):
        pass
    assert sweep.lock.read_text() == ""


def test_sweeps_do_not_lock_each_other(sweep, other, tmp_path):
    with locked(SweepDir(tmp_path / "another")):
        pass


def test_nothing_is_left_where_nothing_came_of_it(sweep, tmp_path):
    with pytest.raises(InputError, match="no GPU"), locked(sweep):
        raise InputError("no GPU")
    assert not sweep.root.exists()
    assert tmp_path.exists()


@pytest.mark.parametrize("said", ["", "{", "[]", '{"host": 1}', "\\x1b[31m"])
def test_a_holder_that_has_not_said_who_it_is_is_another_process(sweep, said):
    with locked(sweep):
        sweep.lock.write_text(said)
        with pytest.raises(InputError, match=r"is being run already, by another process\. Wait"), locked(sweep):
            pytest.fail("two hold it")
