"""What the writer of a pack says, keeps, and refuses to write."""

import math
import time

import numpy as np
import pytest
from crash_support import commit_always

from results.store.attempts import OvertakenError, claim
from results.store.commits import read_commit
from results.store.ledger import read_ends
from results.store.parts import all_parts_in, valid_parts_in
from results.store.tables import read_rows
from search_spaces.outcome import Outcome
from sweeper.worker import commit_log, storage_retry
from sweeper.worker.checkpoints import checkpoint_files, load_checkpoint, restart_of
from sweeper.worker.pack_writer import PackWriter
from sweeper.worker.storage_retry import StorageRefusedError
from trainables.measurement import Ended, Measurement

COLUMNS = ("train_acc", "train_loss", "test_loss", "weight_norm", "eta_eff", "epoch", "eta_t", "lam_t")


def measured(step, members, acc=(0.5, 0.5), ends=()):
    values = {name: np.zeros(len(members)) for name in COLUMNS}
    values |= {"test_acc": np.array(acc[: len(members)]), "decay_time": np.full(len(members), step / 10)}
    return Measurement(step=step, members=tuple(members), values=values, ends=ends)


def raised():
    """An error as code of a point raises it."""
    try:
        raise ValueError("ill")
    except ValueError as error:
        return error


def ended(member, outcome=Outcome.COMPLETED):
    return Ended(member=member, outcome=outcome)


class Counting:
    """A training whose state is the step that it was asked at."""

    step = 0

    def state_dict(self):
        return {"step": self.step}


@pytest.fixture
def make_writer(make_attempt, monkeypatch):
    """A writer of pack ``k1``, of two points, as a new attempt makes it; and what it told the driver."""
    commit_always(monkeypatch)

    def make(*changes, **options):
        attempt = make_attempt(*changes)
        writer = PackWriter(attempt, **options)
        writer.begin(attempt.pack.points)
        return writer, attempt.pack.points

    make.directory, make.heard = make_attempt.directory, make_attempt.heard
    return make


def follow(writer, step=0):
    training = Counting()
    writer.attach(training, step)
    return training


def add(writer, training, step, *arguments, **options):
    training.step = step
    writer.add(measured(step, *arguments, **options))


def test_rows_ends_and_state_are_committed_together(make_writer):
    writer, points = make_writer()
    training = follow(writer)
    add(writer, training, 1, [0, 1])
    add(writer, training, 5, [0, 1], ends=(ended(1),))
    *_, last = valid_parts_in(make_writer.directory)
    commit = read_commit(make_writer.directory, last)
    assert [e.point for e in commit.ends] == [points[1].id]
    state = load_checkpoint(make_writer.directory, commit.checkpoint)
    assert (state.step, state.training, list(state.points)) == (5, {"step": 5}, [p.id for p in points])
    assert list(state.records) == [points[0].id]
    assert sorted(read_rows(make_writer.directory)["step"]) == [1, 1, 5, 5]


def test_a_next_attempt_goes_on_there(make_writer):
    writer, points = make_writer()
    training = follow(writer)
    add(writer, training, 1, [0, 1], acc=(0.75, 0.5))
    add(writer, training, 5, [0, 1], ends=(ended(1),))
    again, _ = make_writer()
    assert again.ended == {points[1].id}
    training = follow(again, 5)
    add(again, training, 9, [0], acc=(0.5,), ends=(ended(0),))
    again.finish()
    ends = read_ends(make_writer.directory)
    assert (ends[points[0].id].best_test_acc, ends[points[0].id].kappa) == (0.75, 0.1)  # measured by the first attempt
    assert [ends[p.id].attempt for p in points] == [1, 0]
    assert [ends[p.id].steps for p in points] == [9, 5]
    assert read_commit(make_writer.directory, valid_parts_in(make_writer.directory)[-1]).finished
    assert checkpoint_files(make_writer.directory) == []


