"""A sweep in an object store: everything that holds in a folder, on a real server that speaks S3."""

import io
import json
import random
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import pairwise

import pytest
from crash_support import Killed, commit_always, train
from faults_support import GRID, Sweep, assert_same
from rich.console import Console
from run_support import next_plan
from store_support import s3_store
from tests_support import SMALL

from results.compare import compare_sweeps
from results.figures.paper.draw import paper_figure
from results.store.files import names_in
from results.store.parts import valid_parts_in
from results.store.paths import ObjectPath, any_path
from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from search_spaces.reading.load import load_grid
from search_spaces.sections.grid import Recovery
from sweeper.backends.inprocess import InProcessBackend
from sweeper.cli.output import show
from sweeper.cli.views.status import StatusView, watch
from sweeper.driver.run import run_sweep
from sweeper.health.status import disk_usage, status_of
from sweeper.health.verify import verify
from sweeper.tracking.mirror import mirror
from sweeper.weights import load_model
from sweeper.worker.attempt import begin_attempt
from sweeper.worker.run_pack import run_pack

COMMITS = "recovery.commit_seconds=0"
pytestmark = pytest.mark.timeout(300)  # a server in Python, and processes that import torch


@pytest.fixture(scope="module")
def server():
    with s3_store() as process:
        yield process


