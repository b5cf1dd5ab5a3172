"""Unlikely company of faults: what was lost, put back, or late. No row is lost for it and none is there twice."""

import io
import secrets
from contextlib import suppress

import pytest
from crash_support import Killed, dying, small, train
from faults_support import GRID, Sweep, flip_a_byte
from rich.console import Console
from run_support import stored_plan
from tests_support import commit_rows, point_end, rows_table

from results.store.attempts import claim
from results.store.commits import Commit, read_commit
from results.store.ledger import read_ends
from results.store.parts import valid_parts_in, write_part
from results.store.paths import any_path
from results.store.plan_file import read_plan
from results.store.schema import row_schema
from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points, read_rows
from search_spaces.errors import InputError
from search_spaces.outcome import Outcome
from search_spaces.points import make_points
from sweeper.backends.inprocess import InProcessBackend
from sweeper.driver import run
from sweeper.driver.planning import plan_for, store_plan
from sweeper.driver.run import run_sweep
from sweeper.health import rewriting
from sweeper.health.verify import verify
from sweeper.worker import messages, pack_writer
from sweeper.worker import run_pack as worker
from sweeper.worker.messages import stop_requested
from sweeper.worker.run_pack import run_pack
from trainables.pack.training import PackTraining
from trainables.profile import profiles_of

STEPS = [4, 8, 12]
FOUR = """
name: kind
trainable:
  model: {name: fc, width: 8, depth: 1}
  data: {name: digits, train: 64}
axes: {eta: [0.1, 0.3], lam: [0.01, 0.1]}
budget: {rule: fixed, constant: 12}
measure: {every: {steps: 4}}
"""


def assert_sound(directory, points):
    rows = read_rows(directory)
    assert not rows.duplicated(["point", "step"]).any()
    assert rows["point"].nunique() == points
    assert {end.outcome for end in read_ends(directory).values()} == {Outcome.COMPLETED}
    assert verify(directory)[0].damage == ()


@pytest.mark.parametrize("lost", ["damaged", "no room"])
def test_a_point_that_failed_in_its_middle_is_trained_from_its_start(tmp_path, monkeypatch, lost):
    """Also where the checkpoint behind its failure is not there: that before it is of the point's own middle."""
    grid, directory = small(text=FOUR), SweepDir(tmp_path / "kind")
    step, fail = PackTraining.step, pack_writer.PackWriter.fail

    def ill(training, outputs):
        if training._step == 6 and 0.3 in training._rates._eta:
            raise ValueError("ill")
        step(training, outputs)

    def last_words(writer, point, error):
        if lost == "no room":
            writer._log._max_checkpoint_bytes = 0.0
        fail(writer, point, error)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(PackTraining, "step", ill)
        patch.setattr(pack_writer.PackWriter, "fail", last_words)
        with dying(directory), suppress(Killed):
            train(grid, tmp_path)
    last = read_commit(directory, valid_parts_in(directory)[-1])
    assert [end.outcome for end in last.ends] == [Outcome.FAILED]
    if lost == "damaged":
        flip_a_byte(directory.checkpoints / last.checkpoint)
    with dying(directory):
        train(grid, tmp_path)
    assert read_rows(directory).groupby("point", observed=True)["step"].apply(list).tolist() == [STEPS] * 4
    assert_sound(directory, 4)


def packs_of(number):
    return small(f"resources.pack={number}", "axes={eta: [0.1, 0.3], lam: [0.01, 0.03], seed: [0]}", text=GRID)


@pytest.mark.slow
def test_an_older_plan_that_is_put_back_trains_nothing_twice(tmp_path):
    directory = SweepDir(tmp_path / "faults")
    with dying(directory, 12), suppress(Killed):
        train(packs_of(4), tmp_path)
    old = directory.plan.read_text()
    directory.plan.unlink()
    with dying(directory, 400), suppress(Killed):
        train(packs_of(2), tmp_path)
    assert read_ends(directory)
    directory.plan.write_text(old)
    with dying(directory):
        train(packs_of(2), tmp_path)
    assert_sound(directory, 4)


def test_a_worker_that_begins_when_its_pack_is_planned_no_more_leaves(tmp_path):
    directory = SweepDir(tmp_path / "faults")
    with dying(directory, 3), suppress(Killed):  # planned, not begun
        train(packs_of(4), tmp_path)
    (pack,) = read_plan(directory).packs
    directory.plan.unlink()
    with dying(directory):
        train(packs_of(2), tmp_path)
    before = {name.file for name in valid_parts_in(directory)}
    worker.run_pack(str(directory.root), pack.id, lambda progress: None)
    assert {name.file for name in valid_parts_in(directory)} == before
    assert_sound(directory, 4)


