"""What is read from a directory of others passes one door a kind of file: types, ranges, lengths, printable text."""

import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from faults_support import small_disk
from rich.console import Console
from tests_support import SMALL
from typer.testing import CliRunner

from results.figures.drawing import _without_formula
from results.store import files
from results.store.commits import COMMIT_KEY, read_footer
from results.store.ledger import give_up, read_cause
from results.store.part_names import digest_of
from results.store.parts import read_part, valid_parts_in
from results.store.plan_file import read_plan
from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points, read_rows
from search_spaces.errors import MAX_LINE, InputError
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.cli.app import app
from sweeper.driver.run import run_sweep
from sweeper.health.verify import verify
from sweeper.lock.lock import locked
from sweeper.worker import storage_retry
from sweeper.worker.run_pack import run_pack
from sweeper.worker.storage_retry import StorageRefusedError
from sweeper.worker.weights import load_torch


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    out = tmp_path_factory.mktemp("original")
    grid = load_grid(SMALL, "small.yaml", ["resources.pack=3", "axes.lam=[0, 0.1]"])
    run_sweep(grid, out, InProcessBackend, None, Console(file=io.StringIO()))
    return out / "small"


@pytest.fixture
def copy(original, tmp_path):
    shutil.copytree(original, tmp_path / "small")
    return SweepDir(tmp_path / "small")


def rewritten(directory, change=lambda rows: rows, **end):
    """Put another part, with the right digest, in the place of the first; its name."""
    name = valid_parts_in(directory)[0]
    path = directory.rows / name.file
    table = change(pq.ParquetFile(path).read())
    metadata = dict(table.schema.metadata or {})
    if end:
        commit = json.loads(metadata[COMMIT_KEY])
        commit["ends"][0] |= end
        metadata[COMMIT_KEY] = json.dumps(commit).encode()
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), buffer)
    path.unlink()
    name = replace(name, digest=digest_of(buffer.getvalue()))
    (directory.rows / name.file).write_bytes(buffer.getvalue())
    return name


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("steps", value) for value in (10**30, 2**63, 2**53 + 1, -1)),
        *(("attempt", value) for value in (10**12, -1)),
        *(("seconds", value) for value in (1e308, float("inf"), float("nan"), -1)),
        *(("best_test_acc", value) for value in (1e308, -0.1, float("nan"))),
        *(("point", value) for value in ("=cmd()", "+1", "@x", "-1", "\x1b[2J", "../x", "", "x" * 65)),
        ("why", "\ud800"),
    ],
)
def test_ends_of_other_values_are_damage(copy, column, value):
    name = rewritten(copy, **{column: value})
    with pytest.raises(InputError, match="what it says of ended points is damaged") as refusal:
        read_footer(copy, name)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("why", ["\x1b[2J\0\r\n[red]", "x" * 10**6, "a\nb", "\x9b31m", "\u202e", "[/]"])
def test_reasons_and_devices_are_read_as_one_line(copy, why):
    name = rewritten(copy, why=why, device=why, outcome="failed", kappa=float("inf"))
    (end, *_) = read_footer(copy, name).commit.ends
    assert end.why.replace("\n", "").isprintable()
    assert end.device.replace("\n", "").isprintable()
    assert len(end.why) <= MAX_LINE
    assert end.kappa is None
    if why.startswith("\x1b"):  # an analysis takes seconds
        result = CliRunner().invoke(app, ["analyze", str(copy.root)])
        assert result.exit_code == 0
        assert not {"\x1b", "\0"} & set(result.output)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("step", value) for value in (2**63 - 1, 2**53 + 2, -1)),
        *(("decay_time", value) for value in (1e308, float("inf"), -1.0)),
        *(("epoch", value) for value in (-5.0, 1e308)),
        *(("test_acc", value) for value in (3e38, -1.0)),
        *(("point", value) for value in ("=cmd()", "\x1b[2J", "\0", "")),
    ],
)
def test_rows_of_other_values_are_damage(copy, column, value):
    def changed(rows):
        place, field = rows.schema.get_field_index(column), rows.schema.field(column)
        return rows.set_column(place, field, pa.array([value, *rows[column].to_pylist()[1:]], field.type))

    name = rewritten(copy, changed)
    for read in (lambda: read_part(copy, name), lambda: read_rows(copy)):
        with pytest.raises(InputError, match=f"a value that no row has: {column} is") as refusal:
            read()
        assert str(refusal.value).isprintable()
    assert read_part(copy, name, ["seed", "seconds"]).num_rows > 0  # other columns are as they were


