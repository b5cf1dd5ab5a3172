import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from results.schema import COLUMNS, row_schema
from results.store import (
    ENDS_KEY,
    PointEnd,
    SweepDir,
    next_attempt,
    part_name,
    parts,
    read_ends,
    read_points,
    read_rows,
    tidy,
    write_part,
    write_points,
    write_text,
)
from search_spaces.errors import InputError
from search_spaces.outcome import Outcome

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sweep(tmp_path):
    return SweepDir(tmp_path / "demo")


def table(points=("p1",), steps=(1, 2, 4), pack="k1", attempt=0, **columns):
    """Rows of some points; further keywords set a column, or add that of an axis."""
    number = len(points) * len(steps)
    values = {c.name: [0] * number for c in COLUMNS} | {
        "sweep": ["demo"] * number,
        "point": [p for p in points for _ in steps],
        "pack": [pack] * number,
        "attempt": [attempt] * number,
        "step": list(steps) * len(points),
        "test_acc": [s / 8 for s in steps] * len(points),
    }
    extra = {name: pa.scalar(v).type for name, v in columns.items() if name not in values}
    values |= {name: [v] * number for name, v in columns.items()}
    schema = row_schema(extra)
    return pa.table([pa.array(values[f.name]).cast(f.type) for f in schema], schema=schema)


def end(point, outcome=Outcome.COMPLETED, **changes):
    return PointEnd(
        **{"point": point, "pack": "k1", "attempt": 0, "outcome": outcome, "steps": 4, "seconds": 1.5} | changes
    )


def write(sweep, rows, *ends, pack="k1", attempt=0, sequence=0):
    write_part(sweep, part_name(pack, attempt, sequence), rows, ends)


# ------------------------------------------------------------------------------------------------ rows and ends


def test_rows_come_back_ordered_by_point_and_step(sweep):
    write(sweep, table(["p2", "p1"], steps=[4, 1]))
    write(sweep, table(["p1"], steps=[2]), sequence=1)
    rows = read_rows(sweep)
    assert list(zip(rows["point"], rows["step"], strict=True)) == [
        ("p1", 1),
        ("p1", 2),
        ("p1", 4),
        ("p2", 1),
        ("p2", 4),
    ]
    assert list(rows.columns) == [c.name for c in COLUMNS]


def test_rows_come_back_as_they_were(sweep):
    write(sweep, table(["p1"], steps=[4, 1]))
    write(sweep, table(["p1"], steps=[2]), sequence=1)
    rows = read_rows(sweep)
    assert rows["step"].tolist() == [1, 2, 4]
    assert rows["test_acc"].tolist() == [0.125, 0.25, 0.5]
    assert rows["test_acc"].dtype == np.float32


def test_ends_come_back_as_they_were(sweep):
    ends = [
        end("p1", best_test_acc=0.9, kappa=0.5),
        end("p2", Outcome.DIVERGED, why="loss is nan at step 3"),
        end("p3", Outcome.FAILED, why="ValueError: Größe\nline two"),
    ]
    write(sweep, table(["p1", "p2", "p3"]), *ends)
    assert list(read_ends(sweep).values()) == ends
    assert read_ends(sweep)["p2"].outcome is Outcome.DIVERGED


def test_a_part_without_rows_still_ends_its_points(sweep):
    write(sweep, table([]), end("p1", Outcome.FAILED))
    assert read_ends(sweep).keys() == {"p1"}
    assert len(read_rows(sweep)) == 0


def test_a_later_attempt_replaces_the_end_of_an_earlier_one(sweep):
    write(sweep, table(), end("p1", Outcome.FAILED))
    write(sweep, table(attempt=1), end("p1", attempt=1), attempt=1)
    assert read_ends(sweep)["p1"].attempt == 1
    assert next_attempt(sweep, "k1") == 2
    assert next_attempt(sweep, "k2") == 0


def test_nan_and_infinity_stay_what_they_are(sweep):
    write(sweep, table(test_acc=math.nan, train_loss=math.inf, weight_norm=-math.inf), end("p1", Outcome.DIVERGED))
    rows = read_rows(sweep)
    assert len(rows) == 3
    assert rows["test_acc"].isna().all()
    assert np.isnan(pq.read_table(sweep.rows)["test_acc"].to_numpy()).all(), "NaN, not null"
    assert rows["train_loss"].tolist() == [math.inf] * 3
    assert rows["weight_norm"].tolist() == [-math.inf] * 3


def test_chosen_columns(sweep):
    write(sweep, table(["p2", "p1"]))
    rows = read_rows(sweep, ["point", "test_acc"])
    assert list(rows.columns) == ["point", "test_acc"]
    assert sorted(rows["point"]) == ["p1"] * 3 + ["p2"] * 3


