"""Real sweeps, real processes and real signals, for the tests and the benchmark of faults."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
from rich.console import Console

from results.store.ledger import read_ends
from results.store.parts import valid_parts_in
from results.store.sweep_dir import SweepDir
from results.store.tables import read_rows
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.driver.run import run_sweep

GRID = """
name: faults
trainable:
  model: {name: fc, width: 16, depth: 2}
  data: {name: digits, train: 64}
  batch: 16
axes: {eta: [0.1, 0.3], lam: [0.01, 0.03], seed: [0, 1]}
budget: {rule: inverse_eta_lam, constant: 1}
measure: {every: {steps: 20}}
analysis: {budgets: [30, 100]}
resources: {pack: 4}
recovery: {commit_seconds: 0.1}
"""


class Sweep:
    """A sweep below a folder, run by this process or by the command line."""

    def __init__(self, out: Path, *changes: str, text: str = GRID):
        self.out, self.text, self.changes = Path(out), text, changes
        self.grid = load_grid(text, "faults.yaml", changes)
        self.directory = SweepDir(self.out / self.grid.name)
        self.messages = io.StringIO()
        self.streams = self.out  # where the commands' output goes

    def run(self, open_backend=InProcessBackend):
        """In this process, to the end; its account."""
        return run_sweep(self.grid, self.out, open_backend, None, Console(file=self.messages, width=200))

    def command(self, *options):
        """The command line of this sweep."""
        self.out.mkdir(parents=True, exist_ok=True)
        self.streams.mkdir(parents=True, exist_ok=True)
        file = self.streams / "grid-of-the-test.yaml"
        file.write_text(self.text)
        changes = [word for change in self.changes for word in ("--set", change)]
        tracking = [] if "--tracking-uri" in options else ["--tracking-uri", "none"]
        return [
            sys.executable,
            "-m",
            "sweeper",
            "run",
            str(file),
            "--out",
            str(self.out),
            *changes,
            *tracking,
            *options,
        ]

    @contextlib.contextmanager
    def running(self, *options, **environment):
        """The command in a session of its own; what is left of it at the end is killed."""
        command = self.command(*options)
        with (self.streams / "stderr").open("a") as log, (self.streams / "stdout").open("a") as out:
            process = subprocess.Popen(
                command, stdout=out, stderr=log, start_new_session=True, env=os.environ | environment
            )
            try:
                yield process
            finally:
                kill_all(process)

    def finish(self, *options, timeout=300, **environment):
        """The command, to its end; its exit status."""
        with self.running(*options, **environment) as process:
            return process.wait(timeout)

    @property
    def stderr(self):
        """All that the commands of this sweep have said so far."""
        return (self.streams / "stderr").read_text()

    def wait_for_parts(self, count, process=None, seconds=120):
        """Until so many parts are committed."""
        wait_for(lambda: len(valid_parts_in(self.directory)) >= count, process, seconds)

    def packs(self):
        """Ids of packs in the order of the plan."""
        from results.store.plan_file import read_plan

        return [pack.id for pack in read_plan(self.directory).packs]


def wait_for(condition, process=None, seconds=120.0):
    """Until ``condition`` holds; fails if ``process`` ends before, or it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, f"ended with status {process.returncode}"
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def table(directory):
    """All rows without what tells one attempt from another."""
    return read_rows(directory).drop(columns=["sweep", "attempt", "seconds"]).astype({"point": str, "pack": str})


def outcomes(directory):
    """Point id to all that its end says, but for the time and the number of the attempt."""
    ends = sorted(read_ends(directory).items())
    return {p: replace(end, attempt=0, seconds=0.0) for p, end in ends}


def assert_same(directory, reference):
    """Two sweeps hold the same rows and ends to the last bit, none lost and none twice."""
    rows = table(directory)
    assert not rows.duplicated(["point", "step"]).any()
    pd.testing.assert_frame_equal(rows, table(reference), check_exact=True)
    assert outcomes(directory) == outcomes(reference)


def descendants(pid):
    """Process ids to command lines of ``pid`` and all below it."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            children.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    todo, found = [pid], {}
    while todo:
        this = todo.pop()
        with contextlib.suppress(OSError):
            found[this] = Path(f"/proc/{this}/cmdline").read_text().replace("\0", " ")
        todo += children.get(this, [])
    return found


def listeners(pids):
    """Addresses, as /proc writes them, at which these processes listen."""
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


def training_workers(pid):
    """Workers below ``pid`` that train a pack at this moment; Ray names them so."""
    return [p for p, line in descendants(pid).items() if line.startswith("ray::ImplicitFunc.train")]


def ray_process(pid, name):
    """The ``raylet`` or ``gcs_server`` below ``pid``; None while Ray is being started again."""
    return next((p for p, line in descendants(pid).items() if line.partition(" ")[0].endswith(f"/{name}")), None)


def kill_all(process):
    """Kill a process that we started and all below it."""
    for pid in [process.pid, *descendants(process.pid)] if process.poll() is None else []:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def flip_a_byte(path, where=0.5):
    """Damage one byte of a file in place, as a bad disk does."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * where)] ^= 0x10
    path.write_bytes(bytes(content))


def truncate(path):
    """Tear a file in two and keep the first half."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@contextlib.contextmanager
def small_disk(folder, megabytes=4):
    """A file system of its own at ``folder``; skips the test where mounting is not allowed."""
    import pytest

    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a file system is not permitted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    """Write a file until the disk is full; its path."""
    path = folder / "filler"
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return path


def remount(folder, how):
    """``ro`` or ``rw``. With ``-o remount,ro`` a file being written makes mount refuse; so again until it does it."""
    wait_for(lambda: not subprocess.run(["mount", "-o", f"remount,{how}", folder], check=False).returncode, seconds=20)


def held_by_mlflow(uri, name):
    """Point id to the histories of its run: metric to its (step, time) pairs."""
    from mlflow import MlflowClient  # noqa: TID251 - to see what it holds

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(name)
    runs = client.search_runs([experiment.experiment_id], max_results=1000) if experiment else ()
    return {
        run.data.tags["sweeper.point"]: {
            key: [(m.step, m.timestamp) for m in client.get_metric_history(run.info.run_id, key)]
            for key in run.data.metrics
        }
        for run in runs
        if "sweeper.point" in run.data.tags
    }


def assert_no_step_twice(uri, directory):
    """MLflow has a run for every ended point, and no value of a curve twice at one step."""
    from sweeper.tracking.curves import CURVES

    held = held_by_mlflow(uri, directory.name)
    assert held.keys() == read_ends(directory).keys()
    for metrics in held.values():
        for curve in CURVES:
            steps = [step for step, _ in metrics[curve]]
            assert len(steps) == len(set(steps)) > 0