@pytest.mark.parametrize("column", ["decay_time", "epoch", "test_acc", "eta", "seconds", "budget"])
def test_rows_of_other_values_are_found_and_dropped(copy, column):
    place = pq.read_schema(next(copy.rows.iterdir())).get_field_index(column)

    def changed(rows):
        values = pa.array([-1.0] * len(rows), rows.schema.field(column).type)
        return rows.set_column(place, rows.schema.field(column), values)

    name = rewritten(copy, changed)
    found, repaired = verify(copy, repair=True)
    assert f"rows/{name.file}" in {fault.file for fault in repaired}
    assert f"{column} is -1, out of 0 to" in "".join(fault.why for fault in repaired)
    assert not [fault for fault in found.damage if fault.file.startswith("rows/")]


@pytest.mark.parametrize("metadata", [b"no json", b'{"index_columns": [5], "columns": 3}', b"\xff", b"", b"[" * 10**5])
def test_metadata_of_pandas_is_not_read(copy, metadata):
    name = rewritten(
        copy, lambda rows: rows.replace_schema_metadata(dict(rows.schema.metadata) | {b"pandas": metadata})
    )
    assert len(read_part(copy, name).to_pandas()) > 0
    points = pq.read_table(copy.points)
    pq.write_table(points.replace_schema_metadata({b"pandas": metadata}), copy.points)
    assert len(read_points(copy)) == 4


def test_text_that_is_no_text_is_damage(copy):
    def garbled(rows):
        content = pa.array([b"\xff\xfe"] * len(rows), pa.binary()).view(pa.string())
        return rows.set_column(rows.schema.get_field_index("point"), "point", content)

    name = rewritten(copy, garbled)
    with pytest.raises(InputError, match="which is no id"):
        read_part(copy, name)


def test_tables_are_bounded_before_they_are_decompressed(copy, monkeypatch):
    name = valid_parts_in(copy)[0]
    for limit in ("MAX_ROWS", "MAX_TABLE_BYTES"):
        with monkeypatch.context() as patch:
            patch.setattr(files, limit, 10)
            for read in (lambda: read_part(copy, name), lambda: read_rows(copy), lambda: read_points(copy)):
                with pytest.raises(InputError, match="It was not written by sweeper"):
                    read()
                if limit == "MAX_ROWS":
                    break  # the table of points has four rows


def test_checkpoints_that_are_compressed_are_none():
    content = io.BytesIO()
    torch.save({"x": torch.zeros(1000)}, content)
    assert load_torch(content.getvalue())["x"].shape == (1000,)
    bomb = io.BytesIO()
    with zipfile.ZipFile(content) as file, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as other:
        for entry in file.infolist():
            other.writestr(entry.filename, file.read(entry))
    for other in (bomb.getvalue(), b"", b"x" * 100, content.getvalue()[:-50]):
        with pytest.raises(ValueError, match="torch"):
            load_torch(other)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("packs", 0, "points"), []),
        (("packs", 0, "cost", "steps"), -1),
        (("packs", 0, "cost", "steps"), 10**400),
        (("packs", 0, "cost", "training_flops"), float("nan")),
        (("workers",), 10**30),
        (("workers",), -1),
        (("points", 0, "eta"), 5e-324),
        (("points", 0, "eta"), 1e308),
        (("points", 0, "mu"), 1.0),
        (("points", 0, "budget"), -1),
        (("points", 0, "seed"), 10**30),
        (("points", 0, "variant"), [["model.width", 10**30]]),
        (("points", 0, "variant"), [["\ud800", 1]]),
        (("points", 0, "id"), "=x"),
    ],
)
def test_plans_of_other_values_are_damaged(copy, place, value):
    plan = json.loads(copy.plan.read_text())
    inner = plan
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    copy.plan.write_text(json.dumps(plan))
    with pytest.raises(InputError, match=r"plan\.json: damaged") as refusal:
        read_plan(copy)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("created", ["\ud800", "\x1b[2J", "[/]", "x" * 10**5, "\0"])
def test_a_date_that_is_none_reaches_no_terminal(copy, created):
    plan = json.loads(copy.plan.read_text()) | {"created": created}
    copy.plan.write_text(json.dumps(plan))
    result = CliRunner().invoke(app, ["status", str(copy.root)])
    assert result.exit_code == 0
    assert result.output.replace("\n", "").isprintable()
    assert len(result.output) < 2000


