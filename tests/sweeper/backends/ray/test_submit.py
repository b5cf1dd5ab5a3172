"""A sweep as a job of a real cluster, in a network namespace of its own since Ray listens on all addresses."""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from results.store.ledger import read_ends
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from search_spaces.reading.load import load_grid
from sweeper.backends.ray.code_bundle import _source_files, code_bundle
from sweeper.backends.ray.submit import submit_grid

ROOT = Path(__file__).parents[4]
OWN = """
name: own
trainable: {function: own:task, batch: full}
axes: {eta: [0.1, 0.3], lam: [0.01, 0.1]}
budget: {rule: inverse_eta_lam, constant: 1}
measure: {log: 10}
"""
CODE = """
import torch
from torch import nn
from package.width import WIDTH
from trainables.data import Dataset
from trainables.task import Task

def task():
    x = torch.randn(80, 3, generator=torch.Generator().manual_seed(0))
    data = Dataset.from_tensors(x[:40], (x[:40, 0] > 0).long(), x[40:], (x[40:, 0] > 0).long(), classes=2)
    return Task(lambda: nn.Sequential(nn.Linear(3, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 2)), data)
"""


@pytest.fixture
def folder(tmp_path):
    """Code of one's own, beside what is none."""
    folder = tmp_path / "code"
    for name, text in {
        "own.py": CODE,
        "package/__init__.py": "",
        "package/width.py": "WIDTH = 8",
        "notes.txt": "not code",
        ".hidden/secret.py": "",
        "environment/pyvenv.cfg": "",
        "environment/lib/torch.py": "",
        "node_modules/a.py": "",
        ".#own.py": "",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_code_travels_and_nothing_else(folder):
    with code_bundle(load_grid(OWN, "own.yaml"), folder) as packed:
        files = {str(path.relative_to(packed)) for path in packed.rglob("*") if path.is_file()}
        assert (packed / "own.py").read_text() == CODE
    assert files == {"own.py", "package/__init__.py", "package/width.py"}
    assert not packed.exists()


def test_from_a_clone_sweeper_itself_does_not_travel(folder, monkeypatch):
    """It would hide the installed one, whose pages and tables are no code."""
    (folder / "results").mkdir()
    (folder / "results" / "mine.py").write_text("")  # a package of that name which is not ours does
    for name in ("sweeper", "trainables"):
        (folder / name).symlink_to(ROOT / name)
    with code_bundle(load_grid(OWN, "own.yaml"), folder) as packed:
        assert {path.name for path in packed.iterdir()} == {"own.py", "package", "results"}
    assert not [path for path in _source_files(ROOT) if path.is_relative_to(ROOT / "sweeper")]


def test_a_grid_that_names_no_code_sends_none(folder, small_grid):
    with code_bundle(small_grid(), folder) as packed:
        assert not any(packed.iterdir())


def test_more_than_code_is_refused(folder, monkeypatch):
    monkeypatch.setattr("sweeper.backends.ray.code_bundle.MAX_SOURCE_BYTES", 100)
    with pytest.raises(InputError, match="more than 100 bytes"), code_bundle(load_grid(OWN, "own.yaml"), folder):
        pytest.fail("it was packed")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"out": "runs"}, "--out runs: a folder of the cluster; give an absolute path"),
        ({"address": "127.0.0.1:8265"}, r"--address 127\.0\.0\.1:8265: give the address of the cluster's dashboard"),
        ({"address": "http://127.0.0.1:9"}, r"--address http://127\.0\.0\.1:9: no Ray cluster takes jobs there"),
        (
            {"tracking_uri": "postgresql://me:secret@db/mlflow"},
            r"--tracking-uri postgresql://me:\*\*\*@db/mlflow: whoever sees the dashboard",
        ),
    ],
)
def test_what_is_refused(small_grid, changes, message):
    arguments = {"out": "/shared/runs", "address": "http://127.0.0.1:9", "tracking_uri": None}
    with pytest.raises(InputError, match=message):
        submit_grid(small_grid(), **arguments | changes)


@pytest.fixture
def cluster(tmp_path):
    """Runs a script beside the head of a cluster that asks for a token; gives its output, line by line."""
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("network namespaces need root, util-linux and iproute2")

    short = tempfile.mkdtemp(prefix="ray-")  # the name of a socket has at most 107 characters

    def run(script):
        text = f"""
            set -e
            ip link set lo up
            export RAY_AUTH_MODE=token RAY_AUTH_TOKEN={os.urandom(24).hex()} RAY_USAGE_STATS_ENABLED=0
            export RAY_TMPDIR={short} PYTHONPATH={ROOT} PATH={Path(sys.executable).parent}:$PATH
            (cd / && ray start --head --port 6399 --node-ip-address 127.0.0.1 --dashboard-host 127.0.0.1 --num-cpus 2) \
                > {tmp_path}/head.log 2>&1
            {textwrap.indent(script, " " * 12).strip()}
        """
        file = tmp_path / "script.sh"
        file.write_text(textwrap.dedent(text))
        command = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr + (tmp_path / "head.log").read_text()
        return done.stdout

    yield run
    shutil.rmtree(short, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(320)
def test_a_sweep_is_submitted_followed_stopped_and_goes_on(cluster, folder, tmp_path):
    (folder / "own.yaml").write_text(OWN)
    out = tmp_path / "runs"
    said = cluster(f"""
        cd {folder}
        python -m sweeper submit own.yaml --out {out} --tracking-uri none --python {sys.executable}
        python -m sweeper watch {out}/own
        python -m sweeper submit own.yaml --out {out} --tracking-uri none --set trainable.batch=7 2>&1 || echo status $?
        RAY_AUTH_TOKEN={"0" * 48} python -m sweeper submit own.yaml --out {out} 2>&1 || echo status $?
        RAY_AUTH_TOKEN={"0" * 48} python -m sweeper run own.yaml --name new --out {out} --address 127.0.0.1:6399 2>&1 \\
            || echo status $?
        COLUMNS=200 python -m sweeper plan own.yaml --address auto | grep 'seen on the cluster'
        job=$(python -m sweeper submit own.yaml --name long --out {out} --tracking-uri none \\
            --set budget.constant=1000 --set measure.log=100 | awk '/^stop/ {{print $NF}}')
        while ! ls {out}/long/attempts/* > /dev/null 2>&1; do sleep 0.2; done
        sleep 3
        ray job stop --address http://127.0.0.1:8265 $job > {tmp_path}/stop.log 2>&1
        ls {out}/long/rows
        """)
    lines = said.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["follow", "output", "stop"]
    assert f"sweeper watch {out}/own" in lines[0]
    assert "own 4/4 points" in lines
    assert "  trainable.batch: full → 7" in lines
    assert any("Invalid authentication token" in line for line in lines)
    assert lines.count("status 2") == 3
    assert sum("InvalidAuthToken" in line for line in lines) == 1
    assert any("127.0.0.1:6399: no Ray cluster lets this process in" in line for line in lines)
    assert any("seen on the cluster" in line for line in lines)
    assert len(read_ends(SweepDir(out / "own"))) == 4
    committed = [line for line in lines if line.endswith(".parquet")]
    assert committed  # workers had time to commit when the job was stopped
    assert 0 <= len(read_ends(SweepDir(out / "long"))) < 4
