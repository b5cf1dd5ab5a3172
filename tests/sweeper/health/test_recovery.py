"""What is put in order before a run: whatever happened to the files, the table becomes that of an undisturbed sweep."""

import io
import secrets
from contextlib import suppress

import pandas as pd
import pytest
from crash_support import Killed, assert_sound, changes, dying, packs_of, small, train
from faults_support import Sweep, assert_same, flip_a_byte
from rich.console import Console
from run_support import repaired, stored_plan
from tests_support import SMALL, commit_rows, point_end, rows_table

from results.store.attempts import claim
from results.store.commits import Commit, read_commit
from results.store.ledger import give_up, read_ends
from results.store.part_names import missing_parts
from results.store.parts import all_parts_in, read_part, superseded_parts, valid_parts_in, write_part
from results.store.paths import any_path
from results.store.plan_file import read_plan, write_plan
from results.store.schema import row_schema
from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points, read_rows
from search_spaces.cost import Cost
from search_spaces.outcome import Outcome
from search_spaces.plan import Pack, Plan
from search_spaces.points import Point, make_points
from sweeper.backends.inprocess import InProcessBackend
from sweeper.driver import run
from sweeper.driver.planning import plan_for, store_plan
from sweeper.driver.run import run_sweep
from sweeper.health import rewriting
from sweeper.health.recovery import clean_up
from sweeper.worker import pack_writer
from sweeper.worker.checkpoints import checkpoint_files, restart_of
from sweeper.worker.run_pack import run_pack
from trainables.pack.training import PackTraining
from trainables.profile import profiles_of
from trainables.train import start_training