@pytest.mark.parametrize("columns", [None, ["point", "step"]])
def test_no_rows_yet(sweep, columns):
    assert list(read_rows(sweep, columns).columns) == (columns or [c.name for c in COLUMNS])
    assert read_ends(sweep) == {}


def test_further_axes_are_columns(sweep):
    rows = table(**{"model.width": 8, "loss.scale": "mean"})
    write(sweep, rows)
    stored = read_rows(sweep)
    assert stored["model.width"].tolist() == [8] * 3
    assert list(stored["loss.scale"]) == ["mean"] * 3


def test_pandas_reads_the_folder_as_the_same_table(sweep):
    write(sweep, table(["p2", "p1"]), end("p1"))
    write(sweep, table(["p3"], pack="k2"), pack="k2")
    (sweep.rows / ".k3-000-00000.parquet.tmp").write_bytes(b"PAR1 half a file")
    ours = read_rows(sweep)
    theirs = pd.read_parquet(sweep.rows)
    text = ["sweep", "point", "pack"]
    assert [ours[name].dtype.name for name in text] == ["category"] * 3
    ours, theirs = (
        t.astype(dict.fromkeys(text, "str")).sort_values(["point", "step"], ignore_index=True) for t in (ours, theirs)
    )
    pd.testing.assert_frame_equal(ours, theirs)


# ---------------------------------------------------------------------------------------------------- atomicity


def test_a_leftover_of_a_killed_writer_is_no_part(sweep):
    write(sweep, table())
    (sweep.rows / ".k1-000-00001.parquet.tmp").write_bytes(b"PAR1 half a file")
    (sweep.rows / ".hidden.parquet").write_bytes(b"")
    assert [p.name for p in parts(sweep)] == ["k1-000-00000.parquet"]
    assert len(read_rows(sweep)) == 3
    write(sweep, table(["p2"]), sequence=1)
    assert not (sweep.rows / ".k1-000-00001.parquet.tmp").exists()