def test_a_cause_of_any_text_is_one_line(copy):
    give_up(copy, "abc", "\x1b[2J\0" + "x" * 10**6)
    path = copy.given_up / "abc.json"
    assert len(path.read_bytes()) < 1000
    path.write_text(json.dumps({"why": "\ud800\n\x1b"}))
    assert read_cause(path) == r"\ud800 \x1b"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [("=1+1", "'=1+1"), ("+x", "'+x"), ("-x", "'-x"), ("@x", "'@x"), ("\tx", "'\tx"), ("x=", "x="), (-1.5, -1.5)],
)
def test_no_cell_of_a_table_is_a_formula(cell, shown):
    assert pd.DataFrame({"x": [cell]}).map(_without_formula)["x"][0] == shown


# ----------------------------------------------------------------------------------------------- locks and storage


@pytest.mark.parametrize("kind", ["hard", "symbolic"])
def test_a_lock_with_another_name_elsewhere_is_left_alone(tmp_path, kind):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    directory = SweepDir(tmp_path / "sweep")
    directory.root.mkdir()
    (os.link if kind == "hard" else os.symlink)(precious, directory.lock)
    with pytest.raises(InputError, match=r"has 2 names \(hard links\)|a link"), locked(directory):
        pytest.fail("it is not ours")
    assert precious.read_text() == "precious"
    directory.lock.unlink()
    with locked(directory):
        pass
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("words", [["run", "small.yaml", "--out"], ["status"], ["analyze"], ["verify"], ["track"]])
def test_the_memory_of_a_process_keeps_no_sweep(tmp_path, monkeypatch, words):
    (tmp_path / "small.yaml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [*words, "memory://x/y"])
    assert isinstance(result.exception, InputError)
    assert "gone when it ends" in str(result.exception)


def test_a_start_is_as_patient_with_storage_as_its_grid(copy, monkeypatch):
    monkeypatch.setattr(storage_retry, "FIRST_WAIT_SECONDS", 0.1)
    recovery = load_grid(SMALL, "small.yaml", ["recovery.storage_seconds=0"]).recovery
    pack = read_plan(copy).packs[0].id
    copy.plan.unlink()
    with pytest.raises(StorageRefusedError, match="storage refused for 0 s"):
        run_pack(str(copy.root), pack, lambda _: None, recovery=recovery)


FULL = {
    "analyze": (["analyze", "{sweep}"], "{sweep}"),
    "compare": (["compare", "{sweep}", "{other}", "--out", "{disk}/compared"], "{disk}/compared"),
    "figure": (["figure", "2", "{sweep}", "--out", "{disk}/figures"], "{disk}/figures"),
}


@pytest.mark.parametrize("command", FULL)
def test_a_file_that_does_not_fit_ends_a_command_with_a_paragraph(copy, original, tmp_path, command):
    """RLIMIT_FSIZE: EFBIG, as of a full disk, without one."""
    words, place = FULL[command]
    names = {"sweep": copy.root, "other": original, "disk": tmp_path}
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    held = {path: path.read_bytes() for path in copy.root.rglob("*") if path.is_file()}
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
        result = CliRunner().invoke(app, [word.format(**names) for word in words])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    said = " ".join(result.stderr.split())
    assert result.exit_code == 1, said
    assert place.format(**names) in said.replace(" ", "")
    assert "storage refuses (File too large). No file is half written" in said
    assert {path: path.read_bytes() for path in copy.root.rglob("*") if path.is_file()} == held
    assert not list(tmp_path.rglob(".*.tmp"))


@pytest.mark.slow
def test_a_full_disk_ends_an_analysis_with_a_paragraph(original, tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        shutil.copytree(original, disk / "small")
        (disk / "small/report.html").unlink()
        with (disk / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass
        words = [sys.executable, "-m", "sweeper", "analyze", str(disk / "small")]
        done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
        assert (done.returncode, "storage refuses (No space left on device)" in done.stderr) == (1, True)
        assert "Traceback" not in done.stderr
        assert not list(disk.rglob(".*.tmp"))


def test_what_lies_in_a_sweep_is_read_as_before(copy):
    """The door lets everything through that a run writes."""
    state = read_state(copy)
    assert not state.problems
    assert len(state.ends) == len(read_points(copy)) == 4
    assert set(read_rows(copy)["point"]) == set(state.ends)
