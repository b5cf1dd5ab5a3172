"""A signal ends every command in one way, whatever it is doing: status 130, and a line on how to go on."""

import io
import os
import signal
import subprocess
import sys
import threading

import pytest
from rich.console import Console
from tests_support import SMALL
from typer.testing import CliRunner

from results.store.sweep_dir import SweepDir
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.cli.app import app
from sweeper.driver.run import run_sweep
from sweeper.health.verify import verify
from sweeper.signals import SignalInterrupt, interrupted_by_signals, is_raised_by_signal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RUN = ("run", "small.yaml", "--backend", "inprocess", "--tracking-uri", "none")
PHASES = {  # what is being done, by which command, and which function does it
    "reading": (RUN, "sweeper.driver.run.read_state"),
    "preparing": (RUN, "sweeper.driver.run.prepare_for_run"),
    "planning": (RUN, "sweeper.driver.run.store_plan"),
    "cleaning": (RUN, "sweeper.driver.run.clean_up"),
    "concluding": (RUN, "results.conclude.write_points"),
    "analyzing the run": (RUN, "results.analyze.judge"),
    "drawing": (RUN, "results.analyze.draw_all"),
    "writing the report": (RUN, "results.analyze.render_report"),
    "analyzing": (("analyze", "runs/small"), "results.analyze.find_from"),
    "repairing": (("verify", "runs/small", "--repair"), "sweeper.health.verify.remove_damage"),
    "verifying": (("verify", "runs/small"), "sweeper.health.verify.take_inventory"),
    "comparing": (("compare", "runs/small", "runs/other"), "results.compare.draw_comparison"),
    "drawing a figure": (("figure", "2", "runs/small"), "results.figures.paper.draw.draw_figure"),
    "tracking": (("track", "runs/small"), "sweeper.tracking.mirror.Mirror.finish"),
}


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    """A folder with two sweeps that have ended."""
    folder = tmp_path_factory.mktemp("sweeps")
    (folder / "small.yaml").write_text(SMALL)
    for name in ("small", "other"):
        grid = load_grid(SMALL, "small.yaml", ["axes.lam=[0.01]", f"name={name}"])
        run_sweep(grid, folder / "runs", InProcessBackend, None, Console(file=io.StringIO()))
    return folder


@pytest.mark.parametrize("phase", PHASES)
def test_a_signal_ends_a_command_with_a_line(sweeps, monkeypatch, phase):
    words, function = PHASES[phase]
    number = SIGNALS[list(PHASES).index(phase) % 3]
    monkeypatch.chdir(sweeps)
    monkeypatch.setattr(function, lambda *_, **__: signal.raise_signal(number))
    before = {n: signal.getsignal(n) for n in SIGNALS}
    result = CliRunner().invoke(app, words)
    monkeypatch.undo()
    assert result.exit_code == 130, result.output
    said = " ".join(result.stderr.split())
    assert "Interrupted. " in said
    assert "run the same command again" in said
    assert "Traceback" not in said
    assert {n: signal.getsignal(n) for n in SIGNALS} == before
    directory = SweepDir(sweeps / "runs/small")
    assert not verify(directory)[0].damage
    assert not list(directory.root.rglob(".*.tmp"))


SIGNALED = """
import os, signal, sys
import sweeper.driver.run
from sweeper.cli.app import main

number = int(sys.argv.pop(1))
sweeper.driver.run.prepare_for_run = lambda *_: os.kill(os.getpid(), number)
main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)])
def test_a_process_that_puts_a_sweep_in_order_ends_with_status_130(tmp_path, number):
    (tmp_path / "small.yaml").write_text(SMALL)
    words = [sys.executable, "-c", SIGNALED, str(int(number)), *RUN]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False, env=os.environ)
    assert done.returncode == 130, done.stderr
    assert "Interrupted. Points that ended are stored; run the same command again to continue." in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs/small").exists()


def test_a_process_that_is_to_survive_its_terminal_ignores_hangups():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupted_by_signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_interrupts_of_signals_are_told_from_those_of_code():
    assert not is_raised_by_signal(ValueError())
    assert is_raised_by_signal(KeyboardInterrupt())  # Python's own handler is in place
    with interrupted_by_signals():
        assert is_raised_by_signal(SignalInterrupt())
        assert not is_raised_by_signal(KeyboardInterrupt())
    seen = []
    thread = threading.Thread(target=lambda: seen.append(is_raised_by_signal(KeyboardInterrupt())))
    thread.start(), thread.join()
    assert seen == [False]
