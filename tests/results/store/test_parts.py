"""What a part holds, how it is read, and what is found when it is damaged."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support import commit_rows, point_end, rows_table

from results.store.attempts import claim
from results.store.commits import COMMIT_KEY, Commit, read_commit
from results.store.files import table_bytes, write_bytes
from results.store.ledger import read_ends
from results.store.part_names import NO_PARENT, PartName, digest_of
from results.store.parts import (
    all_parts_in,
    compact,
    is_intact,
    read_consistent,
    read_part,
    remove_parts,
    superseded_parts,
    valid_parts_in,
)
from results.store.schema import VERSION_KEY, row_schema
from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from results.store.tables import read_rows, write_points
from search_spaces.errors import InputError
from search_spaces.outcome import Outcome


@pytest.fixture
def sweep(tmp_path):
    return SweepDir(tmp_path / "demo")


def first_part(content):
    """Name of the first part of pack ``k1``."""
    return PartName(pack="k1", attempt=0, sequence=0, parent_digest=NO_PARENT, digest=digest_of(content))


# ------------------------------------------------------------------------------------------------------- rows and ends


def test_ends_come_back_as_they_were(sweep):
    ends = [
        point_end("p1", best_test_acc=0.9, kappa=0.5),
        point_end("p2", Outcome.DIVERGED, why="loss is nan at step 3"),
        point_end("p3", Outcome.FAILED, why="ValueError: Größe\nline two"),
    ]
    name = commit_rows(sweep, rows_table(["p1", "p2", "p3"]), *ends, checkpoint="k1-abc.pt", finished=True)
    assert list(read_ends(sweep).values()) == ends
    assert read_ends(sweep)["p2"].outcome is Outcome.DIVERGED
    assert read_commit(sweep, name) == Commit(ends=tuple(ends), checkpoint="k1-abc.pt", finished=True)


def test_a_part_without_rows_still_ends_its_points(sweep):
    commit_rows(sweep, rows_table([]), point_end("p1", Outcome.FAILED))
    assert read_ends(sweep).keys() == {"p1"}
    assert len(read_rows(sweep)) == 0


def test_a_later_attempt_replaces_the_end_of_an_earlier_one(sweep):
    commit_rows(sweep, rows_table(), point_end("p1", Outcome.FAILED))
    commit_rows(sweep, rows_table(attempt=1), point_end("p1", attempt=1), attempt=1)
    assert read_ends(sweep)["p1"].attempt == 1
    assert claim(sweep, "k1") == 2
    assert claim(sweep, "k2") == 0


def test_an_end_that_says_less_than_ours_still_reads(sweep):
    """What was written before devices were recorded, say."""
    rows = rows_table(["p1"])
    said = {"point": "p1", "pack": "k1", "attempt": 0, "outcome": "completed", "steps": 4, "seconds": 1.5}
    metadata = dict(rows.schema.metadata) | {COMMIT_KEY: json.dumps({"ends": [said]}).encode()}
    content = table_bytes(rows.replace_schema_metadata(metadata))
    write_bytes(sweep.rows / first_part(content).file, content)
    commit_rows(sweep, rows_table(["p2"]), point_end("p2", device="NVIDIA H200"), sequence=1)
    points = write_points(sweep, {}, read_ends(sweep))
    assert points["device"].tolist() == ["", "NVIDIA H200"]


def test_what_a_crash_may_take_back_is_not_settled(sweep):
    commit_rows(sweep, rows_table(["p1"]), point_end("p1"))
    assert read_state(sweep).durable_ends == {}
    commit_rows(sweep, rows_table(["p2"]), point_end("p2"), sequence=1, checkpoint="k1-abc.pt")
    commit_rows(sweep, rows_table(["p3"]), point_end("p3"), sequence=2)
    commit_rows(sweep, rows_table(["q"], pack="k2"), point_end("q", pack="k2"), pack="k2", finished=True)
    assert read_state(sweep).durable_ends.keys() == {"p1", "p2", "q"}
    commit_rows(sweep, rows_table([]), sequence=3, finished=True)
    assert read_state(sweep).durable_ends == read_ends(sweep)
    assert read_state(sweep).durable_ends.keys() == {"p1", "p2", "p3", "q"}


def test_a_reader_that_loses_its_parts_reads_again(sweep):
    name = commit_rows(sweep, rows_table(steps=[1, 2]), point_end("p1"))
    seen = []

    def read(names):
        seen.append(names)
        if len(seen) == 1:  # a worker puts the parts into one meanwhile
            compacted(sweep, {"p1"})
        return [len(read_part(sweep, n)) for n in names]

    assert read_consistent(sweep, read) == [2]
    assert seen[0] == [name]
    assert [n.sequence for n in seen[1]] == [0]
    assert seen[1] != seen[0]


# -------------------------------------------------------------------------------------------------------------- damage


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A part, its name and its content."""
    directory = SweepDir(tmp_path_factory.mktemp("parts") / "demo")
    name = commit_rows(directory, rows_table(["p1", "p2"]), point_end("p1"))
    return directory, name, (directory.rows / name.file).read_bytes()


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_byte_that_changes_is_found(written, data):
    directory, name, content = written
    assert is_intact(directory, name)
    at = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[at] ^= data.draw(st.integers(1, 255))
    (directory.rows / name.file).write_bytes(changed)
    try:
        assert not is_intact(directory, name)
    finally:
        (directory.rows / name.file).write_bytes(content)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_truncation_is_found(written, data):
    directory, name, content = written
    (directory.rows / name.file).write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    try:
        assert not is_intact(directory, name)
    finally:
        (directory.rows / name.file).write_bytes(content)


