"""Sweep directories that others made: every command answers with one paragraph, runs nothing and stays inside."""

import io
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tests_support import SMALL
from typer.testing import CliRunner

from results.store.commits import COMMIT_KEY, Commit, read_commit
from results.store.part_names import digest_of
from results.store.parts import read_part, valid_parts_in, write_part
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.cli.app import app
from sweeper.driver.run import run_sweep
from sweeper.worker.checkpoints import load_checkpoint

IN_PROCESS = ("--backend", "inprocess", "--tracking-uri", "none", "--set", "resources.pack=2")
ROOT = Path(__file__).parents[2]


# The others read the same files by the same functions; a run and an MLflow of its own take seconds for each case.
def _those(quick):
    """All commands; tests of those that are not named here are slow."""
    every = ("status", "verify", "analyze", "track", "figure", "run")
    return [command if command in quick else pytest.param(command, marks=pytest.mark.slow) for command in every]


COMMANDS = _those({"status", "verify", "analyze"})


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A sweep that has ended."""
    from rich.console import Console

    out = tmp_path_factory.mktemp("original")
    grid = load_grid(SMALL, "small.yaml", ["resources.pack=2"])
    run_sweep(grid, out, InProcessBackend, None, Console(file=io.StringIO()))
    return out / "small"


@pytest.fixture
def copy(original, tmp_path):
    """A copy of it to be tampered with."""
    shutil.copytree(original, tmp_path / "small")
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    return SweepDir(tmp_path / "small")


def answer(command, directory):
    """What a command answers: None if it does its work, the paragraph if it refuses."""
    out = directory.root.parent
    arguments = {
        "track": ["track", str(directory.root), "--tracking-uri", f"sqlite:///{out}/other.db"],
        "figure": ["figure", "2", str(directory.root), "--out", str(out / "figures")],
        "run": ["run", f"{out}/small.yaml", "--out", str(out), *IN_PROCESS],
    }
    result = CliRunner().invoke(app, arguments.get(command, [command, str(directory.root)]))
    if isinstance(result.exception, InputError):
        message = str(result.exception)
        assert 0 < len(message) < 3000
        assert "Traceback" not in message
        return message
    if isinstance(result.exception, OSError) and result.exception.filename:  # main() makes a line of these
        return str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return None


def deep(opening, closing, times=200_000):
    return (opening * times + closing * times).encode()


JSON = {
    "empty": b"",
    "a-list": b"[]",
    "null": b"null",
    "deep-lists": deep("[", "]"),
    "deep-objects": deep('{"packs":', "}"),
    "not-text": b"\xff\xfe\x00",
    "huge-number": b'{"created": 1e999999, "workers": 1e999, "packs": [], "points": [], "device": "", "resources": {}}',
    "many-digits": b'{"workers": ' + b"9" * 10_000 + b"}",
    "numbers-for-names": b'{"created": 1, "workers": 1, "device": 1, "resources": {}, "packs": [1], "points": [1]}',
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("content", JSON.values(), ids=JSON)
def test_plans_that_are_none(copy, command, content):
    copy.plan.write_bytes(content)
    said = answer(command, copy)
    assert said is None or "plan.json: damaged" in said


def _set(place, value):
    def change(plan):
        *path, last = place
        for key in path:
            plan = plan[key]
        plan[last] = value

    return change


PLANS = {
    "pack-id-outside": _set(("packs", 0, "id"), "../../outside"),
    "pack-id-absolute": _set(("packs", 0, "id"), "/tmp/outside"),
    "pack-id-of-a-pattern": _set(("packs", 0, "id"), "*"),
    "point-id-outside": _set(("points", 0, "id"), "../outside"),
    "eta-is-text": _set(("points", 0, "eta"), "much"),
    "eta-is-a-list": _set(("points", 0, "eta"), [1]),
    "variant-of-a-list": _set(("points", 0, "variant"), [["model.width", [1, 2]]]),
    "variant-that-no-grid-has": _set(("points", 0, "variant"), [["__class__.x", 1]]),
    "cost-is-text": _set(("packs", 0, "cost"), "none"),
    "resources-unknown": _set(("resources",), {"pack": "all"}),
    "workers-is-infinite": _set(("workers",), float("inf")),
    "created-is-a-list": _set(("created",), ["x"]),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("change", PLANS.values(), ids=PLANS)
def test_plans_with_other_values(copy, command, change):
    plan = json.loads(copy.plan.read_text())
    change(plan)
    copy.plan.write_text(json.dumps(plan))
    before = set(copy.root.parent.parent.rglob("outside*"))
    answer(command, copy)
    assert set(copy.root.parent.parent.rglob("outside*")) == before
    assert not Path("/tmp/outside").exists()


GRIDS = {
    "empty": b"",
    "deep": deep("[", "]"),
    "not-text": b"\xff\xfe",
    "bomb": b"a: &a [x, x]\nb: &b [*a, *a]\n",
    "code": b"!!python/object/apply:os.mkdir [outside]",
    "huge": b"#" * 3_000_000,
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("content", GRIDS.values(), ids=GRIDS)
def test_grids(copy, command, content):
    copy.grid.write_bytes(content)
    said = answer(command, copy)
    assert said is None or command == "track" or "grid.yaml" in said
    assert command in {"status", "verify", "track"} or said


def _rewritten(directory, change, footer=None):
    """Put another part, with the right digest, in the place of the first."""
    name = valid_parts_in(directory)[0]
    path = directory.rows / name.file
    rows = change(read_part(directory, name).cast(pq.read_schema(path)))
    if footer is not None:
        rows = rows.replace_schema_metadata(dict(rows.schema.metadata) | {COMMIT_KEY: footer})
    buffer = io.BytesIO()
    pq.write_table(rows, buffer)
    path.unlink()
    (directory.rows / replace(name, digest=digest_of(buffer.getvalue())).file).write_bytes(buffer.getvalue())


END = {"point": "x", "pack": "x", "attempt": 0, "outcome": "failed", "steps": 1, "seconds": 1}


def _ending(**changes):
    return json.dumps({"ends": [END | changes]}).encode()


FOOTERS = {
    "empty": b"",
    "deep": deep("[", "]"),
    "null": b"null",
    "list": b"[]",
    "ends-of-nothing": b'{"ends": [{}]}',
    "ends-of-lists": _ending(point=["x"]),
    "unknown-outcome": _ending(outcome="won"),
    "text-for-numbers": _ending(steps="1", seconds="a"),
    "terminal": _ending(point="\x1b[2J", pack="/etc", why="\x1b]0;x\x07"),
    "checkpoint-outside": b'{"ends": [], "checkpoint": "../../../../etc/passwd"}',
    "checkpoint-of-a-number": b'{"ends": [], "checkpoint": 7}',
    "not-text": b"\xff\xff",
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("footer", FOOTERS.values(), ids=FOOTERS)
def test_footers_of_parts(copy, command, footer):
    _rewritten(copy, lambda rows: rows, footer)
    answer(command, copy)


def _column(name, values):
    return lambda rows: rows.set_column(rows.schema.get_field_index(name), name, values(len(rows)))


ROWS = {
    "a-column-less": lambda rows: rows.drop_columns(["test_acc"]),
    "eta-is-text": _column("eta", lambda n: pa.array(["a"] * n)),
    "points-are-numbers": _column("point", lambda n: pa.array(range(n))),
    "no-points": _column("point", lambda n: pa.array([None] * n, pa.string())),
    "no-steps": _column("step", lambda n: pa.array([None] * n, pa.int64())),
    "steps-below-0": _column("step", lambda n: pa.array([-(2**63)] * n, pa.int64())),
    "no-accuracy": _column("test_acc", lambda n: pa.array([None] * n, pa.float32())),
    "not-a-number": _column("test_acc", lambda n: pa.array([float("nan")] * n, pa.float32())),
    "infinite": _column("decay_time", lambda n: pa.array([float("inf")] * n)),
    "a-column-twice": lambda rows: rows.append_column("eta", rows["eta"]),
    "a-column-of-lists": lambda rows: rows.append_column("model.width", pa.array([[1]] * len(rows))),
    "no-rows": lambda rows: rows.slice(0, 0),
    "rows-twice": lambda rows: pa.concat_tables([rows, rows]),
    "no-metadata": lambda rows: rows.replace_schema_metadata(None),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("change", ROWS.values(), ids=ROWS)
def test_rows_of_parts(copy, command, change):
    _rewritten(copy, change)
    answer(command, copy)


@pytest.mark.parametrize("command", _those({"status", "verify"}))
@pytest.mark.parametrize(
    "file",
    [
        "rows/x.parquet",
        "rows/4820f0c89a4f-٠٠٠-00000-000000000000.parquet",
        "rows/4820f0c89a4f-0000-00000-000000000000.parquet",
        "rows/4820f0c89a4f-000-00001-000000000000.parquet",
        "attempts/4820f0c89a4f-abc",
        "attempts/4820f0c89a4f-",
        "attempts/4820f0c89a4f-٣٣٣",
        "given-up/4820f0c89a4f.json",
        "checkpoints/4820f0c89a4f-000000000000.pt",
        "analysis/verdicts.json",
        "analysis/peaks.parquet",
        "lock",
        "stop",
    ],
)
@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff\x00"], ids=["empty", "deep", "not-text"])
def test_files_with_other_names_and_contents(copy, command, file, content):
    path = copy.root / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    answer(command, copy)


POINTS = {
    "not-parquet": lambda path: path.write_bytes(b"x" * 100),
    "no-columns": lambda path: pd.DataFrame({"point": ["x"]}).to_parquet(path),
    "text-for-numbers": lambda path: pd.read_parquet(path).assign(eta="a", budget="b").to_parquet(path),
    "unknown-points": lambda path: pd.read_parquet(path).assign(point="x").to_parquet(path),
    "unknown-outcomes": lambda path: pd.read_parquet(path).assign(outcome="won").to_parquet(path),
    "no-values": lambda path: pd.read_parquet(path).assign(eta=float("nan"), budget=float("nan")).to_parquet(path),
    "no-rows": lambda path: pd.read_parquet(path).iloc[:0].to_parquet(path),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("change", POINTS.values(), ids=POINTS)
def test_tables_of_points(copy, command, change):
    change(copy.points)
    answer(command, copy)


class _Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_runs_nothing(tmp_path):
    directory = SweepDir(tmp_path)
    directory.checkpoints.mkdir()
    owned = tmp_path / "owned"
    buffer = io.BytesIO()
    torch.save({"points": [], "training": _Malicious(owned)}, buffer)
    for content in (buffer.getvalue(), pickle.dumps(_Malicious(owned))):
        name = f"k1-{digest_of(content)}.pt"
        (directory.checkpoints / name).write_bytes(content)
        assert load_checkpoint(directory, name) is None
    assert not owned.exists()


@pytest.mark.parametrize(
    "state",
    [
        {"points": 3},
        {"points": ["a"], "records": "x"},
        {"points": ["a"], "step": "x", "training": {}},
        {"points": ["a"], "unknown": 1, "seconds": None},
        [1, 2],
        torch.zeros(3),
    ],
    ids=str,
)
def test_a_checkpoint_of_other_values_is_none(tmp_path, state):
    directory = SweepDir(tmp_path)
    directory.checkpoints.mkdir()
    buffer = io.BytesIO()
    torch.save(state, buffer)
    name = f"k1-{digest_of(buffer.getvalue())}.pt"
    (directory.checkpoints / name).write_bytes(buffer.getvalue())
    assert load_checkpoint(directory, name) is None


@pytest.mark.parametrize("training", [{}, {"weights": 3}, {"step": "x"}], ids=str)
def test_a_run_goes_on_from_its_start_when_a_checkpoint_holds_nonsense(copy, training):
    name = valid_parts_in(copy)[0]
    ids = [end.point for end in read_commit(copy, name).ends]
    buffer = io.BytesIO()
    torch.save({"points": ids, "step": 5, "training": training, "records": {id_: [] for id_ in ids}}, buffer)
    file = f"{name.pack}-{digest_of(buffer.getvalue())}.pt"
    copy.checkpoints.mkdir()
    (copy.checkpoints / file).write_bytes(buffer.getvalue())
    rows = read_part(copy, name).cast(pq.read_schema(copy.rows / name.file)).slice(0, 0)
    (copy.rows / name.file).unlink()
    write_part(copy, name.pack, 0, (), rows, Commit(checkpoint=file))
    assert answer("run", copy) is None
    assert {end.outcome for part in valid_parts_in(copy) for end in read_commit(copy, part).ends} == {"completed"}


LINKS = {
    "rows": "rows",
    "a-part": "rows/x-000-00000-000000000000.parquet",
    "checkpoints": "checkpoints",
    "attempts": "attempts",
    "given-up": "given-up",
    "lock": "lock",
    "plan": "plan.json",
    "grid": "grid.yaml",
    "points": "points.parquet",
    "figures": "analysis/figures",
    "a-figure": "analysis/figures/x.svg",
    "report": "report.html",
    "a-temporary-file": "rows/.x.1.tmp",
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("file", LINKS.values(), ids=LINKS)
def test_links_that_lead_out_are_refused_and_what_they_lead_to_stays(copy, tmp_path_factory, command, file):
    outside = tmp_path_factory.mktemp("outside")
    target = outside / "precious.pt"
    target.write_text("precious")
    path = copy.root / file
    inner = path.suffix or path.name == "lock"
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target if inner else outside)
    assert "neither a file nor a folder, but a link" in answer(command, copy)
    assert [p.name for p in outside.iterdir()] == ["precious.pt"]
    assert target.read_text() == "precious"


@pytest.mark.parametrize("command", COMMANDS)
def test_pipes_and_sockets_are_refused_before_they_are_read(copy, command, monkeypatch):
    os.mkfifo(copy.rows / "x-000-00000-000000000000.parquet")
    assert "a pipe or a device" in answer(command, copy)
    (copy.rows / "x-000-00000-000000000000.parquet").unlink()
    monkeypatch.chdir(copy.root)  # a socket's path has at most 108 bytes
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("plan.sock")
        assert "a pipe or a device" in answer(command, copy)


def test_the_folder_itself_may_be_a_link(copy, tmp_path):
    (tmp_path / "other").symlink_to(copy.root)
    assert answer("status", SweepDir(tmp_path / "other")) is None


SECRET = "hunter2-S3CR3T"
URIS = [
    pytest.param(f"http://me:{SECRET}@127.0.0.1:9/path?token={SECRET}", marks=pytest.mark.slow),
    pytest.param(f"postgresql://me:{SECRET}@127.0.0.1:9/mlflow", marks=pytest.mark.slow),
    pytest.param(f"mysql+pymysql://me:{SECRET}@127.0.0.1:9/mlflow?password={SECRET}", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("uri", URIS)
def test_no_secret_of_a_tracking_uri_is_written_or_printed(tmp_path, uri):
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "4000"}
    printed = ""
    for arguments in (
        ["run", "small.yaml", "--backend", "inprocess"],
        ["track", "runs/small"],
        ["track", "runs/absent"],
    ):
        command = [sys.executable, "-m", "sweeper", *arguments, "--tracking-uri", uri]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False, timeout=100
        )
        printed += done.stdout + done.stderr
    assert "could not be filled" in printed
    assert "***" in printed
    assert SECRET not in printed
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 15
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]


def test_no_secret_reaches_a_tracker(copy, tmp_path):
    """A database that takes the whole sweep, at an address with a secret in it."""
    database = tmp_path / "mlflow.db"
    uri = f"sqlite:///{database}?password={SECRET}"
    result = CliRunner().invoke(app, ["track", str(copy.root), "--tracking-uri", uri])
    assert SECRET not in result.output
    assert SECRET not in str(result.exception)
    held = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in held if SECRET.encode() in path.read_bytes() or SECRET in path.name]


def test_an_unknown_kind_of_address_is_refused_without_its_secret(copy):
    result = CliRunner().invoke(app, ["track", str(copy.root), "--tracking-uri", f"ftp://me:{SECRET}@host/x"])
    assert isinstance(result.exception, InputError)
    assert SECRET not in str(result.exception)
