"""``sweeper watch``: a sweep in another process, followed until it has ended."""

import io
import os
import subprocess
import sys
import threading

import pytest
from rich.console import Console
from run_support import stored_plan
from tests_support import commit_rows, rows_table

from results.store.attempts import claim
from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from search_spaces.points import make_points
from sweeper.cli.views.status import line, watch
from sweeper.driver.planning import plan_for
from sweeper.health.status import status_of
from trainables.profile import profiles_of

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
    watch(SweepDir(folder), Console(file=said, width=200), 0.1)
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
    status = status_of(read_state(SweepDir(folder)))
    assert status.missing
    assert "nobody runs it" in line(status)
    assert os.fspath(folder).endswith(status.sweep)


def test_the_time_that_is_left_is_less_by_what_packs_under_way_have_behind_them(tmp_path, small_grid):
    """Before any point has ended: the packs that train show the pace, and how far they are."""
    grid = small_grid("budget={rule: fixed, constant: 1000}", "resources.pack=2")
    points, directory = make_points(grid), SweepDir(tmp_path / grid.name)
    plan = plan_for(grid, points, profiles_of(grid, points), workers=1)
    stored_plan(directory, grid, points, plan)
    assert status_of(read_state(directory)).eta_seconds is None
    pack = plan.packs[0]
    steps, per_point = sum(p.cost.steps for p in plan.packs), pack.cost.steps / 2
    ids = [p.id for p in pack.points]
    claim(directory, pack.id)
    for number, (step, seconds) in enumerate([(per_point / 4, 10.0), (per_point / 2, 20.0)]):
        rows = rows_table(ids, steps=[int(step)], pack=pack.id, seconds=seconds)
        commit_rows(directory, rows, pack=pack.id, sequence=number)
        pace = 2 * int(step) / seconds
        assert status_of(read_state(directory)).eta_seconds == pytest.approx((steps - 2 * int(step)) / pace, rel=1e-3)
    assert "about " in line(status_of(read_state(directory)))
