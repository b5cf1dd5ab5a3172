"""What commands print, on any terminal and into any file, in real processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# An answer like those of the commands: of rich's markup, of plain lines, and of a name that is no text.
ANSWER = r"""
import sys
from sweeper.cli.output import lasting_output, print_json
from sweeper.console import stderr, stdout
with lasting_output():
    stderr().print("κ ≈ 0.5 …", highlight=False)
    stdout().print("[green]✓ pass[/] λ = 0.1 × η, naïve", highlight=False)
    print("runs/\udcff/λ")
    sys.exit(int(sys.argv[1]))
"""
JSON = r"""
import sys
from sweeper.cli.output import lasting_output, show
class Answer:
    def to_json(self):
        return {"claim": "\u03bb \u221d 1/T \u2713", "[red]value[/]": 0.5, "path": "runs/\udcff"}
with lasting_output():
    show(Answer(), as_json=True)
    sys.exit(0)
"""


def run(code, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **environment):
    """Run Python; returns the finished process with bytes."""
    command = [sys.executable, *(("-m", "sweeper") if code is None else ("-c", code)), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"} | environment
    return subprocess.run(command, stdout=stdout, stderr=stderr, env=environment, timeout=100, check=False)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("ascii", b"? pass ? = 0.1 ? ?, na?ve\nruns/?/?\n"),
        ("latin-1", b"? pass ? = 0.1 \xd7 ?, na\xefve\nruns/?/?\n"),
        ("cp1252", b"? pass ? = 0.1 \xd7 ?, na\xefve\nruns/?/?\n"),
        ("koi8-r", b"? pass ? = 0.1 ? ?, na?ve\nruns/?/?\n"),
        ("utf-8", "✓ pass λ = 0.1 × η, naïve\nruns/?/λ\n".encode()),
        ("ascii:strict", b"? pass ? = 0.1 ? ?, na?ve\nruns/?/?\n"),
    ],
)
def test_characters_that_a_terminal_lacks_are_replaced(encoding, said):
    done = run(ANSWER, 0, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stdout) == (0, said)
    assert done.stderr.endswith(b" 0.5 ?\n" if encoding not in {"utf-8", "cp1252"} else " 0.5 …\n".encode(encoding))


@pytest.mark.parametrize(
    "environment",
    [
        {"FORCE_COLOR": "1"},
        {"FORCE_COLOR": "1", "PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"COLUMNS": "20"},
        {"CLICOLOR_FORCE": "1", "TTY_COMPATIBLE": "1", "TERM": "xterm-256color"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=str,
)
def test_json_is_plain_ascii(environment):
    done = run(JSON, **environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.decode("ascii")) == {
        "claim": "λ ∝ 1/T ✓",
        "[red]value[/]": 0.5,
        "path": "runs/\udcff",
    }


@pytest.mark.parametrize("status", [0, 1, 2])
def test_a_reader_that_has_left_changes_nothing(status):
    read, write = os.pipe()
    os.close(read)
    done = run(ANSWER, status, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (status, "κ ≈ 0.5 …\n".encode())


@pytest.mark.parametrize(("status", "ended"), [(0, 1), (1, 1), (2, 2), (130, 130)])
def test_an_answer_that_cannot_be_written_is_one_line(status, ended):
    with Path("/dev/full").open("wb") as full:
        done = run(ANSWER, status, stdout=full)
    assert (done.returncode, done.stderr) == (
        ended,
        "κ ≈ 0.5 …\nerror: standard output: No space left on device.\n".encode(),
    )


@pytest.mark.parametrize("status", [0, 2])
def test_progress_that_cannot_be_written_is_no_fault_of_the_answer(status):
    with Path("/dev/full").open("wb") as full:
        done = run(ANSWER, status, stderr=full)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (status, "runs/?/λ".encode())


@pytest.mark.parametrize("closed", [1, 2])
def test_an_output_that_is_closed_from_the_start_is_left_alone(closed):
    code = f"import os, sys; os.close({closed}); os.execv(sys.executable, [sys.executable, '-c', sys.argv[1], '0'])"
    assert run(code, ANSWER).returncode == 0


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("run", "--help"), ("schema",)])
def test_commands_themselves_go_into_a_full_disk_in_a_line(arguments):
    with Path("/dev/full").open("wb") as full:
        done = run(None, *arguments, stdout=full, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (1, b"error: standard output: No space left on device.\n")
