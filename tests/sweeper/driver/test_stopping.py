"""Ctrl-C, SIGTERM and SIGHUP, as a user or a machine that goes away sends them: the same command goes on from there."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from crash_support import train
from faults_support import assert_same

from results.store.commits import read_commit
from results.store.ledger import read_ends
from results.store.parts import valid_parts_in
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points, read_rows
from search_spaces.reading.load import load_grid
from sweeper.driver.stopping import stop_on_signals
from sweeper.signals import SignalInterrupt
from sweeper.worker.messages import stop_requested

ROOT = Path(__file__).parents[3]
MODULE = """
import os, time
import torch
from torch import nn
from trainables.data import Dataset
from trainables.task import Task

class Slow(nn.Module):
    "Passes on what it gets; takes its time where the environment says so."
    def forward(self, x):
        time.sleep(float(os.environ.get("SLOW", 0)))
        return x

def task():
    x = torch.randn(80, 3, generator=torch.Generator().manual_seed(0))
    data = Dataset.from_tensors(x[:40], (x[:40, 0] > 0).long(), x[40:], (x[40:, 0] > 0).long(), classes=2)
    return Task(lambda: nn.Sequential(Slow(), nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)), data)
"""
GRID = """
name: stopped
trainable: {function: slow_module:task, batch: 10}
axes: {eta: [0.1], lam: [0.01, 0.1]}
budget: {rule: fixed, constant: 500, exceptions: [{eta: 0.1, lam: 0.1, epochs: 1}]}
measure: {every: {steps: 4}}
recovery: {commit_seconds: 0}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the grid and its code are."""
    folder = tmp_path_factory.mktemp("stopping")
    (folder / "slow_module.py").write_text(MODULE)
    (folder / "grid.yaml").write_text(GRID)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder


@pytest.fixture(scope="module")
def reference(folder):
    return train(load_grid(GRID, "grid.yaml"), folder / "reference")


def start(folder, out, **environment):
    command = [sys.executable, "-m", "sweeper", "run", "grid.yaml", "--backend", "inprocess", "--tracking-uri", "none"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "160"} | environment
    return subprocess.Popen(
        [*command, "--out", str(out)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def training(folder, tmp_path):
    """A run whose short point has ended and whose long one, of 20 s at least, is under way."""
    directory = SweepDir(tmp_path / "stopped")
    with start(folder, tmp_path, SLOW="0.01") as process:
        try:
            assert process.stderr.readline() == "stopped: starting\n"
            assert process.stderr.readline().startswith("stopped: 2 points in 1 pack")
            limit = time.monotonic() + 60
            while not read_ends(directory) and time.monotonic() < limit:
                time.sleep(0.05)
            yield process, directory
        finally:
            process.kill()


def assert_goes_on(directory, before, reference):
    """All that was committed is still there, as it was, and the rest is as if nothing had happened."""
    assert_same(directory, reference)
    rows = read_rows(directory)
    kept = rows.merge(before, on=["point", "step"], suffixes=("", "_before"))
    assert 0 < len(before) < len(rows)
    assert kept["seconds"].tolist() == before["seconds"].tolist()


@pytest.mark.parametrize(
    "number", [signal.SIGINT, *(pytest.param(n, marks=pytest.mark.slow) for n in (signal.SIGTERM, signal.SIGHUP))]
)
def test_a_signal_lets_the_worker_commit_and_the_same_command_goes_on(training, folder, reference, number):
    process, directory = training
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert f"{number.name}: waiting for 1 worker to commit; press again to leave at once" in stderr
    assert "run the same command again to continue" in stderr
    assert "Traceback" not in stderr + stdout
    assert not directory.stop.exists()
    assert read_commit(directory, valid_parts_in(directory)[-1]).checkpoint is not None
    assert list(read_points(directory)["point"]) == list(read_ends(directory))  # the short one alone
    before = read_rows(directory)
    if number == signal.SIGINT:
        with start(folder, directory.root.parent) as again:
            _, stderr = again.communicate(timeout=100)
        assert again.returncode == 0, stderr
        assert "stopped: 1 point (1 done before) in 1 pack" in stderr
    else:
        train(load_grid(GRID, "grid.yaml"), directory.root.parent)
    assert_goes_on(directory, before, reference)


@pytest.mark.slow
def test_a_second_signal_stops_at_once_and_loses_nothing_that_was_committed(training, folder, reference):
    process, directory = training
    with start(folder, directory.root.parent) as other:
        _, stderr = other.communicate(timeout=60)
    assert other.returncode == 2
    assert f"this sweep is being run already, by process {process.pid} on" in stderr
    process.send_signal(signal.SIGSTOP)  # both signals wait for it, so that it cannot leave after the first
    before = read_rows(directory)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert not directory.stop.exists()
    train(load_grid(GRID, "grid.yaml"), directory.root.parent)
    assert_goes_on(directory, before, reference)


# ----------------------------------------------------------------------------------------------- in this process


@pytest.fixture
def sweep(tmp_path):
    directory = SweepDir(tmp_path / "demo")
    directory.root.mkdir()
    return directory


def waiting():
    return "waiting for workers to commit"


def signalled(sweep, console, *numbers):
    """How many of these signals came before the block was left, and whether workers were asked to stop meanwhile."""
    came, asked = 0, []
    with suppress(KeyboardInterrupt), stop_on_signals(sweep, console, waiting):
        for number in numbers:
            came += 1
            signal.raise_signal(number)
            asked.append(stop_requested(sweep))
    return came, asked


def test_handlers_are_given_back(sweep, quiet):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert signalled(sweep, quiet, signal.SIGTERM) == (1, [True])
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert not stop_requested(sweep)


def test_when_the_workers_have_left_the_run_is_interrupted(sweep, quiet):
    with pytest.raises(KeyboardInterrupt), stop_on_signals(sweep, quiet, waiting):
        signal.raise_signal(signal.SIGINT)
    assert quiet.file.getvalue().startswith("SIGINT: waiting for workers to commit; press again to leave at once")


def test_without_a_signal_nothing_happens(sweep, quiet):
    with stop_on_signals(sweep, quiet, waiting):
        assert not stop_requested(sweep)
    assert quiet.file.getvalue() == ""


def test_the_line_says_what_is_waited_for(sweep, quiet):
    with pytest.raises(SignalInterrupt), stop_on_signals(sweep, quiet, lambda: "waiting for 2 workers"):
        signal.raise_signal(signal.SIGHUP)
    assert quiet.file.getvalue() == "SIGHUP: waiting for 2 workers; press again to leave at once\n"


@pytest.mark.slow
def test_a_second_signal_interrupts_where_it_comes(sweep, quiet):
    assert signalled(sweep, quiet, signal.SIGINT, signal.SIGTERM, signal.SIGINT) == (2, [True])


def test_storage_that_cannot_hold_the_request_interrupts_at_once(sweep, quiet):
    sweep.root.rmdir()
    assert signalled(sweep, quiet, signal.SIGINT, signal.SIGINT) == (1, [])


def test_only_the_main_thread_minds_signals(sweep, quiet):
    before, seen = signal.getsignal(signal.SIGINT), []

    def inside():
        with stop_on_signals(sweep, quiet, waiting):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert seen == [before]