def test_points_of_a_lost_plan_keep_their_axes(tmp_path):
    base = ("budget={rule: fixed, constant: 10}", "resources.pack=4")
    Sweep(tmp_path, *base, "axes={eta: [0.1], lam: [0.03], seed: [0, 1], model.width: [16, 32]}").run()
    fewer = Sweep(tmp_path, *base, "axes={eta: [0.1], lam: [0.03], seed: [0, 1]}")
    fewer.directory.plan.unlink()
    fewer.run()
    points = read_points(fewer.directory)
    assert points[["eta", "lam", "seed", "budget"]].notna().all(axis=None)
    assert sorted(read_rows(fewer.directory)["model.width"].unique()) == [16, 32]


def test_where_the_grid_is_lost_another_is_refused(tmp_path):
    sweep = Sweep(tmp_path, "budget={rule: fixed, constant: 10}")
    sweep.run()
    sweep.directory.grid.unlink()
    other = Sweep(tmp_path, "budget={rule: fixed, constant: 10}", "trainable.batch=8")
    with pytest.raises(InputError, match=r"the grid\.yaml of this sweep is lost, and this grid is not the one"):
        other.run()
    sweep.run()
    assert sweep.directory.grid.is_file()


def test_a_request_to_stop_that_comes_with_the_last_measurement_finishes_the_pack(tmp_path, monkeypatch):
    directory = SweepDir(tmp_path / "kind")

    def at_the_end(_directory):
        return len(read_ends(directory)) == 4 if directory.rows.is_dir() else False

    assert not stop_requested(directory)
    monkeypatch.setattr(worker, "stop_requested", at_the_end)
    monkeypatch.setattr(messages, "MINIMUM_HEARTBEAT_SECONDS", 0.0)
    with dying(directory):
        train(small(text=FOUR), tmp_path)
    last = {name.pack: read_commit(directory, name) for name in valid_parts_in(directory)}
    assert all(commit.finished for commit in last.values())
    assert not list(directory.checkpoints.glob("*"))


def test_a_worker_left_behind_that_trains_a_dropped_pack_while_the_next_run_plans(tmp_path, monkeypatch):
    """Its points are in another pack by then, and are trained there too; they count once."""
    directory, before, now = SweepDir(tmp_path / "faults"), packs_of(2), packs_of(4)
    points = make_points(before)
    stored_plan(directory, before, points, plan_for(before, points, profiles_of(before, points), workers=1))
    late = read_plan(directory).packs[0]

    def planned_meanwhile(*arguments):
        assert run_pack(str(directory.root), late.id, lambda _: None)
        store_plan(*arguments)

    monkeypatch.setattr(run, "store_plan", planned_meanwhile)
    account = run_sweep(now, tmp_path, InProcessBackend, None, Console(file=io.StringIO()))
    assert late.id not in {name.pack for name in valid_parts_in(directory)}
    assert account.missing == 0
    assert_sound(directory, 4)


def test_a_run_that_was_taken_over_while_it_was_frozen_deletes_nothing_of_the_other(monkeypatch):
    """It was about to drop a point that had failed, which the other has trained by now."""
    directory = SweepDir(any_path(f"memory://sweeps/{secrets.token_hex(4)}/demo"))
    claim(directory, "k1")
    commit_rows(directory, rows_table(["p1"]), point_end("p1", Outcome.FAILED, why="ill"), finished=True)
    held, listed = read_state(directory).footers_by_pack, rewriting.all_parts_in

    def renew():
        table = rewriting.TableOfRows(schema=row_schema(), defaults={}, owners={"p1": "k1"})
        rewriting.rewrite_pack(directory, held["k1"], ["p1"], table)

    def frozen(*pack):
        monkeypatch.setattr(rewriting, "all_parts_in", listed)
        renew()
        attempt = claim(directory, "k1")
        commit = Commit(ends=(point_end("p1", attempt=attempt),), finished=True)
        write_part(directory, "k1", attempt, (), rows_table(["p1"], attempt=attempt), commit)
        return listed(*pack)

    monkeypatch.setattr(rewriting, "all_parts_in", frozen)
    renew()
    assert read_ends(directory)["p1"].outcome is Outcome.COMPLETED