def test_a_damaged_part_is_refused_in_one_paragraph_that_says_what_to_do(sweep):
    name = commit_rows(sweep, rows_table(), point_end("p1"))
    path = sweep.rows / name.file
    path.write_bytes(path.read_bytes()[:-20])
    unread = "not a whole Parquet file ("
    said = {read_ends: unread, lambda sweep: read_state(sweep).refuse_unknown_ends(): unread, read_rows: "damaged, "}
    for read, why in said.items():
        with pytest.raises(InputError) as caught:
            read(sweep)
        assert str(caught.value).startswith(f"{path}: {why}")
        assert "run 'sweeper verify SWEEP_DIR --repair', then the same command again" in str(caught.value)


def test_a_byte_that_changed_is_found_by_whoever_reads_rows(sweep):
    name = commit_rows(sweep, rows_table(["p1", "p2"]), point_end("p1"))
    read_rows(sweep)
    path = sweep.rows / name.file
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    for read in (lambda: read_rows(sweep), lambda: read_part(sweep, name)):
        with pytest.raises(InputError, match=r"damaged, its content is not what its name says; run 'sweeper verify"):
            read()


@pytest.mark.parametrize("said", [b"{", b"[]", b'{"ends": [{}]}', b'{"ends": [{"point": 1}]}', None])
def test_a_footer_that_says_nothing_sensible_is_refused(sweep, said):
    rows = rows_table()
    metadata = dict(rows.schema.metadata) | ({COMMIT_KEY: said} if said else {})
    content = table_bytes(rows.replace_schema_metadata(metadata))
    name = first_part(content)
    write_bytes(sweep.rows / name.file, content)
    with pytest.raises(InputError, match=r"what it says of ended points is damaged \(.*sweeper verify"):
        read_commit(sweep, name)


def test_a_table_of_another_version_is_refused(sweep):
    rows = rows_table().replace_schema_metadata({VERSION_KEY: b"99"})
    content = table_bytes(rows)
    write_bytes(sweep.rows / first_part(content).file, content)
    with pytest.raises(InputError, match=r"written with version 99 of the row schema, but this program has version"):
        read_ends(sweep)


def test_a_foreign_parquet_file_is_refused(sweep):
    commit_rows(sweep, rows_table())
    foreign = sweep.rows / "zz.parquet"
    pq.write_table(pa.table({"x": [1]}), foreign)
    with pytest.raises(InputError) as caught:
        read_ends(sweep)
    assert (
        str(caught.value) == f"{foreign}: this Parquet file was not written by sweeper; move it out of the rows folder."
    )


# ---------------------------------------------------------------------------------------------------------- compaction


