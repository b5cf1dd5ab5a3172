"""Files appear whole or not at all, whatever happens to their writer."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests_support import commit_rows, point_end, rows_table

from results.store.commits import read_commit
from results.store.files import table_bytes, write_text
from results.store.ledger import read_ends
from results.store.parts import all_parts_in, is_intact, read_part, valid_parts_in
from results.store.sweep_dir import SweepDir
from results.store.tables import read_rows

ROOT = Path(__file__).parents[3]


@pytest.fixture
def sweep(tmp_path):
    return SweepDir(tmp_path / "demo")


def test_a_leftover_of_a_killed_writer_is_no_part(sweep):
    name = commit_rows(sweep, rows_table())
    (sweep.rows / ".k1-000-00001-000000000000.parquet.7.tmp").write_bytes(b"PAR1 half a file")
    (sweep.rows / ".hidden.parquet").write_bytes(b"")
    assert all_parts_in(sweep) == [name]
    assert len(read_rows(sweep)) == 3


@pytest.mark.parametrize("refusing", ["fsync", "replace"])
def test_a_writer_that_fails_leaves_what_was_there_and_nothing_else(sweep, monkeypatch, refusing):
    commit_rows(sweep, rows_table(), point_end("p1"))
    before = sorted(sweep.rows.iterdir())

    def full_disk(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, refusing, full_disk)
        with pytest.raises(OSError, match="No space left"):
            commit_rows(sweep, rows_table(["p2"]), sequence=1)
    assert sorted(sweep.rows.iterdir()) == before
    assert set(read_rows(sweep)["point"]) == {"p1"}
    assert read_ends(sweep).keys() == {"p1"}


def test_write_text_is_whole_or_nothing(tmp_path):
    path = tmp_path / "deep" / "grid.yaml"
    write_text(path, "η: 1\n")
    write_text(path, "η: 2\n")
    assert path.read_text(encoding="utf-8") == "η: 2\n"
    assert [p.name for p in path.parent.iterdir()] == ["grid.yaml"]


def test_the_same_table_is_the_same_bytes():
    assert table_bytes(rows_table()) == table_bytes(rows_table())  # a digest of them is one of what is in the table


WRITER = """
import sys
from pathlib import Path
import pyarrow as pa
from results.store.commits import Commit, PointEnd
from results.store.parts import remove_parts, write_part
from results.store.schema import row_schema
from results.store.sweep_dir import SweepDir
from search_spaces.outcome import Outcome
sweep, number, names = SweepDir(Path(sys.argv[1])), 20_000, []
print("ready", flush=True)
for i in range(10**6):
    values = {f.name: [i if pa.types.is_integer(f.type) else 0.5] * number for f in row_schema()}
    values |= {f.name: [f"p{i}"] * number for f in row_schema() if f.type == pa.string()}
    rows = pa.table([pa.array(values[f.name]).cast(f.type) for f in row_schema()], schema=row_schema())
    done = PointEnd(point=f"p{i}", pack="k", attempt=0, outcome=Outcome.COMPLETED, steps=1, seconds=0.0)
    names.append(write_part(sweep, "k", i, (), rows, Commit(ends=(done,))))
    remove_parts(sweep, names[:-3])
"""


@pytest.mark.parametrize("delay", [0.02, 0.11, 0.19, 0.28])
def test_a_writer_killed_at_any_instant_leaves_whole_parts(sweep, delay):
    command = [sys.executable, "-c", WRITER, str(sweep.root)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as writer:
        try:
            assert writer.stdout.readline() == b"ready\n"
            limit = time.monotonic() + delay
            while time.monotonic() < limit:
                check_whole(sweep)
        finally:
            writer.send_signal(signal.SIGKILL)
    check_whole(sweep)


def check_whole(sweep):
    """Each part is what its name says, and holds 20,000 rows of one point and the end of that same point."""
    for name in all_parts_in(sweep):
        try:
            assert is_intact(sweep, name)
            rows, commit = read_part(sweep, name), read_commit(sweep, name)
        except FileNotFoundError:  # its writer has newer ones
            continue
        (point,) = set(rows["point"].to_pylist())
        assert len(rows) == 20_000
        assert [end.point for end in commit.ends] == [point]
    assert len(valid_parts_in(sweep)) <= 1


def test_a_part_is_plain_parquet(sweep):
    name = commit_rows(sweep, rows_table(), point_end("p1"))
    assert pq.read_table(sweep.rows / name.file).num_rows == 3
