"""Whatever is killed, filled or damaged: the table is that of a sweep in which nothing happened."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from crash_support import commit_always
from faults_support import (
    Sweep,
    assert_no_step_twice,
    assert_same,
    fill,
    flip_a_byte,
    held_by_mlflow,
    outcomes,
    remount,
    small_disk,
    training_workers,
    truncate,
    wait_for,
)

from results.store.ledger import read_ends
from results.store.parts import valid_parts_in
from search_spaces.outcome import Outcome
from sweeper.backends.inprocess import InProcessBackend
from sweeper.worker.run_pack import run_pack

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The same sweep, undisturbed."""
    sweep = Sweep(tmp_path_factory.mktemp("reference"))
    sweep.run()
    return sweep.directory


class _Disturbed(InProcessBackend):
    """Calls ``disturb`` once, when so many parts are committed."""

    def __init__(self, disturb, after=4):
        self._disturb, self._after = disturb, after

    def run(self, directory, plan, grid, notify):
        from sweeper.worker.pack_writer import PackWriter

        add = PackWriter.add

        def watched(writer, measurement):
            add(writer, measurement)
            if self._disturb and len(valid_parts_in(directory)) >= self._after:
                disturb, self._disturb = self._disturb, None
                disturb()

        PackWriter.add = watched
        try:
            super().run(directory, plan, grid, notify)
        finally:
            PackWriter.add = add


def interrupted(sweep, after=4):
    """Run ``sweep`` until so many parts are committed; what came after them is lost, as at a crash."""

    def crash():
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        commit_always(patch)  # or on a slow disk a pack may end before it has so many parts
        with pytest.raises(KeyboardInterrupt):
            sweep.run(lambda: _Disturbed(crash, after))


class _Shared:
    """The Ray of all tests: not closed after each, with something that happens while it runs."""

    name = "ray"

    def __init__(self, backend, disturb=lambda _: None):
        self.request_capacity, self._run, self._disturb = backend.request_capacity, backend.run, disturb
        self.heard = []

    def run(self, directory, plan, grid, notify):
        thread = threading.Thread(target=self._disturb, args=(directory,))
        thread.start()
        try:
            self._run(directory, plan, grid, lambda progress: (self.heard.append(progress), notify(progress)))
        finally:
            thread.join()

    def close(self):
        pass


def one_training_worker(directory, after=3):
    """Process id of a worker, once it has committed something."""
    wait_for(lambda: len(valid_parts_in(directory)) >= after and training_workers(os.getpid()))
    return training_workers(os.getpid())[0]


@linux
@pytest.mark.ray
def test_a_killed_worker_costs_no_row_and_gives_none_twice(tmp_path, reference, ray_backend, capfd):
    sweep = Sweep(tmp_path)
    account = sweep.run(lambda: _Shared(ray_backend, lambda d: os.kill(one_training_worker(d), signal.SIGKILL)))
    assert account.missing == 0
    assert_same(sweep.directory, reference)
    assert "raylet" not in capfd.readouterr().out


@linux
@pytest.mark.ray
@pytest.mark.slow
def test_a_worker_that_hangs_is_killed_and_its_pack_tried_again(tmp_path, reference, ray_backend):
    stopped = []

    def stop(directory):
        stopped.append(one_training_worker(directory))
        os.kill(stopped[0], signal.SIGSTOP)

    # More than a worker needs to start on a machine under load, or each that is tried again counts as hung too.
    sweep = Sweep(tmp_path, "recovery.hang_seconds=8")
    assert sweep.run(lambda: _Shared(ray_backend, stop)).missing == 0
    assert not Path(f"/proc/{stopped[0]}").exists()
    assert_same(sweep.directory, reference)


LOOPS = """
import os, signal, time
from trainables.own_loop import Measured

def steps(point, device, folder, fault, times):
    mark = os.path.join(folder, f"{point.id}-{fault}")
    with open(mark, "a") as file:
        file.write("x")
    with open(mark + "-pids", "a") as file:
        file.write(f"{os.getpid()}\\n")
    for step in range(1, 6):
        if step == 3 and point.eta in (0.3, 0.5) and os.path.getsize(mark) <= times:
            if fault == "hangs":
                time.sleep(1e6)
            if fault == "gpu":
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            os.kill(os.getpid(), signal.SIGKILL)
        yield Measured(step=step, epoch=step, train_acc=0.5, test_acc=step / 10, train_loss=1 / step, test_loss=1.0)
"""