@pytest.fixture
def bucket(server):
    """A fresh prefix of the bucket."""
    return any_path(f"s3://sweeps/{secrets.token_hex(4)}")


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The same sweep in a folder, undisturbed."""
    sweep = Sweep(tmp_path_factory.mktemp("reference"))
    sweep.run()
    return sweep.directory


def command(grid, out, backend="inprocess"):
    """``sweeper run`` as a process of its own."""
    words = [sys.executable, "-m", "sweeper", "run", str(grid), "--out", str(out), "--backend", backend]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def grid_file(tmp_path):
    sweep = Sweep(tmp_path)
    file = tmp_path / "faults.yaml"
    file.write_text(sweep.text)
    return file


def test_every_command_works_on_an_address(bucket, tmp_path, quiet):
    grid = load_grid(SMALL, "small.yaml", ["keep_weights=true"])
    account = run_sweep(grid, bucket, InProcessBackend, None, quiet)
    assert account.missing == 0
    directory, local = SweepDir(bucket / grid.name), SweepDir(tmp_path / grid.name)
    run_sweep(grid, tmp_path, InProcessBackend, None, quiet)
    assert_same(directory, local)
    found, _ = verify(directory)
    assert not found.damage
    assert not found.outdated
    assert not found.waste
    assert found.runner is None
    assert {c.what: c.files for c in found.checked} == {c.what: c.files for c in verify(local)[0].checked}

    out = Console(file=io.StringIO(), width=200)
    show(StatusView(directory, status_of(read_state(directory)), disk_usage(directory)), console=out, as_json=True)
    status = json.loads(out.file.getvalue())
    assert (status["missing"], status["running"], status["bytes"]["rows"]) == (0, None, found.checked[1].bytes)
    watch(directory, out, 0.1)
    _, written = paper_figure("2", [directory.root], None, {}, None)
    assert [str(path) for path in written if path.is_file()] == [str(path) for path in written]
    assert compare_sweeps(directory.root, local.root, None, tmp_path / "compared").contests
    point = min(names_in(directory.weights)).partition("-")[0]
    assert load_model(str(directory.root), point).state_dict().keys()

    report = mirror(directory, f"sqlite:///{tmp_path}/mlflow.db")
    assert report.points == 6
    figures = tmp_path.glob("mlartifacts/**/figures/*.svg")
    assert {path.name for path in figures} == {path.rpartition("/")[2] for path in _figures(directory)}


def _figures(directory):
    return [name for name in (directory.analysis / "figures").sizes() if "/" not in name and name.endswith(".svg")]


def test_weights_that_are_replaced_leave_no_second_file(bucket, quiet):
    grid = load_grid(SMALL, "small.yaml", ["keep_weights=true", "axes.lam=[0.1]"])
    run_sweep(grid, bucket, InProcessBackend, None, quiet)
    assert len(list(names_in(SweepDir(bucket / grid.name).weights))) == 2


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.slow)])
def test_a_run_killed_again_and_again_loses_nothing(bucket, grid_file, reference, kills):
    draw, directory = random.Random(kills), SweepDir(bucket / "faults")
    for _ in range(kills):
        before = len(valid_parts_in(directory))
        with command(grid_file, bucket) as process:
            deadline, more = time.monotonic() + 60, draw.randint(1, 4)
            while (
                process.poll() is None
                and len(valid_parts_in(directory)) < before + more
                and time.monotonic() < deadline
            ):
                time.sleep(0.1)
            process.kill()
    with command(grid_file, bucket) as process:
        _, said = process.communicate(timeout=100)
    assert process.returncode == 0, said
    assert_same(directory, reference)
    assert not verify(directory)[0].damage


def test_whoever_dies_at_any_change_of_the_store_damages_nothing():
    """Every object that is written, created or deleted, one after the other, is the last thing a process does."""
    grid = load_grid(SMALL, "small.yaml", [COMMITS, "axes.lam=[0.1]", "measure={log: 3}"])
    whole = train(grid, any_path(f"memory://sweeps/{secrets.token_hex(4)}"))
    changes = _train_dying(grid, any_path(f"memory://sweeps/{secrets.token_hex(4)}"), None)[1]
    assert changes > 20
    for at in range(0, changes, 2):
        directory, _ = _train_dying(grid, any_path(f"memory://sweeps/{secrets.token_hex(4)}"), at)
        assert_same(directory, whole)


def _train_dying(grid, out, at):
    """Train a grid in a process that dies before change number ``at``, then to its end; the changes of the first."""
    count = [0]

    def counting(change):
        def changed(path, *arguments, **options):
            if count[0] == at:
                raise Killed
            count[0] += 1
            return change(path, *arguments, **options)

        return changed

    with pytest.MonkeyPatch.context() as patch:
        commit_always(patch)
        for name in ("write", "create", "unlink"):
            patch.setattr(ObjectPath, name, counting(getattr(ObjectPath, name)))
        with suppress(Killed):
            train(grid, out)
    with pytest.MonkeyPatch.context() as patch:
        commit_always(patch)
        return train(grid, out), count[0]


@pytest.mark.slow
def test_a_store_that_is_away_for_a_while_is_waited_for(server, bucket, grid_file, reference):
    directory = SweepDir(bucket / "faults")
    with command(grid_file, bucket) as process:
        while process.poll() is None and len(valid_parts_in(directory)) < 3:
            time.sleep(0.1)
        server.send_signal(signal.SIGSTOP)
        try:
            time.sleep(3)
        finally:
            server.send_signal(signal.SIGCONT)
        _, said = process.communicate(timeout=100)
    assert process.returncode == 0, said
    assert_same(directory, reference)


@pytest.mark.slow
def test_an_interrupt_is_heard_through_the_store(bucket, grid_file, reference):
    directory = SweepDir(bucket / "faults")
    with command(grid_file, bucket) as process:
        while process.poll() is None and len(valid_parts_in(directory)) < 3:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=100)
    assert process.returncode == 130, said
    assert "run the same command again" in said
    assert not directory.stop.exists()
    with command(grid_file, bucket) as process:
        process.communicate(timeout=100)
    assert process.returncode == 0
    assert_same(directory, reference)


def test_a_byte_that_was_altered_is_found_and_trained_again(bucket, tmp_path, reference):
    grid = Sweep(tmp_path).grid
    directory = train(grid, bucket)
    path = directory.rows / names_in(directory.rows)[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write(bytes(content))
    assert [fault.file for fault in verify(directory)[0].damage] == [directory.inside(path)]
    found, repaired = verify(directory, repair=True)
    assert not found.damage
    assert [fault.file for fault in repaired] == [directory.inside(path)]
    train(grid, bucket)
    assert_same(directory, reference)


@pytest.mark.ray
@pytest.mark.slow
def test_workers_of_ray_write_to_the_store(bucket, grid_file, reference):
    with command(grid_file, bucket, backend="ray") as process:
        said, _ = process.communicate(timeout=110)
    assert process.returncode == 0
    assert f"report   {bucket}/faults/report.html" in said
    assert "MLflow" not in said  # beside an object store there is no default
    assert_same(SweepDir(bucket / "faults"), reference)


def test_a_pack_makes_as_many_requests_as_the_documents_say(tmp_path, monkeypatch):
    """Counted at the server. docs/durability.md and the cost model of docs/performance.md rest on these numbers."""
    commit_always(monkeypatch)
    path = tmp_path / "requests"
    with path.open("w") as log, s3_store(log):
        grid = load_grid(GRID, "grid.yaml", (COMMITS, "budget.constant=0.06"))
        directory = SweepDir(any_path("s3://sweeps/counted") / grid.name)
        first, second = next_plan(directory, grid, InProcessBackend()).packs

        def requests_of(action, pack):
            before = len(path.read_text().splitlines())
            action(str(directory.root), pack.id, lambda _report: None)
            return path.read_text().splitlines()[before:]

        def begin(root, pack, notify):
            begin_attempt(SweepDir(any_path(root)), pack, notify, Recovery())

        assert len(requests_of(begin, first)) == 17
        assert len(requests_of(begin, second)) == 9
        requests = [line for line in requests_of(run_pack, first) if "/stop" not in line]
    commits = [number for number, line in enumerate(requests) if "PUT" in line and "/rows/" in line]
    between = [later - earlier for earlier, later in pairwise(commits)]
    assert len(between) > 5
    assert set(between[2:-2]) == {14}  # the first find no earlier checkpoint, the last leaves none
