"""What a state of a sweep holds, and what it says of files that cannot be read."""

import json

import pytest
from tests_support import SMALL, commit_rows, point_end, rows_table

from results.store.ledger import give_up
from results.store.parts import remove_parts
from results.store.plan_file import write_plan
from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from search_spaces.cost import Cost
from search_spaces.errors import InputError
from search_spaces.outcome import Outcome
from search_spaces.plan import Pack, Plan
from search_spaces.points import make_points
from search_spaces.reading.dump import to_yaml
from search_spaces.reading.load import load_grid

GRID = load_grid(SMALL, "small.yaml")
POINTS = make_points(GRID)
IDS = [point.id for point in POINTS]


@pytest.fixture
def directory(tmp_path):
    """A planned sweep of packs ``k1`` and ``k2``, of three points each. Nothing of it is trained yet."""
    directory = SweepDir(tmp_path / "small")
    directory.root.mkdir()
    directory.grid.write_text(to_yaml(GRID))
    packs = tuple(Pack(id=k, points=POINTS[i : i + 3], cost=Cost()) for k, i in (("k1", 0), ("k2", 3)))
    plan = Plan(packs=packs, chunks=(("k1",), ("k2",)), workers=1, work=0.0, makespan=0.0, bound=0.0)
    write_plan(directory, GRID, POINTS, plan, earlier=None, begun=set())
    return directory


def commit(directory, pack, *ids, sequence=0, **said):
    ends = [point_end(id_, pack=pack) for id_ in ids]
    return commit_rows(directory, rows_table(ids or ["p1"], pack=pack), *ends, pack=pack, sequence=sequence, **said)


def test_of_a_folder_that_is_not_there_nothing_is_known(tmp_path):
    state = read_state(SweepDir(tmp_path / "none"))
    assert (state.grid, state.plan, state.footers, state.ends) == (None, None, {}, {})
    assert set(state.versions.values()) == {None}
    state.refuse_unknown_ends()
    for required in (state.required_grid, state.required_plan):
        with pytest.raises(InputError, match="none"):
            required()


def test_ends_of_the_parts_that_count_and_the_points_that_are_missing(directory):
    commit(directory, "k1", IDS[0], checkpoint="k1-0.pt")
    commit(directory, "k1", IDS[2], sequence=1)
    commit(directory, "k2", *IDS[3:], finished=True)
    state = read_state(directory)
    assert state.required_grid() == GRID
    assert list(state.pack_points) == ["k1", "k2"]
    assert {pack: len(footers) for pack, footers in state.footers_by_pack.items()} == {"k1": 2, "k2": 1}
    assert set(state.ends) == {IDS[0], *IDS[2:]}
    assert state.missing(POINTS) == [POINTS[1]]
    assert set(state.durable_ends) == {IDS[0], *IDS[3:]}  # the other is behind the last checkpoint
    assert state.problems == state.lost == {}


def test_points_of_a_pack_that_was_given_up_failed_unless_they_had_ended(directory):
    commit(directory, "k1", IDS[0])
    give_up(directory, "k1", "its worker died 4 times")
    state = read_state(directory)
    assert set(state.ends) == {IDS[0]}
    assert {id_: end.outcome for id_, end in state.ledger.items()} == {
        IDS[0]: Outcome.COMPLETED,
        IDS[1]: Outcome.FAILED,
        IDS[2]: Outcome.FAILED,
    }
    assert state.ledger[IDS[1]].why == "its worker died 4 times"
    assert state.missing(POINTS) == list(POINTS[1:])  # the next run tries them again


def test_parts_behind_one_that_is_missing_do_not_count(directory):
    first = commit(directory, "k1", IDS[0])
    commit(directory, "k1", IDS[1], sequence=1)
    remove_parts(directory, [first])
    state = read_state(directory)
    assert (state.ends, state.lost) == ({}, {"k1": 0})


def test_a_part_that_cannot_be_read_hides_ends_and_no_other_file_does(directory):
    name = commit(directory, "k1", IDS[0])
    commit(directory, "k2", *IDS[3:])
    directory.plan.write_text("{")
    read_state(directory).refuse_unknown_ends()
    (directory.rows / name.file).write_bytes(b"nonsense")
    state = read_state(directory)
    assert set(state.ends) == set(IDS[3:])
    assert set(state.problems) == {directory.plan, directory.rows / name.file}
    assert set(state.problems_of_ledger) == {directory.rows / name.file}
    with pytest.raises(InputError, match="not a whole Parquet file"):
        state.refuse_unknown_ends()
    with pytest.raises(InputError, match="plan"):
        state.required_plan()


def test_a_cause_that_cannot_be_read_hides_ends_too(directory):
    give_up(directory, "k1", "its worker died")
    (directory.given_up / "k1.json").write_text("[]")
    state = read_state(directory)
    assert state.given_up == {}
    with pytest.raises(InputError, match=r"k1\.json: damaged"):
        state.refuse_unknown_ends()


def test_a_later_state_takes_over_what_was_not_rewritten(directory):
    name = commit(directory, "k1", IDS[0])
    before = read_state(directory)
    commit(directory, "k1", IDS[1], sequence=1)
    after = read_state(directory, before)
    assert after.grid is before.grid
    assert after.plan is before.plan
    assert after.footers[name] is before.footers[name]
    assert set(after.ends) == set(IDS[:2])
    assert set(before.ends) == {IDS[0]}


def test_a_later_state_reads_again_what_was_rewritten(directory):
    before = read_state(directory)
    content = json.loads(directory.plan.read_text())
    directory.plan.unlink()
    directory.plan.write_text(json.dumps(content | {"workers": 7}))
    directory.grid.unlink()
    after = read_state(directory, before)
    assert (before.required_plan().workers, after.required_plan().workers) == (1, 7)
    assert after.grid is None
    assert directory.grid in after.problems
