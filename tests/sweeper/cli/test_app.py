"""The command line as a user meets it: a process, its output, its exit status."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from tests_support import SMALL

from sweeper.cli.app import main

ROOT = Path(__file__).parents[3]


@pytest.fixture
def sweeper(tmp_path):
    """Runs ``sweeper ARGS`` in an empty folder that holds ``small.yaml``."""
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")

    def run(*arguments, expect=0, **options):
        command = [sys.executable, "-m", "sweeper", *map(str, arguments)]
        environment = os.environ | {"COLUMNS": "160", "PYTHONPATH": str(ROOT)}
        options |= {"capture_output": True, "text": True, "cwd": tmp_path, "env": environment, "timeout": 100}
        done = subprocess.run(command, check=False, **options)
        assert done.returncode == expect, done.stderr + done.stdout
        return done

    return run


IN_PROCESS = ("--backend", "inprocess", "--tracking-uri", "none")
FORBIDDEN = "raise ImportError('this was imported')"


@pytest.mark.parametrize("name", [r"x\[/b].yaml", "[/].yaml", r"a\\[red]b.yaml", ":dog:.yaml"])
@pytest.mark.parametrize("words", [["plan"], ["status"], ["verify"], ["analyze"]])
def test_a_name_with_markup_is_repeated_as_it_is(monkeypatch, capsys, tmp_path, words, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["sweeper", *words, name])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert f"{name}: " in said


def test_settle_shows_its_plan_asks_and_says_what_it_found(sweeper, tmp_path):
    narrow = ("--set", "axes.lam=[0.01,0.03,0.1]", "--set", "axes.seed=[0]", "--set", "axes.eta=[0.3,1]")
    sweeper("run", "small.yaml", *narrow, *IN_PROCESS)
    folder = tmp_path / "runs" / "small"
    kept = {path: path.read_bytes() for path in (folder / "rows").iterdir()}
    declined = sweeper("settle", folder, "--claim", "fit_time", *IN_PROCESS, expect=0, input="n\n")
    assert declined.stdout.strip() == "settle   nothing was trained"
    assert "→ fit_time: Add " in declined.stderr
    assert {path: path.read_bytes() for path in (folder / "rows").iterdir()} == kept
    done = sweeper("settle", folder, "--claim", "fit_time", "--within", "2s", "--yes", "--json", *IN_PROCESS, expect=1)
    found = json.loads(done.stdout)
    assert found["stopped"]
    assert {way["claim"] for way in found["rounds"]} <= {"fit_time"}
    assert "--claim" in sweeper("settle", folder, "--claim", "nothing", expect=2).stderr
    assert "--within" in sweeper("settle", folder, "--within", "soon", expect=2).stderr
    assert "no sweep here" in sweeper("settle", tmp_path / "nowhere", expect=2).stderr


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """A folder in which the small grid was run by the command line, where neither Ray nor MLflow can be imported."""
    folder = tmp_path_factory.mktemp("ran")
    (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    for name in ("ray.py", "mlflow.py"):
        (folder / name).write_text(FORBIDDEN)
    command = [sys.executable, "-m", "sweeper", "run", "small.yaml", *IN_PROCESS]
    environment = os.environ | {"COLUMNS": "160", "PYTHONPATH": str(ROOT)}
    return folder, subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)


@pytest.fixture
def ran(first_run, tmp_path):
    """A copy of its sweep."""
    folder, _ = first_run
    shutil.copytree(folder / "runs", tmp_path / "runs")
    return tmp_path / "runs/small"


def test_a_run_in_this_process_needs_neither_ray_nor_mlflow(first_run):
    folder, done = first_run
    assert done.returncode == 0, done.stderr
    assert re.search(r"overparameterized +. \w+", done.stdout)
    assert "6 completed" in done.stdout
    assert {p.name for p in (folder / "runs/small").iterdir()} == {
        "grid.yaml", "plan.json", "rows", "attempts", "lock", "points.parquet", "analysis", "report.html",
    }  # fmt: skip
    rows = pd.read_parquet(folder / "runs/small/rows")
    assert rows.groupby("point").ngroups == 6
    assert not rows.duplicated(["point", "step"]).any()


def test_a_quiet_run_prints_its_answer_and_errors_alone(sweeper, ran):
    done = sweeper("run", "small.yaml", *IN_PROCESS, "--quiet")
    assert done.stderr == ""
    assert "6 completed" in done.stdout
    fresh = sweeper("run", "small.yaml", *IN_PROCESS, "-q", "--set", "axes.eta=[0.2]", "--name", "fresh")
    assert fresh.stderr == ""
    assert "3 completed" in fresh.stdout
    assert "no such file" in sweeper("run", "nothing.yaml", "-q", expect=2).stderr


def test_status_analyze_and_run_again(sweeper, ran):
    root = ran
    status = json.loads(sweeper("status", root, "--json").stdout)
    assert (status["points"], status["missing"], status["outcomes"]) == (6, 0, {"completed": 6})

    verdicts = json.loads(sweeper("analyze", root, "--json").stdout)["verdicts"]
    assert verdicts == json.loads((root / "analysis/verdicts.json").read_text())["verdicts"]
    assert {v["verdict"] for v in verdicts} <= {"pass", "fail", "inconclusive"}

    before = (root / "rows").stat().st_mtime_ns
    again = sweeper("run", "small.yaml", *IN_PROCESS)
    assert "packs" not in again.stderr  # nothing was trained
    assert (root / "rows").stat().st_mtime_ns == before


def test_a_conflicting_grid_is_refused_with_the_difference(sweeper, ran):
    before = (ran / "grid.yaml").read_bytes()
    done = sweeper("run", "small.yaml", *IN_PROCESS, "--set", "trainable.model.width=17", expect=2)
    assert "trainable.model.width: 16 → 17" in done.stderr
    assert "--name small-2" in done.stderr
    assert (ran / "grid.yaml").read_bytes() == before
    sweeper("run", "small.yaml", *IN_PROCESS, "--set", "trainable.model.width=17", "--name", "small-2")


def test_the_default_tracker_lies_beside_the_sweeps_and_can_be_replayed(sweeper, tmp_path):
    from mlflow import MlflowClient

    sweeper("run", "small.yaml", "--backend", "inprocess")
    client = MlflowClient(f"sqlite:///{tmp_path}/runs/mlflow.db")
    (experiment,) = [e for e in client.search_experiments() if e.name == "small"]
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 7
    replayed = sweeper("track", "runs/small")
    assert replayed.stdout.startswith("6 points in experiment ")
    assert {r.info.run_id for r in client.search_runs([experiment.experiment_id])} == {r.info.run_id for r in runs}


def test_a_tracker_that_is_away_costs_a_warning(sweeper):
    done = sweeper("run", "small.yaml", "--backend", "inprocess", "--tracking-uri", "http://u:hush@127.0.0.1:9")
    assert "6 completed" in done.stdout
    assert done.stderr.count("warning:") == 1
    assert "sweeper track" in done.stderr
    assert "hush" not in done.stderr + done.stdout


@pytest.mark.parametrize("backend", ["inprocess", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.slow])])
def test_an_interrupt_says_how_to_continue(sweeper, tmp_path, backend):
    settings = ("budget={rule: fixed, constant: 200000, exceptions: [{eta: 0.1, lam: 0.1, epochs: 5}]}",)
    settings += ("axes={eta: [0.1], lam: [0.01, 0.1]}", "measure={log: 10}")
    command = [sys.executable, "-m", "sweeper", "run", "small.yaml", "--backend", backend, "--tracking-uri", "none"]
    command += [part for setting in settings for part in ("--set", setting)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline() == "small: starting\n"
        assert process.stderr.readline().startswith("small: 2 points in ")
        limit = time.monotonic() + 60
        while not list(tmp_path.glob("runs/small/rows/*.parquet")) and time.monotonic() < limit:
            time.sleep(0.1)  # until the short point has ended
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "run the same command again to continue" in stderr
    assert "Traceback" not in stderr
    assert "scaling" not in stdout
    assert json.loads(sweeper("status", "runs/small", "--json").stdout)["missing"] == 1
    assert len(pd.read_parquet(tmp_path / "runs/small/points.parquet")) == 1


def test_failed_points_are_grouped_by_cause_and_the_status_says_so(sweeper):
    done = sweeper(
        "run",
        "small.yaml",
        *IN_PROCESS,
        "--set",
        "axes={eta: [0.1], lam: [0.01], model.width: [16, 1000000]}",
        expect=1,
    )
    assert "1 point failed: RuntimeError:" in done.stdout
    assert "traceback: runs/small/logs/" in done.stdout


BAD = {
    "no such file": (["absent.yaml"], r"error: absent.yaml: no such file\."),
    "a folder": (["."], r"error: \.: this is a folder; give a YAML file"),
    "not text": (["binary.yaml"], r"error: binary.yaml: not a text file \(UTF-8\); a grid is YAML\."),
    "a typo": (["small.yaml", "--set", "budget.mx=3"], r"error: .*budget.mx: unknown key; did you mean 'max'\?"),
    "a name that escapes": (["small.yaml", "--name", "../x"], r"error: --name: the text .\.\./x. is not allowed"),
    "too many samples": (["small.yaml", "--set", "trainable.data.train=5000"], r"trainable.data.train: 5000 is not"),
    "an address without Ray": (
        ["small.yaml", "--backend", "inprocess", "--address", "auto"],
        r"--address auto: only the ray backend joins a cluster",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_paragraph_and_leaves_nothing(sweeper, tmp_path, case):
    arguments, message = BAD[case]
    (tmp_path / "binary.yaml").write_bytes(b"\x89PNG\xff\x00")
    done = sweeper("run", *arguments, expect=2)
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["status", "analyze", "track"])
def test_a_folder_without_a_sweep_is_refused(sweeper, command):
    done = sweeper(command, "nowhere", expect=2)
    assert re.search(r"error: .*nowhere: no sweep here \(no plan.json\)", done.stderr)


def test_compare_refuses_what_is_no_sweep_and_no_accuracy(sweeper):
    assert "nowhere: no sweep here" in sweeper("compare", "nowhere", "elsewhere", expect=2).stderr
    assert "--accuracy 2.0: a test accuracy" in sweeper("compare", "a", "b", "--accuracy", "2", expect=2).stderr


def test_every_command_has_help_with_an_example(sweeper):
    commands = re.findall(r"│ (\w+) ", sweeper("--help").stdout.split("Commands")[1])
    assert commands == [
        "grids",
        "new",
        "plan",
        "run",
        "settle",
        "submit",
        "predict",
        "list",
        "status",
        "watch",
        "verify",
        "analyze",
        "figure",
        "gallery",
        "compare",
        "export",
        "track",
        "ui",
        "schema",
    ]
    for command in commands:
        assert f"Example: sweeper {command}" in sweeper(command, "--help").stdout


def test_plan_shows_points_cost_and_the_share_of_measurement(sweeper):
    out = sweeper("plan", "small.yaml").stdout
    assert re.search(r"points +6 = 2 eta × 3 lam", out)
    assert re.search(r"measurements +\d+, [\d.]+% of the work", out)


def test_plan_and_report_say_that_accuracy_is_of_held_out_images(sweeper, tmp_path):
    held_out = ("small.yaml", "--set", "trainable.data.validation=100")
    assert re.search(r" 100\s+validation\s+samples", sweeper("plan", *held_out).stdout)
    assert sweeper("run", *held_out, "--backend", "inprocess", "--tracking-uri", "none").returncode == 0
    (report,) = tmp_path.glob("runs/*/report.html")
    assert "the test set was not looked at" in report.read_text()


def test_the_schema_is_json_schema_of_the_grid(sweeper):
    schema = json.loads(sweeper("schema").stdout)
    assert schema["properties"]["axes"]["required"] == ["eta", "lam"]
    assert schema["additionalProperties"] is False


def test_the_error_of_a_point_may_be_a_word_of_any_length(sweeper, tmp_path):
    """Rich's search for words to highlight held the end of a run for minutes."""
    (tmp_path / "own.py").write_text("def breaks(point, device):\n    raise RuntimeError('1' * 100_000)\n    yield\n")
    text = 'name: own\ntrainable: {loop: "own:breaks"}\naxes: {eta: [0.1], lam: [0.1]}\n'
    (tmp_path / "own.yaml").write_text(text + "budget: {rule: fixed, constant: 2}\n")
    done = sweeper("run", "own.yaml", *IN_PROCESS, expect=1)
    assert "1 point failed: RuntimeError: 111" in done.stdout
    assert len(done.stdout) < 5000
    assert len(sweeper("status", "runs/own").stdout) < 5000