def own_loop(tmp_path, fault, times, *changes):
    (tmp_path / "own").mkdir()
    (tmp_path / "own/faulty_loop.py").write_text(LOOPS)
    text = f"""
name: own
trainable: {{loop: "faulty_loop:steps", arguments: {{folder: {tmp_path}, fault: {fault}, times: {times}}}}}
axes: {{eta: [0.1, 0.3], lam: [0.01]}}
budget: {{rule: fixed, constant: 5}}
recovery: {{retries: 1, hang_seconds: 2, commit_seconds: 0}}
"""
    return Sweep(tmp_path, *changes, text=text)


@pytest.mark.ray
@pytest.mark.parametrize(
    ("fault", "times", "why"),
    [
        pytest.param("hangs", 1, "", marks=pytest.mark.slow),
        pytest.param(
            *("hangs", 99, r"its worker was lost 2 times; the last one gave no sign of life for 2 s"),
            marks=pytest.mark.slow,
        ),
        pytest.param("dies", 99, r"its worker died 2 times", marks=pytest.mark.slow),
        pytest.param("gpu", 99, r"its worker died 2 times: .*CUDA error: an illegal memory", marks=pytest.mark.slow),
        pytest.param("gpu", 1, "", marks=pytest.mark.slow),
    ],
)
def test_a_loop_that_hangs_or_dies_is_tried_again_and_then_given_up_by_name(
    tmp_path, monkeypatch, ray_backend, fault, times, why
):
    sweep = own_loop(tmp_path, fault, times)
    from sweeper.backends.ray import tune

    monkeypatch.syspath_prepend(tmp_path / "own")
    monkeypatch.setattr(tune, "train_chunk", _with_path(str(tmp_path / "own"), tune.train_chunk))
    backend = _Shared(ray_backend)
    account = sweep.run(lambda: backend)
    assert "its worker was lost; tried again after 1 s" in {progress.waiting for progress in backend.heard}
    ends = {e.outcome: e for e in account.ends.values()}
    if not why:
        assert set(ends) == {Outcome.COMPLETED}
    else:
        assert set(ends) == {Outcome.COMPLETED, Outcome.FAILED}
        assert re.match(why, ends[Outcome.FAILED].why)
        assert (sweep.directory.given_up / f"{ends[Outcome.FAILED].pack}.json").is_file()
    pids = [file.read_text().split() for file in tmp_path.glob("*-pids")]
    assert sorted(len(set(processes)) for processes in pids) == [1, 2]  # each try in a process of its own


@pytest.mark.ray
@pytest.mark.parametrize(("times", "retries", "failed"), [pytest.param(99, 0, 2, marks=pytest.mark.slow), (1, 1, 0)])
def test_packs_of_a_turn_share_neither_their_fate_nor_their_retries(
    tmp_path, monkeypatch, ray_backend, times, retries, failed
):
    """The worker of a chunk of six packs dies at its third and at its fifth."""
    etas = "axes.eta=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]"
    sweep = own_loop(tmp_path, "dies", times, etas, f"recovery.retries={retries}", "resources.cpus_per_pack=2")
    from sweeper.backends.ray import tune

    monkeypatch.syspath_prepend(tmp_path / "own")
    monkeypatch.setattr(tune, "train_chunk", _with_path(str(tmp_path / "own"), tune.train_chunk))
    monkeypatch.setattr("search_spaces.plan.CHUNK_SHARE", 1.01)  # of sums that are rounded
    backend = _Shared(ray_backend)
    account = sweep.run(lambda: backend)
    assert +account.outcomes == +Counter({Outcome.COMPLETED: 6 - failed, Outcome.FAILED: failed})
    assert len(list(sweep.directory.given_up.glob("*"))) == failed
    heard = {end.point for progress in backend.heard for end in progress.ends}
    assert len(heard) == 6 - failed  # also of those that had ended when the worker died before it said so
    attempts = sorted(end.attempt for end in account.ends.values() if end.outcome is Outcome.COMPLETED)
    assert attempts == [0] * 4 + [1] * (2 - failed)


