import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from tests_support import SMALL

from results.store.sweep_dir import SweepDir

pytestmark = pytest.mark.ray


@pytest.mark.slow
def test_nothing_is_printed_but_the_progress(tmp_path):
    grid = tmp_path / "g.yaml"
    grid.write_text(SMALL)
    command = [sys.executable, "-m", "sweeper", "run", grid, "--out", tmp_path / "runs", "--tracking-uri", "none"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0] == "small: starting"
    assert lines[1].startswith("small: 6 points in ")
    assert lines[-1].startswith("6/6 points")
    assert not [line for line in lines if "ray" in line.lower() or "warning" in line.lower()]
    assert "scaling" in done.stdout


def test_packs_start_in_the_order_of_the_plan(train, small_grid, ray_backend):
    """But the first of each worker, which may take seconds to start, in which another does many."""
    _, plan, heard = train(small_grid("resources.pack=1"), lambda: ray_backend)
    later = [pack.id for pack in plan.packs[plan.workers :]]
    order = [pack for pack in dict.fromkeys(p.pack for p in heard) if pack in later]
    assert sorted(order) == sorted(later)
    assert all(abs(order.index(pack) - planned) <= plan.workers for planned, pack in enumerate(later))


MORTAL = """
import os, signal, time
from pathlib import Path
from trainables.own_loop import Measured

def naps(point, device, marker):
    if point.budget == 9 and not Path(marker).exists():
        Path(marker).touch()
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(1.5)
    yield Measured(step=1, epoch=1, train_acc=1.0, test_acc=1.0, train_loss=0.0, test_loss=0.0)
"""
NAPS = """
name: naps
trainable: {{loop: "mortal:naps", arguments: {{marker: {marker}}}}}
axes: {{eta: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], lam: [0.1, 0.2, 0.3, 0.4, 0.5]}}
budget: {{rule: fixed, constant: 8, exceptions: [{{eta: 0.1, lam: 0.1, epochs: 9}}]}}
"""


@pytest.mark.slow
def test_a_worker_that_is_lost_is_replaced_while_others_are_done_with_packs_all_the_time(tmp_path):
    """And its pack, the longest, is tried again before those that wait."""
    (tmp_path / "mortal.py").write_text(MORTAL)
    (tmp_path / "naps.yaml").write_text(NAPS.format(marker=tmp_path / "marker"))
    command = [sys.executable, "-m", "sweeper", "run", "naps.yaml", "--out", "runs", "--tracking-uri", "none"]
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[4])])
    subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, check=True, timeout=300)
    directory = SweepDir(tmp_path / "runs" / "naps")
    claims = sorted((file.stat().st_mtime, file.name) for file in directory.attempts.iterdir())
    (again,) = (place for place, (_, name) in enumerate(claims) if name.endswith("-001"))
    assert again <= 5
    (died,) = (when for when, name in claims if name == claims[again][1].replace("-001", "-000"))
    commits = {file.name.partition("-")[0]: file.stat().st_mtime for file in directory.rows.iterdir()}
    later = [(when, commits[name[:-4]]) for when, name in claims if when > died + 1]
    assert any(began < done - 0.5 for (_, done), (began, _) in pairwise(later))  # two at once, on two workers
