"""A home and a user name where the system names none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(code: str, **environment: str) -> str:
    """What a process prints; an environment of its own."""
    command = [sys.executable, "-c", code]
    usual = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=usual | environment, capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


@pytest.mark.skipif(os.geteuid() != 0, reason="takes another user id")
def test_a_user_without_a_home_gets_one_of_its_own():
    code = (
        "import os; os.setgid(54321); os.setuid(54321); "
        "from sweeper.user_environment import ensure_home; ensure_home(); "
        "import getpass, pathlib; h = pathlib.Path.home(); print(h, oct(h.stat().st_mode & 0o777), getpass.getuser())"
    )
    home, mode, user = run(f"import getpass, pwd, sweeper.user_environment; {code}").split()
    assert home.startswith("/tmp/sweeper.")
    assert (mode, user) == ("0o700", "user54321")


def test_a_home_that_exists_is_kept(tmp_path):
    code = "from sweeper.user_environment import ensure_home; ensure_home(); import os; print(os.environ['HOME'])"
    assert run(code, HOME=str(tmp_path)) == str(tmp_path)
