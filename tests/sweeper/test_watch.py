"""``sweeper watch``: a sweep in another process, followed until it has ended."""

import io
import os
import subprocess
import sys
import threading

import pytest
from rich.console import Console

from sweeper.status import line, status_of, watch

GRID = """
name: followed
trainable: {model: {name: fc, width: 8, depth: 1}, data: {name: digits, train: 64}}
axes: {eta: [0.1], lam: [0.01, 0.1], seed: [0, 1]}
budget: {rule: fixed, constant: 6000}
measure: {every: {steps: 500}}
resources: {pack: 1}
recovery: {commit_seconds: 0.1}
"""


@pytest.fixture
def running(tmp_path):
    (tmp_path / "g.yaml").write_text(GRID)
    command = [sys.executable, "-m", "sweeper", "run", "g.yaml", "--backend", "inprocess", "--tracking-uri", "none"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield process, tmp_path / "runs/followed"
        process.kill()


def test_a_sweep_of_another_process_is_followed_to_its_end(running):
    process, folder = running
    ready = threading.Event()
    while process.poll() is None and not (folder / "plan.json").is_file():
        ready.wait(0.05)
    said = io.StringIO()
    watch(folder, Console(file=said, width=200), 0.1)
    lines = said.getvalue().splitlines()
    assert lines[-2] == "followed 4/4 points"
    assert lines[-1].endswith("runs/followed/report.html")
    assert (folder / "report.html").is_file()
    assert len(lines) > 2
    assert len(set(lines)) == len(lines)  # said again only where something has changed
    assert any("run by" in text and str(process.pid) in text for text in lines)
    assert process.wait(60) == 0


def test_a_sweep_that_nobody_runs_is_told(running):
    process, folder = running
    while process.poll() is None and not (folder / "plan.json").is_file():
        threading.Event().wait(0.05)
    process.kill()
    process.wait()
    status = status_of(folder)
    assert status.missing
    assert "nobody runs it" in line(status)
    assert os.fspath(folder).endswith(status.sweep)
