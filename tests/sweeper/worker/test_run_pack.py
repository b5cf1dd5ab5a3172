"""A worker may die at any instant: the next one goes on, and the table is the same bit for bit."""

from contextlib import suppress
from dataclasses import replace

import pytest
import torch
from crash_support import Killed, changes, commit_always, dying, small, train, train_dying
from faults_support import assert_same
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_support import stored_plan

from results.store.commits import read_commit
from results.store.ledger import read_ends
from results.store.parts import all_parts_in, valid_parts_in
from results.store.plan_file import read_plan
from results.store.sweep_dir import SweepDir
from results.store.tables import read_rows
from search_spaces.errors import InputError
from search_spaces.outcome import Outcome
from search_spaces.points import make_points
from sweeper.driver.planning import plan_for
from sweeper.worker import messages
from sweeper.worker.messages import stop_requested
from sweeper.worker.pack_writer import MAX_PARTS_WHEN_FINISHED
from sweeper.worker.run_pack import run_pack
from trainables.pack.training import PackTraining
from trainables.profile import profiles_of

DIGITS = """
name: kind
trainable:
  model: {name: fc, width: 8, depth: 1}
  data: {name: digits, train: 64}
axes: {eta: [0.1], lam: [0.01, 0.1], seed: [0, 1]}
budget: {rule: inverse_eta_lam, constant: 0.07, max: 12}  # 12 epochs, and 7 for the larger λ
measure: {every: {steps: 4}}
"""
MODULE = """
import torch
from torch import nn
from trainables.data import Dataset
from trainables.own_loop import Measured
from trainables.task import Task

def task():
    x = torch.randn(80, 3, generator=torch.Generator().manual_seed(0))
    data = Dataset.from_tensors(x[:40], (x[:40, 0] > 0).long(), x[40:], (x[40:, 0] > 0).long(), classes=2)
    return Task(lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)), data)

def loop(point, device):
    torch.manual_seed(point.seed)
    weight = torch.randn(3)
    for step in range(1, int(point.budget) + 1):
        weight = weight * (1 - point.eta * point.lam) + 0.01 * torch.randn(3)
        accuracy = float(weight.sigmoid()[0])
        yield Measured(step=step, epoch=step, train_acc=accuracy, test_acc=accuracy, train_loss=1 - accuracy,
                       test_loss=1 - accuracy, weight_norm=float(weight.square().sum()))
"""
KINDS = {
    "full batches": (DIGITS, ()),
    "momentum": (DIGITS, ("trainable.batch=16", "optimizer={name: sgd, mu: 0.9}")),
    "adam": (
        DIGITS,
        ("trainable.batch=16", "optimizer={name: adamw}", "axes.eta=[0.01]", "budget={rule: fixed, constant: 8}"),
    ),
    "a schedule": (DIGITS, ("trainable.batch=16", "schedule={name: piecewise, at: [0.4], factor: 0.2}")),
    "AutoL2": (DIGITS, ("trainable.batch=16", "l2={auto: {every: 2}}", "axes.lam=[0.1]")),
    "augmentation": (DIGITS, ("trainable.batch=16", "trainable.augment={flip: true, crop: 1, mixup: 1}")),
    "running statistics": (
        DIGITS,
        ("trainable.batch=32", "trainable.model={name: cnn, channels: 2, dense: 4, pool: 2, batch_norm: running}"),
    ),
    "statistics of full batches": (
        DIGITS,
        ("trainable.model={name: cnn, channels: 2, dense: 4, pool: 2, batch_norm: running}",),
    ),
    "micro-batches": (
        DIGITS,
        (
            "trainable.batch=32",
            "trainable.micro_batch=8",
            "trainable.model={name: cnn, channels: 2, dense: 4, pool: 2, batch_norm: running}",
        ),
    ),
    "divergence": (DIGITS, ("axes={eta: [0.1, 1e6], lam: [0.01, 1]}", "budget={rule: fixed, constant: 40}")),
    "a model of one's own": (
        """
name: kind
trainable: {function: my_module:task, batch: 10}
axes: {eta: [0.1], lam: [0.01, 0.1]}
budget: {rule: fixed, constant: 6}
measure: {every: epoch}
""",
        (),
    ),
    "a loop of one's own": (
        """
name: kind
trainable: {loop: my_module:loop}
axes: {eta: [0.1], lam: [0.01, 0.1]}
budget: {rule: fixed, constant: 6}
""",
        (),
    ),
    "theory": (
        """
name: kind
trainable:
  kernel: {name: relu}
  data: {name: digits, train: 20, labels: parity}
  loss: {name: mse, targets: sign, scale: sum}
  homogeneity: 2
axes: {eta: [0.02], lam: [0.01, 0.1]}
budget: {rule: fixed, constant: 100}
measure: {log: 5}
""",
        (),
    ),
}