@pytest.mark.parametrize("out", ["q?x", pytest.param("feature%2Fx", marks=pytest.mark.slow)])
def test_the_command_that_is_printed_serves_the_folder(sweeper, tmp_path, out):
    done = sweeper("run", "small.yaml", "--backend", "inprocess", "--out", out)
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("MLflow"))
    words = shlex.split(line)[1:]
    assert words == ["sweeper", "ui", "--out", out]
    assert (tmp_path / out / "mlflow.db").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"small.yaml", out}
    assert "warning" not in done.stderr


def test_the_page_of_a_sweep_is_that_of_its_folder(sweeper, ran):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ("ui", "--port", port, "--out", "runs/small")
        assert "no mlflow.db here" in sweeper(*arguments, expect=2).stderr
        (ran.parent / "mlflow.db").touch()
        assert f"--port {port}: something else answers there" in sweeper(*arguments, expect=2).stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "address", ["http://S3CRET@127.0.0.1:9", "http://127.0.0.1:9/?sig=S3CRET", "http//S3CRET@host", "me:S3CRET@host:1"]
)
def test_no_secret_of_the_address_of_a_cluster_is_printed(sweeper, address):
    for command in (["submit", "small.yaml", "--out", "/x"], ["run", "small.yaml"]):
        done = sweeper(*command, "--address", address, expect=2)
        assert "S3CRET" not in done.stdout + done.stderr
        assert "***" in done.stderr
