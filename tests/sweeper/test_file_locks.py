"""Locks on files: for one process or for several readers, and free again when their holder has died."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests_support import SMALL

from sweeper.file_locks import NoLocksError, try_lock

ROOT = Path(__file__).parents[2]
HOLD = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"


@pytest.fixture
def path(tmp_path):
    (tmp_path / "lock").touch()
    return tmp_path / "lock"


def test_a_lock_is_for_one_until_its_file_is_closed(path):
    with path.open("r+") as first, path.open("r+") as second:
        assert try_lock(first)
        assert not try_lock(second)
        assert not try_lock(second, shared=True, seconds=0.1)
        first.close()
        assert try_lock(second)


def test_readers_share_a_lock_and_keep_writers_out(path):
    with path.open() as first, path.open() as second, path.open("r+") as third:
        assert try_lock(first, shared=True)
        assert try_lock(second, shared=True)
        assert not try_lock(third)


def test_a_lock_of_a_killed_process_is_waited_for_and_free(path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    with path.open("r+") as file:
        assert not try_lock(file)
        threading.Timer(0.2, holder.kill).start()
        assert try_lock(file, seconds=60)
    holder.wait()


def test_a_file_system_without_locks_is_told_from_a_lock_that_is_taken(path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with path.open("r+") as file, pytest.raises(NoLocksError, match="not supported"):
        try_lock(file)


# What Windows has not. A grid is planned, a forecast is guessed and a sweep is analyzed there; only a run needs locks.
HIDDEN = """
import signal, sys
class Hide:
    def find_spec(name, path=None, target=None):
        if name in {"fcntl", "resource", "pwd", "grp", "termios"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide)
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules.pop(name, None)
del signal.SIGHUP
import warnings
warnings.simplefilter("ignore")
from sweeper.cli.app import main
main()
"""


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["plan", "small.yaml"], 0, "6 = 2 eta × 3 lam"),
        (["predict", "small.yaml", "--budget", "100", "--dry", "--set", "axes.eta=[0.1]"], 0, "λ"),
        (["analyze", "small"], 0, "6 completed"),
        (["status", "small"], 0, "6 completed"),
        (["run", "small.yaml", "--backend", "inprocess"], 2, "Windows has no flock; use WSL"),
    ],
)
def test_what_needs_no_lock_works_where_there_is_none(sweep, small_grid, tmp_path, words, status, said):
    if words[0] in {"analyze", "status"}:
        sweep(small_grid())
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN, *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert said in done.stdout + done.stderr