@pytest.fixture(scope="module")
def _module(tmp_path_factory):
    """Code of one's own, where the grids look for it."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "my_module.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, _module):
    """A grid of a kind, its sweep that nothing happened to, and how often the disk changed for it."""
    known = {}

    def get(kind):
        if kind not in known:
            text, settings_ = KINDS[kind]
            grid, out = small(*settings_, text=text), tmp_path_factory.mktemp("reference")
            number = changes(grid, out)
            known[kind] = grid, SweepDir(out / grid.name), number
        return known[kind]

    return get


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_dies_again_and_again_leaves_the_same_table(undisturbed, tmp_path, kind):
    """Each next one dies a third later than the one before, so that some die early, in the middle, and late."""
    grid, reference, number = undisturbed(kind)
    at = sorted({number * k // 7 for k in range(1, 8)})
    assert_same(train_dying(grid, tmp_path, *at), reference)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kind=st.sampled_from(["full batches", "momentum", "a loop of one's own"]))
def test_a_worker_may_die_before_any_change_of_the_disk(undisturbed, tmp_path_factory, data, kind):
    grid, reference, number = undisturbed(kind)
    at = data.draw(st.lists(st.integers(0, number), min_size=1, max_size=4))
    assert_same(train_dying(grid, tmp_path_factory.mktemp("crash"), *at), reference)


def test_what_is_committed_is_not_trained_again(undisturbed, tmp_path):
    grid, reference, number = undisturbed("momentum")
    directory = SweepDir(tmp_path / grid.name)
    with dying(directory, number // 2), pytest.raises(Killed):
        train(grid, tmp_path)
    kept = read_rows(directory)
    assert 0 < len(kept) < len(read_rows(reference))
    with dying(directory):
        train(grid, tmp_path)
    rows = read_rows(directory).merge(kept, on=["point", "step"], suffixes=("", "_before"))
    assert len(rows) == len(kept)
    assert rows["attempt"].tolist() == rows["attempt_before"].tolist()
    assert rows["seconds"].tolist() == rows["seconds_before"].tolist()  # the very same rows
    assert_same(directory, reference)


def test_the_time_of_a_pack_goes_on_where_it_was(undisturbed, tmp_path):
    grid, _, number = undisturbed("full batches")
    directory = train_dying(grid, tmp_path, number // 2)
    rows = read_rows(directory).sort_values(["pack", "step"], kind="stable")
    assert rows.groupby("pack", observed=True)["seconds"].apply(lambda s: s.is_monotonic_increasing).all()


def test_a_pack_that_has_finished_is_not_trained_again(undisturbed, tmp_path):
    """Its worker may have died after its last commit, before it could say so."""
    grid, reference, _ = undisturbed("full batches")
    with dying(SweepDir(tmp_path / grid.name)):
        directory = train(grid, tmp_path)
    before = read_rows(directory)
    for pack in read_plan(directory).packs:
        run_pack(str(directory.root), pack.id, lambda _progress: None)
    assert read_rows(directory).equals(before)
    assert_same(directory, reference)


def test_of_very_many_workers_each_is_heard_of_less_often(tmp_path, monkeypatch):
    monkeypatch.setattr(messages, "MINIMUM_HEARTBEAT_SECONDS", 1e-9)
    counts = []
    for workers in (1, 10**14):
        grid, heard = small(text=DIGITS), []
        directory, points = SweepDir(tmp_path / f"{workers}" / grid.name), make_points(grid)
        plan = plan_for(grid, points, profiles_of(grid, points), workers=1)
        stored_plan(directory, grid, points, replace(plan, workers=workers))
        run_pack(str(directory.root), plan.packs[0].id, heard.append)
        assert sum(len(p.ends) for p in heard) == 4
        counts.append(len(heard))
    assert counts[0] > 4
    assert counts[1] == 2  # at its start and its end


def test_a_finished_pack_leaves_no_checkpoint_and_few_parts(tmp_path):
    """Reading a part costs as much as reading 10,000 rows."""
    for number, steps in enumerate((MAX_PARTS_WHEN_FINISHED // 2, 2 * MAX_PARTS_WHEN_FINISHED)):
        grid = small(f"budget={{rule: fixed, constant: {steps}}}", "measure={every: epoch}", text=DIGITS)
        with dying(SweepDir(tmp_path / f"{number}" / grid.name)):
            directory = train(grid, tmp_path / f"{number}")
        names = valid_parts_in(directory)
        assert set(all_parts_in(directory)) == set(names)
        assert len(names) == (
            steps + 1 if steps < MAX_PARTS_WHEN_FINISHED else 1
        )  # the last one says that the pack has finished
        assert read_commit(directory, names[-1]).finished
        assert not list(directory.checkpoints.glob("*"))
        assert (
            read_rows(directory).groupby("point", observed=True)["step"].apply(list).tolist()
            == [list(range(1, steps + 1))] * 4
        )


# ----------------------------------------------------------------------------------- errors of one point of a pack


@pytest.fixture
def ill(monkeypatch):
    """At step 6 of any pack with a point of η = 0.3 something raises an error."""
    step = PackTraining.step

    def checked(self, outputs):
        if self._step == 6 and 0.3 in self._rates._eta:
            raise ValueError("the point of this rate is ill")
        step(self, outputs)

    monkeypatch.setattr(PackTraining, "step", checked)


ILL = (
    "axes={eta: [0.1, 0.3], lam: [0.01, 0.1]}",
    "budget={rule: fixed, constant: 12, exceptions: [{eta: 0.1, lam: 0.1, epochs: 3}]}",
)


def test_an_error_leaves_the_other_points_of_the_pack_alone(ill, tmp_path):
    with dying(SweepDir(tmp_path / "kind")):
        directory = train(small(*ILL, text=DIGITS), tmp_path)
    plan = read_plan(directory)
    assert len(plan.packs) == 1
    ends = read_ends(directory)
    outcomes = {(plan.points[p].eta, plan.points[p].lam): e.outcome for p, e in ends.items()}
    assert outcomes == {
        (0.1, 0.01): Outcome.COMPLETED,
        (0.1, 0.1): Outcome.COMPLETED,
        (0.3, 0.01): Outcome.FAILED,
        (0.3, 0.1): Outcome.FAILED,
    }
    assert {e.why.partition(" (")[0] for e in ends.values()} == {"", "ValueError: the point of this rate is ill"}
    rows = read_rows(directory)
    assert not rows.duplicated(["point", "step"]).any()
    assert rows.groupby(["eta", "lam"])["step"].max().to_dict() == {
        (0.1, 0.01): 12,
        (0.1, 0.1): 3,
        (0.3, 0.01): 4,
        (0.3, 0.1): 4,
    }


def test_a_worker_may_die_at_any_change_while_points_train_alone(ill, tmp_path):
    grid = small(*ILL, text=DIGITS)
    number = changes(grid, tmp_path / "reference")
    reference = SweepDir(tmp_path / "reference" / grid.name)
    for at in range(0, number, 3):
        directory = SweepDir(tmp_path / f"{at}" / grid.name)
        with dying(directory, at):
            with suppress(Killed):
                train(grid, tmp_path / f"{at}")
            failed = {p for p, e in read_ends(directory).items() if e.outcome is Outcome.FAILED}
        with dying(directory):
            for pack in read_plan(directory).packs if directory.plan.is_file() else ():
                run_pack(str(directory.root), pack.id, lambda _progress: None)
        assert failed <= read_ends(directory).keys()
        if directory.plan.is_file():
            assert_same(directory, reference)


def test_points_that_failed_train_alone_when_their_code_is_mended(tmp_path, request, monkeypatch):
    grid, columns = small(*ILL, text=DIGITS), ["point", "step", "test_loss", "weight_norm"]
    request.getfixturevalue("ill")
    with dying(SweepDir(tmp_path / "kind")):
        directory = train(grid, tmp_path)
    before = read_rows(directory)
    monkeypatch.undo()
    with dying(directory):
        train(grid, tmp_path)
    rows, ends = read_rows(directory), read_ends(directory)
    assert {e.outcome for e in ends.values()} == {Outcome.COMPLETED}
    assert not rows.duplicated(["point", "step"]).any()
    for rate, reference in ((0.1, before), (0.3, read_rows(train_dying(_one_by_one(), tmp_path / "alone")))):
        got, want = (t.loc[t["eta"] == rate, columns].astype({"point": str}) for t in (rows, reference))
        assert got.reset_index(drop=True).equals(want.reset_index(drop=True))


def _one_by_one():
    return small(*ILL, "resources.pack=1", text=DIGITS)


def test_a_request_to_stop_that_comes_with_the_last_measurement_finishes_the_pack(tmp_path, monkeypatch):
    directory = SweepDir(tmp_path / "kind")

    def at_the_end(_directory):
        return len(read_ends(directory)) == 4 if directory.rows.is_dir() else False

    assert not stop_requested(directory)
    monkeypatch.setattr("sweeper.worker.run_pack.stop_requested", at_the_end)
    monkeypatch.setattr(messages, "MINIMUM_HEARTBEAT_SECONDS", 0.0)
    with dying(directory):
        train(small(text=DIGITS), tmp_path)
    last = {name.pack: read_commit(directory, name) for name in valid_parts_in(directory)}
    assert all(commit.finished for commit in last.values())
    assert not list(directory.checkpoints.glob("*"))


def test_a_gpu_that_fails_ends_the_run_and_no_point(tmp_path, small_grid, monkeypatch):
    """What this process committed stays, and the next one goes on from there."""
    grid = small_grid("recovery.commit_seconds=0", "resources.pack=3", "measure.log=4")
    whole = train(grid, tmp_path / "whole")
    measurements = PackTraining.measurements

    def until_the_gpu_fails(training, heartbeat_seconds):
        for number, measurement in enumerate(measurements(training, heartbeat_seconds)):
            if number == 3:
                raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
            yield measurement

    with pytest.MonkeyPatch.context() as patch:
        commit_always(patch)
        patch.setattr(PackTraining, "measurements", until_the_gpu_fails)
        with pytest.raises(
            InputError, match=r"^the GPU failed while .* pack \w+ \(AcceleratorError: CUDA error: an illegal"
        ):
            train(grid, tmp_path / "faulty")
    directory = SweepDir(tmp_path / "faulty" / grid.name)
    assert read_ends(directory) == {}
    assert all_parts_in(directory)
    train(grid, tmp_path / "faulty")
    assert_same(directory, whole)