def _with_path(folder, train_chunk):
    """The Ray trial of a chunk in workers that have one more folder to import from."""

    def train(config, **parameters):
        sys.path.insert(0, folder)
        train_chunk(config, **parameters)

    return train


@linux
def test_a_stale_worker_that_wakes_up_writes_nothing(tmp_path, reference):
    sweep = Sweep(tmp_path)
    interrupted(sweep, after=1)
    pack = sweep.packs()[0]
    code = "import sys; from sweeper.worker.run_pack import run_pack; "
    code += "sys.exit(run_pack(*sys.argv[1:], lambda progress: None))"
    stale = subprocess.Popen([sys.executable, "-c", code, sweep.directory.root, pack])
    try:
        wait_for(lambda: valid_parts_in(sweep.directory, pack)[-1].attempt == 1, stale)
        os.kill(stale.pid, signal.SIGSTOP)
        run_pack(str(sweep.directory.root), pack, lambda progress: None)
        after = sorted(path.name for path in sweep.directory.rows.iterdir())
        os.kill(stale.pid, signal.SIGCONT)
        assert stale.wait(60) == 0  # False: it saw that another has the pack
    finally:
        stale.kill()
    assert sorted(path.name for path in sweep.directory.rows.iterdir() if path.suffix == ".parquet") == [
        name for name in after if name.endswith(".parquet")
    ]
    sweep.run()
    assert_same(sweep.directory, reference)


def test_a_killed_run_continues_to_the_same_table(tmp_path, reference):
    sweep = Sweep(tmp_path)
    with sweep.running("--backend", "inprocess") as process:
        sweep.wait_for_parts(3, process)
        process.kill()
    assert read_ends(sweep.directory).keys() < read_ends(reference).keys()
    assert sweep.run().missing == 0
    assert_same(sweep.directory, reference)


def _last_part(directory):
    return directory.rows / valid_parts_in(directory)[-1].file


def _first_part(directory):
    return directory.rows / valid_parts_in(directory)[0].file


def _checkpoint(directory):
    return max(directory.checkpoints.glob("*.pt"), key=lambda path: path.stat().st_mtime_ns)


@pytest.mark.parametrize(
    ("damage", "of"),
    [
        (truncate, _last_part),
        (flip_a_byte, _last_part),
        (flip_a_byte, _first_part),
        (truncate, _checkpoint),
        (flip_a_byte, _checkpoint),
    ],
    ids=["torn part", "flipped byte of a part", "of the first part", "torn checkpoint", "flipped byte of a checkpoint"],
)
def test_what_is_damaged_between_two_runs_is_trained_again(tmp_path, reference, damage, of):
    sweep = Sweep(tmp_path)
    interrupted(sweep)
    path = of(sweep.directory)
    damage(path)
    assert sweep.run().missing == 0
    assert ("damaged:" in sweep.messages.getvalue()) == (path.suffix == ".parquet")
    assert_same(sweep.directory, reference)


def _later(seconds, action):
    thread = threading.Timer(seconds, action)
    thread.start()


def test_a_disk_that_is_full_for_a_while_only_delays(tmp_path, reference):
    with small_disk(tmp_path / "disk") as disk:
        sweep = Sweep(disk)
        sweep.run(lambda: _Disturbed(lambda: _later(2, fill(disk).unlink)))
        assert_same(sweep.directory, reference)


@pytest.mark.slow
def test_a_directory_that_is_read_only_for_a_while_only_delays(tmp_path, reference):
    """Without the lock of a run, which is open for writing, so that nothing could be mounted anew."""
    with small_disk(tmp_path / "disk") as disk:
        sweep = Sweep(disk)
        interrupted(sweep, after=1)
        waited = []

        def refuse():
            remount(disk, "ro")
            _later(1.5, lambda: remount(disk, "rw"))

        def notify(progress):
            waited.append(progress.waiting)
            if progress.steps and len([w for w in waited if w]) == 1:
                refuse()  # once more, in the middle

        refuse()
        for pack in sweep.packs():
            run_pack(str(sweep.directory.root), pack, notify)
        assert len([w for w in waited if "Read-only file system" in w]) >= 2
        sweep.run()
        assert_same(sweep.directory, reference)


