"""The folder of a process that no other user can enter."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHOW = "from sweeper.private import private_folder as f; p = f(); print(p, oct(p.stat().st_mode & 0o777), flush=True)"


def run(code: str, **environment: str) -> str:
    """What a process prints; an environment of its own."""
    command = [sys.executable, "-c", code]
    usual = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=usual | environment, capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


@pytest.fixture
def short(tmp_path):
    """A folder with a short path."""
    link = Path(f"/tmp/sv{os.getpid()}")
    link.symlink_to(tmp_path)
    yield link
    link.unlink()


def test_nobody_else_can_enter_it_and_it_goes_with_its_process(short):
    folder, mode = run(SHOW, RAY_TMPDIR=str(short)).split()
    assert Path(folder).parent == short
    assert mode == "0o700"
    assert not Path(folder).exists()


@pytest.mark.parametrize(
    "folder", ["/tmp/" + "slurm_jobdir" * 9, "/proc/nowhere", "/dev/null", "", "/tmp/no such folder", "/" + "ü" * 60]
)
@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_a_folder_of_the_user_that_cannot_be_used_is_passed_over(folder, variable):
    path = Path(run(SHOW, **{variable: folder}).split()[0])
    assert path.parent in {Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")}
    assert len(os.fsencode(path)) <= 36


def test_without_any_folder_the_remedy_is_named():
    code = "import sweeper.private as p; from pathlib import Path; p._parents = lambda: iter([Path('/proc/x')]); "
    said = run(code + "p.private_folder()")
    assert "Set RAY_TMPDIR to one, or use --backend inprocess" in said
    assert "/proc/x" in said


def test_the_folder_of_a_process_that_was_killed_is_removed_by_the_next_and_that_of_a_living_one_is_not(short):
    command = [sys.executable, "-c", f"{SHOW}; import time; time.sleep(100)"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_TMPDIR": str(short)}
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = [Path(process.stdout.readline().split()[0]) for process in both]
    both[0].send_signal(signal.SIGKILL)
    both[0].wait()
    run(SHOW, RAY_TMPDIR=str(short))
    present = [folder.exists() for folder in folders]
    both[1].kill()
    both[1].wait()
    assert present == [False, True]
