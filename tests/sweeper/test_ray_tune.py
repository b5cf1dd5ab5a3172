import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from tests_support import SMALL

from results.frames import read_rows
from results.parts import read_ends

pytestmark = pytest.mark.ray


def _listeners(pids):
    """(address, port) of every TCP listener of these processes, from /proc."""
    inodes = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = str(descriptor.readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.append(fields[1].split(":")[0])
    return found


def _descendants(pid):
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    todo, found = [pid], []
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_every_listener_is_on_loopback(ray_backend):
    addresses = _listeners(_descendants(os.getpid()))
    assert addresses
    loopback = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
    assert set(addresses) <= loopback


def test_nothing_is_printed_but_the_progress(tmp_path):
    grid = tmp_path / "g.yaml"
    grid.write_text(SMALL)
    command = [sys.executable, "-m", "sweeper", "run", grid, "--out", tmp_path / "runs", "--tracking-uri", "none"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0].startswith("small: 6 points in ")
    assert lines[-1].startswith("6/6 points")
    assert not [line for line in lines if "ray" in line.lower() or "warning" in line.lower()]
    assert "scaling" in done.stdout
    assert not (tmp_path / "runs/small/.ray").exists()


def _training_workers():
    """Processes that train a pack at this moment; Ray names them so."""
    found = []
    for pid in _descendants(os.getpid()):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_text().startswith("ray::ImplicitFunc.train"):
                found.append(pid)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_worker_costs_no_row_and_gives_none_twice(train, small_grid, ray_backend, capfd):
    long = ("budget={rule: fixed, constant: 8000}", "axes={eta: [0.1], lam: [0.001, 0.01]}", "resources.pack=1")

    class Killing:
        def __init__(self):
            self.killed, self.workers = [], ray_backend.workers

        def run(self, directory, plan, grid, notify):
            def kill_once(progress):
                if progress.steps and not self.killed:
                    self.killed = _training_workers()[:1]  # none while they wait to be heard
                    for pid in self.killed:
                        os.kill(pid, signal.SIGKILL)
                notify(progress)

            ray_backend.run(directory, plan, grid, kill_once)

    backend = Killing()
    directory, _, _ = train(small_grid(*long, "name=killed"), lambda: backend)
    assert backend.killed
    attempts = {end.attempt for end in read_ends(directory).values()}
    reference, _, _ = train(small_grid(*long, "name=reference"))
    tables = [read_rows(d)[["point", "step", "test_loss", "weight_norm"]] for d in (directory, reference)]
    pd.testing.assert_frame_equal(*(t.astype({"point": str}) for t in tables))
    assert attempts <= {0, 1}
    assert "raylet" not in capfd.readouterr().out