def test_a_disk_that_stays_full_ends_the_run_with_the_reason_and_loses_nothing(tmp_path, reference):
    with small_disk(tmp_path / "disk") as disk:
        sweep = Sweep(disk, "recovery.storage_seconds=1")
        with pytest.raises(OSError, match="No space left on device"):
            sweep.run(lambda: _Disturbed(lambda: fill(disk)))
        (disk / "filler").unlink()
        sweep.run()
        assert_same(sweep.directory, reference)


def test_points_that_diverge_or_need_too_much_memory_leave_the_others_alone(tmp_path):
    fixed = "budget={rule: fixed, constant: 10}"
    alone = Sweep(tmp_path / "alone", "axes={eta: [0.1], lam: [0.01], model.width: [16]}", fixed)
    both = Sweep(tmp_path / "both", "axes={eta: [0.1, 1e6], lam: [0.01], model.width: [16, 1000000]}", fixed)
    alone.run(), both.run()
    (good,) = outcomes(alone.directory)
    ends = read_ends(both.directory)
    counted = [end.outcome for end in ends.values()]
    assert (counted.count(Outcome.FAILED), counted.count(Outcome.DIVERGED), ends[good].outcome) == (
        2,
        1,
        Outcome.COMPLETED,
    )
    assert all("memory" in end.why for end in ends.values() if end.outcome is Outcome.FAILED)


def test_only_clocks_that_never_step_backwards_decide():
    """The date goes into plan.json, the lock and pages, for people; what waits or expires asks time.monotonic."""
    root = Path(__file__).parents[2]
    wall_clock = re.compile(r"\btime\.time\(|\btime_ns\(|datetime\.(now|utcnow|today)\(")
    found = {
        str(path.relative_to(root))
        for folder in ("sweeper", "results", "trainables", "search_spaces")
        for path in (root / folder).rglob("*.py")
        if wall_clock.search(path.read_text(encoding="utf-8"))
    }
    assert found <= {"sweeper/lock/holder.py", "results/store/plan_file.py", "results/gallery/make.py"}


@pytest.mark.parametrize(
    "operation",
    ["log_batch", *(pytest.param(name, marks=pytest.mark.slow) for name in ("create_run", "set_terminated"))],
)
def test_a_point_trained_again_after_half_of_it_was_sent_is_in_mlflow_once(tmp_path, monkeypatch, operation):
    """The tracker goes while it takes a point in; then the disk loses that point, which is trained again."""
    from mlflow import MlflowClient

    from sweeper.tracking.mirror import Mirror, TrackingError, mirror

    sweep, uri = Sweep(tmp_path, "budget.constant=0.2"), f"sqlite:///{tmp_path}/mlflow.db"
    sweep.run()
    real, calls = getattr(MlflowClient, operation), []

    def breaks(self, run_id, *args, **kwargs):
        result = real(self, run_id, *args, **kwargs)
        calls.append(run_id)
        if len(calls) == 3:
            raise ConnectionError("gone after the work was done")
        return result

    def breaks_before_the_tags(self, run_id, metrics=(), params=(), tags=(), **kwargs):
        calls.append(run_id)
        if len(calls) == 3:
            real(self, run_id, metrics=metrics, params=params, **kwargs)
            raise ConnectionError("gone in the middle")
        return real(self, run_id, metrics=metrics, params=params, tags=tags, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, operation, breaks_before_the_tags if operation == "log_batch" else breaks)
        with pytest.raises(TrackingError):
            Mirror(sweep.directory, uri).sync()
    for name in valid_parts_in(sweep.directory):
        flip_a_byte(sweep.directory.rows / name.file)
    sweep.run()
    mirror(sweep.directory, uri)
    once = held_by_mlflow(uri, sweep.directory.name)
    mirror(sweep.directory, uri)
    assert held_by_mlflow(uri, sweep.directory.name) == once
    assert_no_step_twice(uri, sweep.directory)