def test_the_driver_hears_of_every_step_and_end_once(make_writer):
    writer, points = make_writer(report_seconds=0.0)
    training = follow(writer)
    add(writer, training, 4, [0, 1])
    writer.add(Measurement(step=6, members=(), values={}))  # a sign of life
    add(writer, training, 10, [0, 1], ends=(ended(0),))
    add(writer, training, 15, [1], ends=(ended(1, Outcome.DIVERGED),))
    writer.finish()
    heard = make_writer.heard
    assert [p.steps for p in heard] == [0, 8, 12, 10 + 10, 10 + 15, 10 + 15]
    assert [e.point for p in heard for e in p.ends] == [p.id for p in points]
    assert [p.left for p in heard] == [False] * (len(heard) - 1) + [True]


@pytest.mark.parametrize("again", ["add", "fail", "finish", "pause", "restart_open_points"])
def test_an_attempt_that_was_overtaken_writes_nothing_more(make_writer, again):
    writer, points = make_writer()
    training = follow(writer)
    add(writer, training, 1, [0, 1])
    claim(make_writer.directory, "k1")
    before = all_parts_in(make_writer.directory), checkpoint_names(make_writer.directory)
    training.step = 2
    actions = {
        "add": lambda: writer.add(measured(2, [0, 1])),
        "fail": lambda: writer.fail(points[0], raised()),
        "finish": writer.finish,
        "pause": writer.pause,
        "restart_open_points": lambda: writer.restart_open_points(1),
    }
    with pytest.raises(OvertakenError):
        actions[again]()
    assert all_parts_in(make_writer.directory) == before[0]
    assert checkpoint_names(make_writer.directory) == before[1]


def checkpoint_names(directory):
    return {path.name for path in checkpoint_files(directory)}


def test_the_checkpoint_before_the_latest_stays_and_no_other(make_writer):
    writer, _ = make_writer()
    training = follow(writer)
    for step in range(1, 6):
        add(writer, training, step, [0, 1])
    names = [read_commit(make_writer.directory, n).checkpoint for n in valid_parts_in(make_writer.directory)]
    assert checkpoint_names(make_writer.directory) == set(names[-2:])


def test_without_room_for_a_checkpoint_rows_are_committed_all_the_same(make_writer):
    writer, _ = make_writer("recovery.checkpoint_bytes=10")
    add(writer, follow(writer), 1, [0, 1])
    (name,) = valid_parts_in(make_writer.directory)
    assert read_commit(make_writer.directory, name).checkpoint is None
    assert restart_of(make_writer.directory, "k1").names == ()
    again, _ = make_writer("recovery.checkpoint_bytes=10")
    add(again, follow(again), 1, [0, 1])
    assert [n.attempt for n in all_parts_in(make_writer.directory)] == [1]
    assert not read_rows(make_writer.directory).duplicated(["point", "step"]).any()


# ------------------------------------------------------------------------------------------ storage that refuses


@pytest.fixture
def refusing(monkeypatch):
    """Makes a function of the writer raise an OSError so many times, before or after it has done its work."""
    monkeypatch.setattr(storage_retry, "FIRST_WAIT_SECONDS", 0.001)

    def refuse(name, times, after=False):
        real, left = getattr(commit_log, name), [times]

        def refused(*arguments, **options):
            result = real(*arguments, **options) if after or not left[0] else None
            if left[0]:
                left[0] -= 1
                raise OSError(28, "No space left on device")
            return result

        monkeypatch.setattr(commit_log, name, refused)

    return refuse


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", ["save_checkpoint", "write_part", "checkpoint_files", "remove_parts"])
def test_storage_that_refuses_for_a_while_costs_no_row_and_gives_none_twice(make_writer, refusing, name, after):
    writer, points = make_writer()
    training = follow(writer)
    for step in (1, 2, 3):
        add(writer, training, step, [0, 1])
    lost = read_commit(make_writer.directory, valid_parts_in(make_writer.directory)[-1]).checkpoint
    (make_writer.directory.checkpoints / lost).unlink()  # so that the next attempt has something to replace
    refusing(name, 3, after)
    writer, _ = make_writer()
    training = follow(writer, 2)
    for step in (3, 4):
        add(writer, training, step, [0, 1])
    add(writer, training, 5, [0, 1], ends=(ended(0), ended(1)))
    writer.finish()
    rows = read_rows(make_writer.directory)
    assert not rows.duplicated(["point", "step"]).any()
    assert sorted(set(rows["step"])) == [1, 2, 3, 4, 5]
    assert read_ends(make_writer.directory).keys() == {p.id for p in points}
    assert "storage refuses: [Errno 28] No space left on device" in {p.waiting for p in make_writer.heard}
    assert checkpoint_names(make_writer.directory) == set()


