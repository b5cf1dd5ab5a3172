"""``sweeper verify``: the sound is called sound, the rest is found, and after a repair the same table comes out."""

import fcntl
import io
import json
import shutil
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
from crash_support import commit_always
from rich.console import Console
from run_support import stored_plan
from tests_support import SMALL

from results.store.commits import Commit, read_commit
from results.store.ledger import read_ends
from results.store.part_names import digest_of
from results.store.parts import all_parts_in, read_part, valid_parts_in, write_part
from results.store.schema import SCHEMA_VERSION, VERSION_KEY
from results.store.state import read_state
from results.store.sweep_dir import SweepDir, leftovers
from results.store.tables import read_rows
from search_spaces.errors import InputError
from search_spaces.outcome import Outcome
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.cli.output import show
from sweeper.cli.views.inspection import InspectionView
from sweeper.cli.views.status import StatusView
from sweeper.driver.run import run_sweep
from sweeper.health.inventory import take_inventory
from sweeper.health.leftovers import remove_leftovers, unused_checkpoints
from sweeper.health.status import disk_usage, status_of
from sweeper.health.verify import inspect, verify
from sweeper.lock.lock import locked
from sweeper.worker.checkpoints import checkpoint_files
from sweeper.worker.pack_writer import PackWriter

PACKS = "resources.pack=2"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A sweep in packs of two that has ended."""
    folder, grid = tmp_path_factory.mktemp("whole"), load_grid(SMALL, "small.yaml", [PACKS])
    run_sweep(grid, folder, InProcessBackend, None, Console(file=io.StringIO()))
    return SweepDir(folder / grid.name)


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory):
    """A sweep that commits every measurement, and was killed in its second pack."""
    folder, seen = tmp_path_factory.mktemp("cut-off"), []
    grid, add = load_grid(SMALL, "small.yaml", [PACKS, "recovery.commit_seconds=0"]), PackWriter.add

    def some(writer, measurement):
        add(writer, measurement)
        seen.append(measurement)
        if len(seen) == 26:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        commit_always(patch)
        patch.setattr(PackWriter, "add", some)
        with pytest.raises(KeyboardInterrupt):
            run_sweep(grid, folder, InProcessBackend, None, Console(file=io.StringIO()))
    return SweepDir(folder / grid.name)


def copied(directory, folder):
    shutil.copytree(directory.root, folder / directory.name)
    return SweepDir(folder / directory.name)


@pytest.fixture
def done(whole, tmp_path):
    """A copy of the sweep that has ended."""
    return copied(whole, tmp_path)


@pytest.fixture
def interrupted(cut_off, tmp_path, monkeypatch):
    """A copy of the sweep that was killed; what goes on with it commits every measurement too."""
    commit_always(monkeypatch)
    return copied(cut_off, tmp_path)


@pytest.fixture
def same_table(whole, sweep, small_grid):
    """Runs a damaged sweep again; its rows must be those of a sweep in which nothing happened."""

    def measured(directory):
        rows = read_rows(directory).drop(columns=["sweep", "attempt", "seconds"])
        return rows.astype({"point": str, "pack": str})

    def check(directory):
        account, _ = sweep(small_grid(PACKS, "recovery.commit_seconds=0"))
        assert account.missing == 0
        pd.testing.assert_frame_equal(measured(directory), measured(whole))
        assert inspect(directory).damage == ()
        assert inspect(directory).waste == ()

    return check


def rows_of(directory, name):
    """The rows of a part as they were written."""
    return read_part(directory, name).cast(pq.read_schema(directory.rows / name.file))


def rewritten(directory, name, change, **said):
    """Put another part in the place of one: changed rows or commit, the digest right."""
    rows, commit = rows_of(directory, name), read_commit(directory, name)
    before = valid_parts_in(directory, name.pack)[: name.sequence]
    (directory.rows / name.file).unlink()
    changed = change(rows)
    fields = {"ends": commit.ends, "checkpoint": commit.checkpoint, "finished": commit.finished} | said
    return write_part(directory, name.pack, name.attempt, before, changed, Commit(**fields))


def same(rows):
    return rows


def under_way(directory):
    """The parts of the pack that was being trained."""
    (pack,) = {n.pack for n in valid_parts_in(directory)} - {
        n.pack for n in valid_parts_in(directory) if read_commit(directory, n).finished
    }
    return valid_parts_in(directory, pack)


def faults_of(directory):
    return {fault.file: fault.why for fault in inspect(directory).damage}


def test_a_sweep_that_has_ended_is_sound(done):
    found = inspect(done)
    assert (found.damage, found.waste, found.outdated) == ((), (), ())
    assert {kind.what: kind.files for kind in found.checked} == {
        "grid and plan": 2, "parts": 3, "checkpoints": 0, "weights": 0, "points.parquet": 1, "analysis": 17,
    }  # fmt: skip
    assert found.bytes == sum(path.stat().st_size for path in done.root.rglob("*") if path.is_file())
    assert f"{len(read_rows(done)):,} rows, 6 ends" in {kind.holds for kind in found.checked}


def test_a_sweep_that_was_killed_is_sound_and_says_what_is_outdated(interrupted):
    found = inspect(interrupted)
    assert found.damage == ()
    late = {fault.file: fault.why for fault in found.outdated}  # an interrupted run writes the table of points alone
    assert late.keys() > {"report.html", "analysis/peaks.parquet"}
    assert "points.parquet" not in late
    assert set(late.values()) == {"is missing"}
    assert len(list(interrupted.checkpoints.iterdir())) > 0


def test_a_sweep_without_an_end_is_sound(small_grid, tmp_path):
    from results.store.sweep_dir import SweepDir
    from search_spaces.points import make_points
    from sweeper.driver.planning import plan_for
    from trainables.profile import profiles_of

    grid, directory = small_grid(), SweepDir(tmp_path / "small")
    points = make_points(grid)
    stored_plan(directory, grid, points, plan_for(grid, points, profiles_of(grid, points), workers=1))
    assert inspect(directory).damage == ()


def test_every_flip_of_a_bit_in_a_part_is_found_and_repaired(interrupted, same_table):
    name = under_way(interrupted)[-3]
    path = interrupted.rows / name.file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found = inspect(interrupted)
    assert [(f.file, f.why) for f in found.damage] == [(f"rows/{name.file}", "its content is not what its name says")]
    assert found.damage[0].again.startswith(f"pack {name.pack} from its start: 2 points")  # older checkpoints are gone
    left, repaired = verify(interrupted, repair=True)
    assert left.damage == ()
    assert {fault.file for fault in repaired} == {f"rows/{name.file}"}
    same_table(interrupted)


def test_a_part_of_a_finished_pack_costs_that_pack_alone(done, same_table):
    name, *others = valid_parts_in(done)
    (done.rows / name.file).write_bytes(b"PAR1")
    assert inspect(done).damage[0].again == f"pack {name.pack} from its start: 2 points"
    assert verify(done, repair=True)[0].damage == ()
    assert valid_parts_in(done) == others
    same_table(done)


def test_a_part_that_is_missing_before_others_is_found(interrupted, same_table):
    names = under_way(interrupted)
    pack = names[0].pack
    (interrupted.rows / names[1].file).unlink()
    assert faults_of(interrupted) == {
        f"rows/{pack}-…-00001-….parquet": "is missing; what was built on it does not count"
    }
    assert verify(interrupted, repair=True)[0].damage == ()
    same_table(interrupted)


@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_a_checkpoint_that_training_goes_on_from(interrupted, same_table, damage):
    name = read_commit(interrupted, under_way(interrupted)[-1]).checkpoint
    path = interrupted.checkpoints / name
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "gone":
        path.unlink()
    else:
        buffer = io.BytesIO()
        torch.save({"points": 3, "records": "x"}, buffer)
        path.unlink()
        other = f"{name.partition('-')[0]}-{digest_of(buffer.getvalue())}.pt"
        (interrupted.checkpoints / other).write_bytes(buffer.getvalue())
        rewritten(interrupted, under_way(interrupted)[-1], same, checkpoint=other)
    (fault,) = inspect(interrupted).damage
    assert fault.file.startswith("checkpoints/")
    assert "from step" in fault.again  # the one before it is kept
    assert verify(interrupted, repair=True)[0].damage == ()
    same_table(interrupted)


def test_rows_twice_are_found_though_every_digest_is_right(done, same_table):
    name = rewritten(done, valid_parts_in(done)[0], lambda rows: pa.concat_tables([rows, rows.slice(0, 1)]))
    assert faults_of(done) == {f"rows/{name.file}": "a measurement of a point at a step stands in it a second time"}
    assert verify(done, repair=True)[0].damage == ()
    same_table(done)


def test_rows_twice_in_two_parts_are_found(interrupted):
    names = under_way(interrupted)
    first = rows_of(interrupted, names[0])
    last = rewritten(interrupted, names[-1], lambda rows: pa.concat_tables([rows, first.cast(rows.schema)]))
    assert list(faults_of(interrupted)) == [f"rows/{last.file}"]


def _of_point(id_):
    def change(rows):
        return rows.set_column(rows.schema.get_field_index("point"), "point", pa.array([id_] * len(rows)))

    return change


def test_rows_of_a_point_of_another_pack_are_found(done):
    one, other, _ = valid_parts_in(done)
    stranger = pc.unique(read_part(done, other)["point"]).to_pylist()[0]
    rewritten(done, one, _of_point(stranger))
    assert f"rows of point {stranger}, which is not of this pack" in faults_of(done).values()


def test_rows_of_an_unknown_point_are_found(done, same_table):
    rewritten(done, valid_parts_in(done)[0], _of_point("ffff"))
    why = next(iter(faults_of(done).values()))
    assert "which has no rows" in why
    assert verify(done, repair=True)[0].damage == ()
    same_table(done)


def test_an_end_without_rows_is_found(done):
    name = rewritten(done, valid_parts_in(done)[0], lambda rows: rows.slice(0, 0))
    assert "which has no rows" in faults_of(done)[f"rows/{name.file}"]


def test_a_point_that_failed_has_no_rows_and_is_sound(done):
    name = valid_parts_in(done)[0]
    ends = read_commit(done, name).ends
    failed = tuple(replace(end, outcome=Outcome.FAILED, why="raised") for end in ends)
    rewritten(done, name, lambda rows: rows.slice(0, 0), ends=failed)
    assert {fault.file for fault in inspect(done).damage} == {"points.parquet"}  # which says that they completed


def test_a_part_of_another_version_is_never_dropped(done):
    def older(rows):
        return rows.replace_schema_metadata({VERSION_KEY: str(SCHEMA_VERSION + 1).encode()})

    name = rewritten(done, valid_parts_in(done)[0], older)
    assert "of another version of this program" in faults_of(done)[f"rows/{name.file}"]
    left, repaired = verify(done, repair=True)
    assert (done.rows / name.file).is_file()
    assert repaired == []
    assert not left.damage[0].repairable


def test_a_part_without_a_column_is_damaged(done):
    name = rewritten(done, valid_parts_in(done)[0], lambda rows: rows.drop_columns(["lam_t"]))
    assert faults_of(done)[f"rows/{name.file}"] == "not the columns of a table of rows (lam_t)"


def test_a_file_of_somebody_else_among_the_parts_is_told_and_stays(done):
    (done.rows / "extra.parquet").write_bytes(b"mine")
    assert "not written by sweeper" in faults_of(done)["rows/extra.parquet"]
    verify(done, repair=True)
    assert (done.rows / "extra.parquet").read_bytes() == b"mine"


def test_what_a_later_attempt_has_taken_over_from_is_waste_and_no_damage(interrupted):
    first, *_, last = under_way(interrupted)
    write_part(interrupted, last.pack, 1, [first], rows_of(interrupted, last), Commit())
    behind = {f"rows/{name.file}" for name in under_way(interrupted)} | {f"rows/{first.file}"}
    waste = {fault.file for fault in inspect(interrupted).waste}
    assert f"rows/{last.file}" in waste
    assert not waste & behind


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda plan: plan["packs"][0].update(id="abc"), "the id of pack abc is not the hash of its points"),
        (lambda plan: plan["points"][0].update(eta=0.2), "is not the hash of what grid.yaml makes of it"),
        (lambda plan: plan["points"][0].update(budget=1e9), "is not the hash of what grid.yaml makes of it"),
        (lambda plan: plan.update(packs=[*plan["packs"], plan["packs"][0]]), "stands in two packs"),
        (lambda plan: plan.clear(), "damaged"),
    ],
)
def test_a_plan_that_contradicts_itself_or_the_grid(done, same_table, change, why):
    plan = json.loads(done.plan.read_text())
    change(plan)
    done.plan.write_text(json.dumps(plan))
    assert why in faults_of(done)["plan.json"]
    assert verify(done, repair=True)[0].damage[0].why == "is missing"
    same_table(done)


def test_a_grid_that_cannot_be_read_is_set_aside(done, same_table):
    done.grid.write_text("name: [")
    assert "not valid YAML" in faults_of(done)["grid.yaml"]
    verify(done, repair=True)
    assert (done.root / "grid.yaml.damaged").read_text() == "name: ["
    same_table(done)


def test_a_table_of_points_that_says_otherwise_than_the_parts(done, sweep, small_grid):
    points = pd.read_parquet(done.points)
    points.loc[2, "best_test_acc"] = 0.99
    points.to_parquet(done.points)
    assert "other values than parts and plan.json have" in faults_of(done)["points.parquet"]
    verify(done, repair=True)
    assert {fault.file for fault in inspect(done).outdated} == {"points.parquet"}
    sweep(small_grid("resources.pack=2"))
    assert inspect(done).outdated == ()


def test_an_older_table_of_points_is_outdated_and_no_damage(done):
    pd.read_parquet(done.points).iloc[:3].to_parquet(done.points)
    found = inspect(done)
    assert found.damage == ()
    assert [(fault.file, fault.why) for fault in found.outdated] == [("points.parquet", "older than the parts")]


@pytest.mark.parametrize("file", ["peaks.parquet", "verdicts.json", "figures/sweep.svg"])
def test_files_of_the_analysis(done, file):
    path = done.analysis / file
    path.write_bytes(b"")
    assert f"analysis/{file}" in faults_of(done)
    path.unlink()
    assert {fault.file for fault in inspect(done).outdated} == {f"analysis/{file}"}


def test_a_repair_needs_the_lock(done):
    with locked(done), pytest.raises(InputError, match="is being run already, by process"):
        verify(done, repair=True)


def test_while_somebody_runs_it_that_is_said(done):
    with locked(done):
        assert verify(done)[0].runner.startswith("process ")
    assert verify(done)[0].runner is None


def test_a_lock_of_a_killed_run_is_free(done):
    done.lock.write_text(json.dumps({"host": "h", "pid": 1, "since": "then"}))
    assert verify(done)[0].runner is None
    with done.lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert verify(done)[0].runner == "process 1 on h since then"


def test_a_run_that_commits_and_ends_between_listing_and_reading_damages_nothing(
    interrupted, sweep, small_grid, monkeypatch
):
    looks = []

    def listed_early(directory):
        inventory = take_inventory(directory)
        if not looks:
            sweep(small_grid(PACKS, "recovery.commit_seconds=0"))
        looks.append(inventory)
        return inventory

    monkeypatch.setattr("sweeper.health.verify.take_inventory", listed_early)
    found, _ = verify(interrupted)
    assert found.damage == ()
    assert found.runner is None
    assert found.checked == inspect(interrupted).checked
    assert len(looks) == 3


def test_damage_that_is_found_twice_counts(done):
    (name,) = [n for n in valid_parts_in(done) if n.sequence == 0][:1]
    (done.rows / name.file).write_bytes(b"")
    assert {fault.file for fault in verify(done)[0].damage} == {f"rows/{name.file}"}


def test_a_repair_touches_nothing_that_is_sound(interrupted):
    before = {path: path.read_bytes() for path in interrupted.root.rglob("*") if path.is_file()}
    left, repaired = verify(interrupted, repair=True)
    assert (left.damage, repaired) == ((), [])
    after = {path: path.read_bytes() for path in interrupted.root.rglob("*") if path.is_file()}
    assert {p: c for p, c in before.items() if p != interrupted.lock} == {
        p: c for p, c in after.items() if p != interrupted.lock
    }


def test_what_is_printed(interrupted):
    name = under_way(interrupted)[-1]
    (interrupted.rows / name.file).write_bytes(b"")
    console = Console(file=io.StringIO(), width=120)
    show(InspectionView(inspect(interrupted), ()), console=console)
    text = console.file.getvalue()
    assert f"rows/{name.file}: its content is not what its name says → pack {name.pack} from step" in text
    assert "'sweeper verify --repair' drops what is damaged" in text
    console = Console(file=io.StringIO(), width=120)
    show(InspectionView(inspect(interrupted), ()), console=console, as_json=True)
    assert json.loads(console.file.getvalue())["damage"][0]["file"] == f"rows/{name.file}"


def test_files_of_killed_writers_go_and_those_of_others_stay(interrupted, sweep, small_grid):
    rests = [
        interrupted.rows / ".x-000-00000-0123456789ab.parquet.123.tmp",
        interrupted.checkpoints / ".x.pt.7.tmp",
        interrupted.root / ".plan.json.4711.tmp",
    ]
    mine = [interrupted.rows / ".hidden", interrupted.root / "notes.tmp", interrupted.logs / "mine.txt"]
    interrupted.logs.mkdir(exist_ok=True)
    for path in (*rests, *mine):
        path.write_bytes(b"x")
    orphan = interrupted.checkpoints / f"aaaa-{'0' * 12}.pt"
    orphan.write_bytes(b"x")
    foreign = interrupted.checkpoints / "my-model.pt"
    foreign.write_bytes(b"x")
    assert set(leftovers(interrupted)) == set(rests)
    assert unused_checkpoints(read_state(interrupted), checkpoint_files(interrupted)) == [orphan]
    assert {fault.file for fault in inspect(interrupted).waste} == {
        str(path.relative_to(interrupted.root)) for path in (*rests, orphan)
    }
    sweep(small_grid("resources.pack=2", "recovery.commit_seconds=0"))
    assert not any(path.exists() for path in (*rests, orphan))
    assert all(path.exists() for path in (*mine, foreign))


def test_a_run_leaves_only_what_is_of_use(interrupted, sweep, small_grid):
    attempts = set(interrupted.attempts.iterdir())
    sweep(small_grid("resources.pack=2", "recovery.commit_seconds=0"))
    assert {path.name for path in interrupted.root.iterdir()} == {
        "grid.yaml", "plan.json", "rows", "attempts", "lock", "points.parquet", "analysis", "report.html",
    }  # fmt: skip
    assert valid_parts_in(interrupted) == sorted(all_parts_in(interrupted), key=lambda name: (name.pack, name.sequence))
    assert attempts < set(interrupted.attempts.iterdir())  # no number is ever given twice


def test_checkpoints_of_packs_that_wait_stay(interrupted):
    before = set(interrupted.checkpoints.iterdir())
    remove_leftovers(read_state(interrupted))
    assert set(interrupted.checkpoints.iterdir()) == before
    assert len(read_ends(interrupted)) == 2


class _Refused(InProcessBackend):
    """Gives up every pack at once."""

    def run(self, directory, plan, grid, notify):
        from results.store.ledger import give_up

        for pack in plan.packs:
            give_up(directory, pack.id, "its worker hung 4 times")


def test_status_tells_sizes_who_runs_it_what_was_given_up_and_what_is_damaged(sweep, small_grid):

    def status(directory, **options):
        console = Console(file=io.StringIO(), width=200)
        show(StatusView(directory, status_of(read_state(directory)), disk_usage(directory)), console=console, **options)
        return console.file.getvalue()

    _, directory = sweep(small_grid("resources.pack=3"), _Refused)
    assert "given up: pack" in status(directory)
    said = json.loads(status(directory, as_json=True))
    assert set(said["given_up"].values()) == {"its worker hung 4 times"}
    assert said["running"] is None
    assert said["bytes"]["in all"] > said["bytes"]["rows"] == 0
    with locked(directory):
        assert "running  process" in status(directory)
    sweep(small_grid("resources.pack=3"))
    name = valid_parts_in(directory)[0]
    size = (directory.rows / name.file).stat().st_size
    (directory.rows / name.file).write_bytes(b"x" * size)
    said = json.loads(status(directory, as_json=True))
    assert list(said["damaged"]) == [name.file]
    assert said["given_up"] == {}
    assert said["bytes"]["rows"] == sum(path.stat().st_size for path in directory.rows.iterdir())
    assert f"damaged: {name.file}: not a whole Parquet file" in status(directory)