def compacted(sweep, keep, schema=None, defaults=None, **said):
    names, attempt, commit = valid_parts_in(sweep, "k1"), claim(sweep, "k1"), Commit(**said)
    name = compact(sweep, names, attempt, schema or row_schema(), keep=keep, commit=commit, defaults=defaults)
    assert valid_parts_in(sweep, "k1") == [name]
    remove_parts(sweep, superseded_parts(sweep, "k1"))
    return name


def test_compaction_drops_the_rows_and_ends_of_points_not_kept_and_no_other(sweep):
    commit_rows(sweep, rows_table(["p1", "p2"]), point_end("p1"))
    commit_rows(sweep, rows_table(["p3"]), point_end("p3", Outcome.FAILED), sequence=1)
    commit_rows(sweep, rows_table(["p4"]), sequence=2)
    name = compacted(sweep, {"p1", "p4"}, checkpoint="k1-abc.pt")
    assert sorted(set(read_rows(sweep)["point"])) == ["p1", "p4"]
    assert len(read_rows(sweep)) == 6
    assert read_ends(sweep).keys() == {"p1"}
    assert all_parts_in(sweep) == [name]
    assert read_commit(sweep, name).checkpoint == "k1-abc.pt"


def test_compaction_of_all_changes_nothing_that_is_read(sweep):
    for k in range(5):
        commit_rows(sweep, rows_table(["p1", "p2"], steps=[2 * k, 2 * k + 1]), sequence=k)
    commit_rows(sweep, rows_table([]), point_end("p1"), point_end("p2"), sequence=5)
    before = read_rows(sweep), read_ends(sweep)
    compacted(sweep, {"p1", "p2"}, finished=True)
    assert read_rows(sweep).equals(before[0])
    assert read_ends(sweep) == before[1]


def test_compaction_twice_is_compaction_once(sweep):
    commit_rows(sweep, rows_table(["p1", "p2"]), point_end("p1"))
    once = compacted(sweep, {"p1"})
    twice = compacted(sweep, {"p1"})
    assert once.digest == twice.digest
    assert all_parts_in(sweep) == [twice]


def test_compaction_gives_old_parts_the_columns_of_new_axes(sweep):
    commit_rows(sweep, rows_table(["p1"]), point_end("p1", kappa=0.5))
    schema = row_schema({"model.width": pa.float64(), "loss.scale": pa.string()})
    name = compacted(sweep, {"p1"}, schema, {"model.width": 64, "loss.scale": "mean"})
    commit_rows(sweep, rows_table(["p2"], **{"model.width": 8.0, "loss.scale": "paper"}), attempt=1, sequence=1)
    rows = read_rows(sweep).groupby("point", observed=True)[["model.width", "loss.scale"]].first()
    assert rows.to_dict("index") == {
        "p1": {"model.width": 64, "loss.scale": "mean"},
        "p2": {"model.width": 8.0, "loss.scale": "paper"},
    }
    assert read_ends(sweep)["p1"] == point_end("p1", kappa=0.5)
    assert pq.read_schema(sweep.rows / name.file).equals(schema)


def test_compaction_keeps_nan(sweep):
    commit_rows(sweep, rows_table(["p1", "p2"], test_acc=math.nan), point_end("p1", Outcome.DIVERGED))
    compacted(sweep, {"p1"})
    assert np.isnan(pq.read_table(sweep.rows)["test_acc"].to_numpy()).all()


def test_compaction_of_one_pack(sweep):
    commit_rows(sweep, rows_table(["p1"]))
    other = commit_rows(sweep, rows_table(["p2"], pack="k2"), pack="k2")
    before = (sweep.rows / other.file).stat()
    compacted(sweep, set())
    assert set(read_rows(sweep)["point"]) == {"p2"}
    after = (sweep.rows / other.file).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_table_is_the_same_before_and_after_the_old_parts_are_deleted(sweep):
    for k in range(3):
        commit_rows(sweep, rows_table(steps=[k]), sequence=k)
    before = read_rows(sweep)
    compact(sweep, valid_parts_in(sweep), 1, row_schema(), keep={"p1"}, commit=Commit())
    assert len(all_parts_in(sweep)) == 4
    assert read_rows(sweep).equals(before)
    assert len(superseded_parts(sweep)) == 3