def test_a_writer_that_fails_leaves_the_old_part(sweep, monkeypatch):
    write(sweep, table(), end("p1"))

    def full_disk(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write(sweep, table(["p2"]))
    monkeypatch.undo()
    assert set(read_rows(sweep)["point"]) == {"p1"}
    assert read_ends(sweep).keys() == {"p1"}


def test_write_text_is_whole_or_nothing(tmp_path):
    path = tmp_path / "deep" / "grid.yaml"
    write_text(path, "η: 1\n")
    write_text(path, "η: 2\n")
    assert path.read_text(encoding="utf-8") == "η: 2\n"
    assert [p.name for p in path.parent.iterdir()] == ["grid.yaml"]


WRITER = """
import sys
from pathlib import Path
import pyarrow as pa
from results.schema import row_schema
from results.store import PointEnd, SweepDir, part_name, write_part
from search_spaces.outcome import Outcome
sweep, number = SweepDir(Path(sys.argv[1])), 20_000
print("ready", flush=True)
for i in range(10**6):
    values = {f.name: [i if f.type != pa.string() else f"p{i}"] * number for f in row_schema()}
    rows = pa.table([pa.array(values[f.name]).cast(f.type) for f in row_schema()], schema=row_schema())
    done = PointEnd(point=f"p{i}", pack="k", attempt=0, outcome=Outcome.COMPLETED, steps=1, seconds=0.0)
    write_part(sweep, part_name("k", 0, i % 3), rows, [done])
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
    """Each part holds 20,000 rows of one point and the end of that same point."""
    for path in parts(sweep):
        with pq.ParquetFile(path) as opened:  # read_table opens a path twice, and this writer replaces its parts
            file = opened.read()
        (point,) = set(file["point"].to_pylist())
        assert len(file) == 20_000
        assert f'"point": "{point}"'.encode() in file.schema.metadata[b"sweeper.ends"]


# --------------------------------------------------------------------------------------------------------- tidy


def test_tidy_drops_the_rows_and_ends_of_points_not_kept_and_no_other(sweep):
    write(sweep, table(["p1", "p2"]), end("p1"))
    write(sweep, table(["p3"]), end("p3", Outcome.FAILED), sequence=1)
    write(sweep, table(["p4"]), sequence=2)
    tidy(sweep, row_schema(), keep={"p1", "p4"})
    assert sorted(set(read_rows(sweep)["point"])) == ["p1", "p4"]
    assert len(read_rows(sweep)) == 6
    assert read_ends(sweep).keys() == {"p1"}
    assert [p.name for p in parts(sweep)] == ["k1-000-00000.parquet", "k1-000-00002.parquet"]


def test_tidy_touches_nothing_that_needs_no_change(sweep):
    write(sweep, table(["p1"]), end("p1"))
    before = [(p.stat().st_mtime_ns, p.stat().st_ino) for p in parts(sweep)]
    tidy(sweep, row_schema(), keep={"p1"})
    assert [(p.stat().st_mtime_ns, p.stat().st_ino) for p in parts(sweep)] == before


def test_tidy_twice_is_tidy_once(sweep):
    write(sweep, table(["p1", "p2"]), end("p1"))
    tidy(sweep, row_schema(), keep={"p1"})
    once = [p.read_bytes() for p in parts(sweep)]
    tidy(sweep, row_schema(), keep={"p1"})
    assert [p.read_bytes() for p in parts(sweep)] == once


def test_tidy_gives_old_parts_the_columns_of_new_axes(sweep):
    write(sweep, table(["p1"]), end("p1", kappa=0.5))
    schema = row_schema({"model.width": pa.int64(), "loss.scale": pa.string()})
    tidy(sweep, schema, keep={"p1"}, defaults={"model.width": 64, "loss.scale": "mean"})
    write(sweep, table(["p2"], **{"model.width": 8, "loss.scale": "paper"}), sequence=1)
    rows = read_rows(sweep).groupby("point", observed=True)[["model.width", "loss.scale"]].first()
    assert rows.to_dict("index") == {
        "p1": {"model.width": 64, "loss.scale": "mean"},
        "p2": {"model.width": 8, "loss.scale": "paper"},
    }
    assert read_ends(sweep)["p1"] == end("p1", kappa=0.5)
    assert pq.read_schema(parts(sweep)[0]).equals(schema)


def test_tidy_keeps_nan(sweep):
    write(sweep, table(["p1", "p2"], test_acc=math.nan), end("p1", Outcome.DIVERGED))
    tidy(sweep, row_schema(), keep={"p1"})
    assert np.isnan(pq.read_table(sweep.rows)["test_acc"].to_numpy()).all()


def test_tidy_of_one_pack(sweep):
    write(sweep, table(["p1"]))
    write(sweep, table(["p2"], pack="k2"), pack="k2")
    tidy(sweep, row_schema(), keep=set(), pack="k2")
    assert set(read_rows(sweep)["point"]) == {"p1"}


# ------------------------------------------------------------------------------------------------------- points


def test_points_table(sweep):
    write(sweep, table(["p1", "p2", "old"]), end("old"), end("p2", Outcome.DIVERGED, why="nan"), end("p1", kappa=0.5))
    axes = {
        "p1": {"eta": 0.1, "budget": 5.0},
        "p2": {"eta": 1.0, "budget": 5.0},
        "missing": {"eta": 2.0, "budget": 5.0},
    }
    points = write_points(sweep, axes)
    assert points["point"].tolist() == ["p1", "p2", "old"]
    assert points["outcome"].tolist() == ["completed", "diverged", "completed"]
    assert points["eta"].tolist()[:2] == [0.1, 1.0]
    pd.testing.assert_frame_equal(read_points(sweep), points, check_dtype=False)


def test_points_table_of_an_unfinished_sweep(sweep):
    points = write_points(sweep, {"p1": {"eta": 0.1}})
    assert len(points) == 0
    assert {"point", "outcome", "why"} <= set(read_points(sweep).columns)


def test_a_part_written_before_devices_were_recorded_still_reads(sweep):
    write(sweep, table(["p1"]), end("p1"), sequence=0)
    [path] = parts(sweep)
    rows = pq.read_table(path)
    [old] = json.loads(rows.schema.metadata[ENDS_KEY])
    del old["device"]
    metadata = dict(rows.schema.metadata) | {ENDS_KEY: json.dumps([old]).encode()}
    pq.write_table(rows.replace_schema_metadata(metadata), path)
    write(sweep, table(["p2"]), end("p2", device="NVIDIA H200"), sequence=1)
    points = write_points(sweep, {})
    assert points["device"].tolist() == ["", "NVIDIA H200"]
    assert read_points(sweep)["device"].tolist() == ["", "NVIDIA H200"]


def test_points_before_any_analysis(sweep):
    with pytest.raises(InputError) as caught:
        read_points(sweep)
    assert str(caught.value) == f"{sweep.root}: no points.parquet here. Run 'sweeper analyze {sweep.root}' first."


# -------------------------------------------------------------------------------------------------- other files


def test_a_foreign_parquet_file_is_refused(sweep):
    write(sweep, table())
    foreign = sweep.rows / "zz.parquet"
    pq.write_table(pa.table({"x": [1]}), foreign)
    with pytest.raises(InputError) as caught:
        read_ends(sweep)
    assert (
        str(caught.value) == f"{foreign}: this Parquet file was not written by sweeper; move it out of the rows folder."
    )