GRID = small("resources.pack=3", text=SMALL)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The undisturbed sweep, and how often the disk changed for it."""
    out = tmp_path_factory.mktemp("reference")
    number = changes(GRID, out)
    return SweepDir(out / GRID.name), number


@pytest.fixture
def interrupted(reference, tmp_path):
    """A sweep whose process died in the middle: one pack has finished, the other is under way."""
    directory = SweepDir(tmp_path / GRID.name)
    with dying(directory, reference[1] * 5 // 6), pytest.raises(Killed):
        train(GRID, tmp_path)
    under_way = {
        n.pack
        for n in valid_parts_in(directory)
        if not read_commit(directory, valid_parts_in(directory, n.pack)[-1]).finished
    }
    assert len(under_way) == 1
    assert len({n.pack for n in valid_parts_in(directory)}) == 2
    assert len(valid_parts_in(directory, *under_way)) > 5
    return directory


def put(directory, console, grid=GRID):
    with dying(directory):
        repaired(directory, grid, console)


def complete(directory, grid=GRID):
    with dying(directory):
        train(grid, directory.root.parent)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def unlink(path):
    path.unlink()


@pytest.mark.parametrize("damage", [flip, cut, unlink])
@pytest.mark.parametrize("which", [0, 0.3, 0.6, 1])
def test_a_damaged_part_is_trained_again_to_the_same_table(interrupted, reference, quiet, damage, which):
    names = valid_parts_in(interrupted)
    name = names[round(which * (len(names) - 1))]
    damage(interrupted.rows / name.file)
    put(interrupted, quiet)
    said = f"damaged: {name.file} is dropped (its content is not what its name says); what it held is trained again"
    assert (said in quiet.file.getvalue()) == (damage is not unlink)
    assert name not in all_parts_in(interrupted)
    assert superseded_parts(interrupted) == []
    assert missing_parts(all_parts_in(interrupted)) == []
    complete(interrupted)
    assert_same(interrupted, reference[0])


def test_every_part_and_checkpoint_at_once_may_be_damaged(interrupted, reference, quiet):
    for path in [*interrupted.rows.iterdir(), *checkpoint_files(interrupted)]:
        flip(path)
    put(interrupted, quiet)
    assert all_parts_in(interrupted) == []
    complete(interrupted)
    assert_same(interrupted, reference[0])


def test_a_damaged_checkpoint_costs_the_time_since_the_one_before(interrupted, reference):
    (pack,) = {path.name.partition("-")[0] for path in checkpoint_files(interrupted)}
    last = restart_of(interrupted, pack)
    flip(interrupted.checkpoints / read_commit(interrupted, last.names[-1]).checkpoint)
    before = restart_of(interrupted, pack)
    assert before.names == last.names[:-1]
    complete(interrupted)
    assert_same(interrupted, reference[0])


def test_a_finished_sweep_with_a_damaged_part_trains_its_pack_again_and_no_other(interrupted, reference, quiet):
    complete(interrupted)
    name = valid_parts_in(interrupted)[0]
    others = {p: e for p, e in read_ends(interrupted).items() if e.pack != name.pack}
    flip(interrupted.rows / name.file)
    complete(interrupted)
    assert_same(interrupted, reference[0])
    assert others.items() <= read_ends(interrupted).items()


def test_what_an_overtaken_worker_wrote_does_not_take_the_place_of_a_damaged_part(interrupted, reference, quiet):
    """Else the rows of two histories would stand together: those of the one before the damage, of the other behind."""
    (pack,) = {path.name.partition("-")[0] for path in checkpoint_files(interrupted)}
    restart = restart_of(interrupted, pack)
    rows, commit = read_part(interrupted, restart.names[-1]), read_commit(interrupted, restart.names[-1])
    stale, latest = restart.names[-1].attempt, claim(interrupted, pack)
    first = write_part(interrupted, pack, latest, restart.names, rows, commit)
    write_part(interrupted, pack, latest, [*restart.names, first], rows, commit)
    late = write_part(interrupted, pack, stale, restart.names, rows, commit)
    assert late not in valid_parts_in(interrupted)
    flip(interrupted.rows / first.file)
    put(interrupted, quiet)
    assert set(all_parts_in(interrupted, pack)) == set(restart.names)
    complete(interrupted)
    assert_same(interrupted, reference[0])


def test_nothing_is_touched_that_needs_no_change(interrupted, quiet):
    put(interrupted, quiet)
    before = {path: path.stat().st_mtime_ns for path in interrupted.root.rglob("*") if path.is_file()}
    put(interrupted, quiet)
    assert {path: path.stat().st_mtime_ns for path in interrupted.root.rglob("*") if path.is_file()} == before
    assert quiet.file.getvalue() == ""


def test_files_of_killed_writers_are_removed(interrupted, reference, quiet):
    for folder in ("rows", "checkpoints"):
        (interrupted.root / folder / ".x-000-00000-000000000000.parquet.123.tmp").write_bytes(b"half")
    put(interrupted, quiet)
    assert not list(interrupted.root.rglob("*.tmp"))
    complete(interrupted)
    assert_same(interrupted, reference[0])


def test_a_stop_that_was_asked_for_before_is_forgotten(interrupted, reference):
    interrupted.stop.touch()
    complete(interrupted)
    assert_same(interrupted, reference[0])


# --------------------------------------------------------------------------------------------------- grids that grow


def test_an_axis_gained_in_the_middle_changes_no_number(interrupted, reference, quiet):
    """The packs under way go on as they were; all rows say what the axis was."""
    grown = small("resources.pack=3", "axes.model.width=[16, 8]", text=SMALL)
    put(interrupted, quiet, grown)
    assert set(read_rows(interrupted)["model.width"]) == {16.0}
    before = read_rows(interrupted)
    complete(interrupted, grown)
    rows = read_rows(interrupted)
    assert rows.groupby("point", observed=True)["model.width"].nunique().eq(1).all()
    old = rows[rows["model.width"] == 16].drop(columns="model.width")
    wanted = read_rows(reference[0])
    columns = [c for c in wanted if c not in {"sweep", "attempt", "seconds"}]
    text = dict.fromkeys(("point", "pack"), "str")
    pd.testing.assert_frame_equal(
        old[columns].astype(text).reset_index(drop=True), wanted[columns].astype(text), check_exact=True
    )
    assert len(rows) > len(old) >= len(before)


def test_a_grid_that_loses_points_keeps_their_rows(interrupted, quiet):
    smaller = small("resources.pack=3", "axes.eta=[0.1]", text=SMALL)
    ends, rows = read_ends(interrupted), read_rows(interrupted)
    put(interrupted, quiet, smaller)
    assert read_ends(interrupted) == ends
    assert len(read_rows(interrupted)) == len(rows)


# --------------------------------------------------------------------------------------------------- lost plans


def test_without_its_plan_what_has_ended_stays_and_the_rest_is_trained_anew(tmp_path, quiet):
    grid = small("resources.pack=1", text=SMALL)
    number = changes(grid, tmp_path / "reference")
    reference = SweepDir(tmp_path / "reference" / grid.name)
    directory = SweepDir(tmp_path / grid.name)
    with dying(directory, number * 3 // 5), pytest.raises(Killed):
        train(grid, tmp_path)
    ends = read_ends(directory)
    assert 0 < len(ends) < len(read_rows(directory)["point"].unique())
    directory.plan.write_text("{")
    put(directory, quiet, grid)
    assert read_ends(directory) == ends
    assert set(read_rows(directory)["point"]) == ends.keys()
    complete(directory, grid)
    assert_same(directory, reference)


def test_points_that_failed_are_taken_out_and_nothing_else(tmp_path, quiet, monkeypatch):
    def ill(points, recipe, *how):
        if any(p.eta == 0.3 for p in points):
            raise ValueError("ill")
        return start_training(points, recipe, *how)

    monkeypatch.setattr("sweeper.worker.run_pack.start_training", ill)
    with dying(SweepDir(tmp_path / GRID.name)):
        directory = train(GRID, tmp_path)
    ends, rows = read_ends(directory), read_rows(directory)
    failed = {p for p, e in ends.items() if e.outcome is Outcome.FAILED}
    assert len(failed) == 3
    for _ in range(2):
        put(directory, quiet)
        assert read_ends(directory) == {p: e for p, e in ends.items() if p not in failed}
        assert len(read_rows(directory)) == len(rows)
    complete(directory)
    assert {p for p, e in read_ends(directory).items() if e.outcome is Outcome.FAILED} == failed


# --------------------------------------------------------------------------------------------------- packs given up


def test_a_pack_given_up_counts_as_failed_until_the_next_run_which_goes_on(interrupted, reference):
    packs = read_plan(interrupted).pack_points
    (pack,) = {path.name.partition("-")[0] for path in checkpoint_files(interrupted)}
    ended = read_ends(interrupted)
    give_up(interrupted, pack, "its worker died 4 times: killed")
    ledger = read_state(interrupted).ledger
    lost = set(packs[pack]) - ended.keys()
    assert lost
    assert {p for p, e in ledger.items() if e.outcome is Outcome.FAILED} == lost
    assert {ledger[p].why for p in lost} == {"its worker died 4 times: killed"}
    assert ended.items() <= ledger.items()
    kept = restart_of(interrupted, pack)
    complete(interrupted)
    assert not interrupted.given_up.exists()
    assert read_state(interrupted).ledger == read_ends(interrupted)
    rows = read_rows(interrupted)
    attempts = rows[rows["pack"] == pack].groupby("step")["attempt"].max()
    assert attempts.loc[: kept.checkpoint.step].max() == 0  # nothing before its checkpoint was trained again
    assert attempts.loc[kept.checkpoint.step + 1 :].min() > 0
    assert_same(interrupted, reference[0])


def test_a_pack_given_up_that_the_plan_does_not_know_fails_no_point(interrupted):
    give_up(interrupted, "0123456789ab", "gone")
    assert read_state(interrupted).ledger == read_ends(interrupted)


def test_of_a_pack_that_no_plan_knows_what_another_has_trained_too_is_dropped_and_the_rest_stays_readable(tmp_path):
    """As when it was given up, or an older plan was put back, while a worker went on with it."""
    directory = SweepDir(tmp_path / "demo")
    for pack, points in (("k1", ("p1", "p2")), ("k2", ("p1",))):
        claim(directory, pack)
        ends = [point_end(point, pack=pack) for point in points]
        commit_rows(directory, rows_table(points, pack=pack), *ends, pack=pack, finished=True)
    p1 = Point(id="p1", eta=1.0, lam=0.1, mu=0.0, seed=0, sigma_w=1.0, budget=4.0)
    packs = (Pack(id="k2", points=(p1,), cost=Cost()),)
    plan = Plan(packs=packs, chunks=(("k2",),), workers=1, work=1.0, makespan=1.0, bound=1.0)
    write_plan(directory, GRID, [p1], plan, earlier=None, begun={"k1", "k2"})
    clean_up(read_state(directory))
    assert {point: end.pack for point, end in read_ends(directory).items()} == {"p1": "k2", "p2": "k1"}
    rows = read_rows(directory)
    assert rows.groupby("point", observed=True).size().to_dict() == {"p1": 3, "p2": 3}


# ------------------------------------------------------------------------------------------ unlikely company of faults

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


def test_points_of_a_lost_plan_keep_their_axes(tmp_path):
    base = ("budget={rule: fixed, constant: 10}", "resources.pack=4")
    Sweep(tmp_path, *base, "axes={eta: [0.1], lam: [0.03], seed: [0, 1], model.width: [16, 32]}").run()
    fewer = Sweep(tmp_path, *base, "axes={eta: [0.1], lam: [0.03], seed: [0, 1]}")
    fewer.directory.plan.unlink()
    fewer.run()
    points = read_points(fewer.directory)
    assert points[["eta", "lam", "seed", "budget"]].notna().all(axis=None)
    assert sorted(read_rows(fewer.directory)["model.width"].unique()) == [16, 32]


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
