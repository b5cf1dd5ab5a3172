"""What the log of an attempt writes, merges and deletes, by the files that are there afterwards."""

import pytest
from tests_support import point_end, rows_table

from results.store.attempts import OvertakenError, claim
from results.store.commits import Commit, read_commit
from results.store.parts import all_parts_in, read_part, valid_parts_in
from sweeper.worker.checkpoints import Checkpoint, checkpoint_files, load_checkpoint
from sweeper.worker.commit_log import CommitLog


@pytest.fixture
def begin(make_attempt):
    """Begins a new attempt at the pack; its log."""
    return lambda *changes: CommitLog(make_attempt(*changes))


def commit(log, step, *ends, finished=False):
    """Commit one row of each of two points, with a checkpoint of that step."""
    checkpoint = None if finished else log.save_checkpoint(Checkpoint(step=step, training={}))
    rows = rows_table(["p1", "p2"], steps=(step,), attempt=log.attempt_number)
    log.append(rows, Commit(ends=ends, checkpoint=checkpoint, finished=finished))


def steps_of(directory):
    return sorted(step for name in valid_parts_in(directory) for step in read_part(directory, name)["step"].to_pylist())


def checkpoints_of(directory):
    return [load_checkpoint(directory, path.name).step for path in checkpoint_files(directory)]


def test_each_append_is_one_part_behind_those_before(begin, make_attempt):
    log = begin()
    for step in (1, 2, 3):
        commit(log, step)
        assert log.part_count == len(valid_parts_in(make_attempt.directory)) == step
    assert [name.sequence for name in valid_parts_in(make_attempt.directory)] == [0, 1, 2]
    assert steps_of(make_attempt.directory) == [1, 1, 2, 2, 3, 3]


def test_the_two_latest_checkpoints_stay_until_the_pack_has_finished(begin, make_attempt):
    log = begin()
    for step in (1, 2, 3):
        commit(log, step)
        log.clean_up()
    assert sorted(checkpoints_of(make_attempt.directory)) == [2, 3]
    commit(log, 4, point_end("p1"), point_end("p2"), finished=True)
    log.clean_up()
    assert checkpoints_of(make_attempt.directory) == []


def test_a_checkpoint_for_which_there_is_no_room_is_none(begin, make_attempt):
    assert begin("recovery.checkpoint_bytes=10").save_checkpoint(Checkpoint(step=1, training={})) is None
    assert checkpoint_files(make_attempt.directory) == []


def test_the_next_attempt_builds_on_the_parts_and_deletes_only_what_no_longer_counts(begin, make_attempt):
    first = begin()
    commit(first, 1)
    first.append(rows_table(["p1"], steps=(2,)), Commit())  # without a checkpoint: it is trained again
    second = begin()
    assert (second.attempt_number, second.part_count) == (1, 1)
    commit(second, 2)
    assert len(all_parts_in(make_attempt.directory)) == 3
    second.clean_up()
    assert [name.attempt for name in all_parts_in(make_attempt.directory)] == [0, 1]
    assert steps_of(make_attempt.directory) == [1, 1, 2, 2]


def test_compaction_leaves_one_part_of_a_new_attempt_with_the_points_that_are_kept(begin, make_attempt):
    log = begin()
    commit(log, 1)
    commit(log, 2, point_end("p1"), point_end("p2"))
    log.compact(Commit(finished=True), keep={"p1"})
    log.clean_up()
    (name,) = all_parts_in(make_attempt.directory)
    assert (name.attempt, log.attempt_number, log.part_count) == (1, 1, 1)
    assert read_part(make_attempt.directory, name)["point"].to_pylist() == ["p1", "p1"]
    merged = read_commit(make_attempt.directory, name)
    assert ([end.point for end in merged.ends], merged.finished) == (["p1"], True)


@pytest.mark.parametrize(
    "action",
    [
        lambda log: log.save_checkpoint(Checkpoint(step=3, training={})),
        lambda log: log.append(rows_table(["p1"], steps=(3,)), Commit()),
        lambda log: log.compact(Commit(), keep={"p1"}),
        lambda log: log.clean_up(),
    ],
    ids=["save_checkpoint", "append", "compact", "clean_up"],
)
def test_an_overtaken_log_changes_no_file(begin, make_attempt, action):
    log, directory = begin(), make_attempt.directory
    commit(log, 1)
    commit(log, 2)
    claim(directory, "k1")
    before = {path: path.read_bytes() for path in directory.root.rglob("*") if path.is_file()}
    with pytest.raises(OvertakenError, match="pack k1: attempt 0 has been taken over from"):
        action(log)
    assert {path: path.read_bytes() for path in directory.root.rglob("*") if path.is_file()} == before