def test_a_commit_that_is_refused_again_and_again_leaves_one_checkpoint(make_writer, refusing):
    """Else each attempt would take more of the disk that it waits for."""
    refusing("write_part", 5)
    writer, _ = make_writer()
    add(writer, follow(writer), 1, [0, 1])
    assert len(checkpoint_names(make_writer.directory)) == 1


def test_patience_has_an_end(make_writer, refusing):
    refusing("write_part", math.inf)
    writer, _ = make_writer("recovery.storage_seconds=0.02")
    began = time.monotonic()
    with pytest.raises(StorageRefusedError, match=r"storage refused for \d+ s: .*No space left"):
        add(writer, follow(writer), 1, [0, 1])
    assert time.monotonic() - began < 60
    assert all_parts_in(make_writer.directory) == []


def test_a_run_that_is_to_stop_does_not_wait(make_writer, refusing):
    refusing("write_part", math.inf)
    writer, _ = make_writer("recovery.storage_seconds=100000")
    make_writer.directory.stop.touch()
    with pytest.raises(StorageRefusedError, match=r"storage refused for \d+ s: .*No space left"):
        add(writer, follow(writer), 1, [0, 1])


# ------------------------------------------------------------------------------------------ one by one


def test_after_an_error_only_what_has_ended_stays_and_the_rest_starts_anew(make_writer):
    writer, points = make_writer()
    training = follow(writer)
    add(writer, training, 1, [0, 1], acc=(0.9, 0.9))
    add(writer, training, 2, [0, 1], ends=(ended(1),))
    writer.restart_open_points(1)
    assert set(read_rows(make_writer.directory)["point"]) == {points[1].id}
    again, _ = make_writer()
    assert (again.points_at_a_time, again.ended) == (1, {points[1].id})
    again.begin(points[:1])
    training = follow(again)
    add(again, training, 1, [0], acc=(0.25,))
    again.fail(points[0], raised())
    again.finish()
    end = read_ends(make_writer.directory)[points[0].id]
    assert (end.outcome, end.best_test_acc) == (Outcome.FAILED, 0.25)
    assert end.why.startswith("ValueError: ill (")
    assert (make_writer.directory.logs / f"{points[0].id}.txt").read_text().startswith("Traceback")
    assert sorted(read_rows(make_writer.directory).groupby("point", observed=True).size()) == [1, 2]


def test_an_error_before_anything_was_committed_is_remembered_too(make_writer):
    writer, _ = make_writer()
    writer.restart_open_points(1)
    assert restart_of(make_writer.directory, "k1").checkpoint.together == 1
    assert len(read_rows(make_writer.directory)) == 0


def test_a_point_that_trains_alone_forgets_what_it_reached_with_the_others(make_writer):
    """Else its end would say it, unless a worker died meanwhile: the tables would differ."""
    writer, points = make_writer()
    training = follow(writer)
    add(writer, training, 1, [0, 1], acc=(0.9, 0.9))
    writer.restart_open_points(1)
    writer.begin(points[:1])
    training = follow(writer)
    add(writer, training, 1, [0], acc=(0.5,), ends=(ended(0),))
    assert read_ends(make_writer.directory)[points[0].id].best_test_acc == 0.5


# ------------------------------------------------------------------------------------------ how often


def test_an_end_has_the_best_of_the_grids_metric(make_writer):
    writer, _ = make_writer("metric={name: test_loss}")
    follow(writer)
    for step, losses in enumerate([[0.9, 0.5], [0.3, 0.6], [0.4, 0.7]], start=1):
        values = dict(measured(step, [0, 1]).values) | {"test_loss": np.array(losses)}
        ends = (ended(0), ended(1)) if step == 3 else ()
        writer.add(Measurement(step=step, members=(0, 1), values=values, ends=ends))
    *_, last = valid_parts_in(make_writer.directory)
    ends = read_commit(make_writer.directory, last).ends
    assert [(end.best_metric, end.best_test_acc) for end in ends] == [(0.3, None), (0.5, None)]
    assert [end.kappa for end in ends] == [0.2, 0.1]  # decay times of the smallest losses
