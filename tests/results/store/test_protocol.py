"""The commit protocol as a state machine: whoever writes, dies, or comes back from the dead."""

import itertools
import os
from dataclasses import dataclass, replace

import pyarrow as pa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from tests_support import point_end, rows_table

from results.store.attempts import OvertakenError, claim, claim_next, refuse_if_overtaken
from results.store.commits import Commit, read_commit
from results.store.part_names import PartName
from results.store.parts import (
    all_parts_in,
    compact,
    is_intact,
    read_part,
    remove_parts,
    superseded_parts,
    valid_parts_in,
    write_part,
)
from results.store.schema import row_schema
from results.store.sweep_dir import SweepDir

POINTS = {"p1": 5, "p2": 9, "p3": 20}  # and their last steps
LAST = max(POINTS.values())


@dataclass(eq=False)
class Attempt:
    """A worker on the pack: alive, or dead without knowing it."""

    number: int
    step: int
    built_on: tuple[PartName, ...]  # the parts before its next one
    done: bool = False
    to_delete: tuple[PartName, ...] = ()  # what it has listed, and deletes when it wakes up


class Protocol(RuleBasedStateMachine):
    """Any number of workers on one pack, each of which sleeps as long as it likes between any two of its steps.

    Each trains all points step by step, and every part tells what it was built on.
    """

    def __init__(self):
        super().__init__()
        self.directory = SweepDir(Protocol.root / f"{next(Protocol.numbers)}")
        self.directory.rows.mkdir(parents=True)
        self.attempts: list[Attempt] = []
        self.given = 0  # numbers of attempts
        self.current: Attempt | None = None  # the latest of this run
        self.history: dict[PartName, tuple[PartName, ...]] = {}  # part to those that it was built on
        self.states: dict[str, int] = {}  # checkpoint to its step

    @rule()
    def claim(self):
        """A new attempt goes on at the last part whose checkpoint is there, or at the start."""
        number = claim(self.directory, "k1")
        assert number == self.given
        self.given += 1
        names = valid_parts_in(self.directory, "k1")
        commits = [read_commit(self.directory, name) for name in names]
        steps = [self.states.get(commit.checkpoint) for commit in commits]
        last = max((i + 1 for i, step in enumerate(steps) if step is not None), default=0)
        self.current = Attempt(number, steps[last - 1] if last else 0, tuple(names[:last]))
        self.attempts.append(self.current)

    @precondition(lambda self: self.able())
    @rule(data=st.data(), steps=st.integers(1, 8), checkpoint=st.booleans())
    def commit(self, data, steps, checkpoint):
        """Any attempt commits, also one that was overtaken: it may have asked just before, and slept since."""
        attempt = data.draw(st.sampled_from(self.able()))
        before = valid_parts_in(self.directory)
        self._write(attempt, min(attempt.step + steps, LAST), checkpoint)
        if attempt is self.current:
            assert valid_parts_in(self.directory) == list(attempt.built_on)  # so a commit is what counts from then on
        elif self.current and self._has_committed(self.current):
            assert valid_parts_in(self.directory) == before  # nobody hears of a worker that is dead

    def able(self):
        return [attempt for attempt in self.attempts if not attempt.done]

    def _has_committed(self, attempt):
        return any(name.attempt == attempt.number for name in attempt.built_on)

    def _write(self, attempt, last, checkpoint):
        new = range(attempt.step + 1, last + 1)
        tables = [rows_table([p], [s for s in new if s <= end], attempt=attempt.number) for p, end in POINTS.items()]
        ends = tuple(
            point_end(p, steps=end, attempt=attempt.number) for p, end in POINTS.items() if attempt.step < end <= last
        )
        state = f"k1-{len(self.states)}.pt" if checkpoint and last < LAST else None
        commit = Commit(ends=ends, checkpoint=state, finished=last == LAST)
        name = write_part(self.directory, "k1", attempt.number, attempt.built_on, pa.concat_tables(tables), commit)
        if state:
            self.states[state] = last
        self.history[name] = attempt.built_on
        attempt.built_on, attempt.step, attempt.done = (*attempt.built_on, name), last, last == LAST

    @precondition(lambda self: self.able())
    @rule(data=st.data())
    def list_what_is_of_no_use(self, data):
        """Then ask whether one still has the pack, as each does after its first commit."""
        attempt = data.draw(st.sampled_from(self.able()))
        listed, own = set(all_parts_in(self.directory, "k1")), set(attempt.built_on)
        try:
            refuse_if_overtaken(self.directory, "k1", attempt.number)
        except OvertakenError:
            assert attempt.number < self.given - 1
        else:
            assert attempt.number == self.given - 1
            attempt.to_delete = tuple(listed - own) if self._has_committed(attempt) and own <= listed else ()

    @precondition(lambda self: any(attempt.to_delete for attempt in self.attempts))
    @rule(data=st.data())
    def delete(self, data):
        """At any time after that. Where the disk has lost its own parts since, those of earlier attempts can go."""
        attempt = data.draw(st.sampled_from([attempt for attempt in self.attempts if attempt.to_delete]))
        before = valid_parts_in(self.directory)
        is_undamaged = set(attempt.built_on) <= set(all_parts_in(self.directory))
        remove_parts(self.directory, attempt.to_delete)
        attempt.to_delete = ()
        after = valid_parts_in(self.directory)
        lost = [] if is_undamaged else [name for name in before if name.attempt < attempt.number]
        assert set(before) - set(lost) <= set(after)
        assert lost or after == before

    @precondition(lambda self: self.able())
    @rule(data=st.data())
    def compact(self, data):
        """An attempt puts its parts into one, as it does when it is done or each point is to train alone."""
        attempt = data.draw(st.sampled_from(self.able()))
        if not attempt.built_on or not set(attempt.built_on) <= set(all_parts_in(self.directory)):
            return
        names, rows = attempt.built_on, read_rows_of(self.directory, attempt.built_on)
        try:
            attempt.number = claim_next(self.directory, "k1", attempt.number)
        except OvertakenError:
            assert attempt.number < self.given - 1
            return
        self.given += 1
        commit = replace(read_commit(self.directory, names[-1]), ends=())
        name = compact(self.directory, names, attempt.number, row_schema(), keep=set(POINTS), commit=commit)
        self.history[name] = ()
        attempt.built_on = (name,)
        assert valid_parts_in(self.directory) == [name]
        assert read_rows_of(self.directory, [name]) == rows

    @rule(data=st.data(), how=st.sampled_from(["nothing", "flip", "truncate", "delete"]))
    def run_again(self, data, how):
        """The driver died, perhaps the disk lied; the next run puts in order, while old workers may still live."""
        remove_parts(self.directory, superseded_parts(self.directory))
        self.current = None
        names = valid_parts_in(self.directory)
        if how == "nothing" or not names:
            return
        name = data.draw(st.sampled_from(names))
        _damage(self.directory.rows / name.file, how, data)
        damaged = [n for n in all_parts_in(self.directory) if not is_intact(self.directory, n)]
        assert damaged == ([] if how == "delete" else [name])
        remove_parts(self.directory, damaged)
        remove_parts(self.directory, superseded_parts(self.directory))

    @invariant()
    def one_history(self):
        names = valid_parts_in(self.directory)
        assert [n.sequence for n in names] == list(range(len(names)))
        for k, name in enumerate(names):
            assert self.history[name] == tuple(names[:k])

    @invariant()
    def each_step_of_each_point_once(self):
        names = valid_parts_in(self.directory)
        rows = read_rows_of(self.directory, names)
        for point, end in POINTS.items():
            steps = [step for p, step in rows if p == point]
            assert steps == list(range(1, len(steps) + 1))
            assert len(steps) <= end
        ended = {e.point: e for n in names for e in read_commit(self.directory, n).ends}
        assert {p: e.steps for p, e in ended.items()} == {p: end for p, end in POINTS.items() if (p, end) in rows}

    @invariant()
    def what_the_current_attempt_builds_on_is_there(self):
        if self.current:
            assert set(self.current.built_on) <= set(all_parts_in(self.directory))
            if self._has_committed(self.current):
                assert valid_parts_in(self.directory) == list(self.current.built_on)


def _damage(path, how, data):
    content = bytearray(path.read_bytes())
    if how == "flip":
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
    elif how == "truncate":
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    else:
        path.unlink()


def read_rows_of(directory, names):
    """(point, step) of all rows of these parts, in order."""
    tables = [read_part(directory, name, ["point", "step"]) for name in names]
    return sorted((p, s) for t in tables for p, s in zip(t["point"].to_pylist(), t["step"].to_pylist(), strict=True))


def test_the_protocol(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _file: None)  # the power stays on
    Protocol.root, Protocol.numbers = tmp_path, itertools.count()
    run_state_machine_as_test(Protocol, settings=settings(max_examples=200, stateful_step_count=25, deadline=None))
