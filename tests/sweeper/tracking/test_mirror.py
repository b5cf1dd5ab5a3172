"""The mirror in MLflow: the same runs however often, and whatever the interruption."""

import json
import math
import os
import re
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType
from run_support import stored_plan
from servers_support import free_port
from tests_support import SMALL
from tracking_support import GRID, PLAN, START, add, begin, by_point, dump, end_of, make_rows, write_findings

from results.conclude import conclude
from results.store.commits import Commit
from results.store.files import write_table, write_text
from results.store.ledger import give_up
from results.store.parts import write_part
from results.store.schema import row_schema
from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from results.store.tables import write_points
from search_spaces.errors import InputError
from search_spaces.outcome import Outcome
from search_spaces.points import make_points, point_to_json
from search_spaces.reading.load import load_grid
from sweeper.addresses import mask_secrets
from sweeper.driver.planning import plan_for
from sweeper.tracking.database import default_uri
from sweeper.tracking.mirror import Mirror, TrackingError, mirror
from sweeper.tracking.server import serve_ui
from sweeper.worker.run_pack import run_pack
from trainables.profile import profiles_of


@pytest.fixture
def sweep(tmp_path, empty_database) -> SweepDir:
    directory = SweepDir(tmp_path / "runs of mine" / "digits")
    directory.root.mkdir(parents=True)
    for copy in (directory.root.parent / "mlflow.db", tmp_path / "second.db"):
        shutil.copy(empty_database, copy)
    return begin(directory)


def uri_of(directory: SweepDir) -> str:
    return default_uri(directory.root.parent)


def test_a_sweep_is_a_parent_run_with_a_child_run_for_each_point(sweep):
    add(sweep, ["a", "b"], extra={"model.width": 64.0})
    report = mirror(sweep, uri_of(sweep))
    runs = by_point(uri_of(sweep))
    assert (report.points, report.sent, set(runs)) == (2, 2, {"a", "b", "parent"})
    child, parent = runs["a"], runs["parent"]
    assert child["tags"]["mlflow.parentRunId"] == report.run
    assert child["params"] == {"eta": "1", "lam": "0.003", "mu": "0", "budget": "200", "seed": "0", "model.width": "64"}
    assert child["info"] == ("eta=1 lam=0.003 model.width=64", "FINISHED", START, START + 3500)
    assert child["tags"]["sweeper.outcome"] == "completed"
    assert parent["info"] == ("digits", "FINISHED", START, START + 3500)
    assert parent["params"]["trainable.model.width"] == "64"
    assert parent["tags"]["grid.axes.lam"] == "[0.01, 0.001]"
    assert parent["metrics"]["points.completed"] == [(0, START + 3500, "2.0")]


def test_curves_are_thinned_but_keep_first_last_and_best(sweep):
    add(sweep, ["a"], n=300)
    mirror(sweep, uri_of(sweep))
    curve = by_point(uri_of(sweep))["a"]["metrics"]["test_acc"]
    steps = [step for step, _, _ in curve]
    assert len(steps) <= 60
    assert (steps[0], steps[-1]) == (1, 3000)
    assert (30, START + 30, "0.9") in curve


def test_of_a_point_in_a_sweep_of_many_fewer_measurements_are_sent(sweep):
    points = make_points(load_grid(GRID.replace("1e-3]", "1e-3, {log: [1e-5, 1e-4], num: 3000}]"), "grid.yaml"))
    write_text(sweep.plan, json.dumps(PLAN | {"points": [point_to_json(point) for point in points]}))
    add(sweep, ["a"], n=300)
    mirror(sweep, uri_of(sweep))
    curve = by_point(uri_of(sweep))["a"]["metrics"]["test_acc"]
    steps = [step for step, _, _ in curve]
    assert len(steps) <= 12
    assert (steps[0], steps[-1]) == (1, 3000)
    assert (30, START + 30, "0.9") in curve


def test_names_are_short_and_params_exact(sweep):
    rows = make_rows(sweep, "a", "packa", 0.3, 0.0076961400, 20)
    write_part(sweep, "packa", 0, (), rows, Commit(ends=(end_of("a", "packa"),), finished=True))
    mirror(sweep, uri_of(sweep))
    run = by_point(uri_of(sweep))["a"]
    assert run["info"][0] == "eta=0.3 lam=0.007696"
    assert run["params"]["lam"] == "0.00769614"


def test_what_was_measured_in_single_precision_is_shown_by_its_shortest_decimal(sweep):
    add(sweep, ["a"], best_test_acc=float(np.float32(0.95)))
    mirror(sweep, uri_of(sweep))
    assert latest(uri_of(sweep), "a")["best_test_acc"] == 0.95


def test_twice_is_the_same_as_once(sweep):
    add(sweep, ["a", "b", "c"])
    mirror(sweep, uri_of(sweep))
    before = dump(uri_of(sweep))
    assert mirror(sweep, uri_of(sweep)).sent == 0
    assert dump(uri_of(sweep)) == before


def test_what_has_arrived_is_not_read_again(sweep, monkeypatch):
    add(sweep, ["a", "b"])
    mirror(sweep, uri_of(sweep))
    write_peaks(sweep, t_star=41.0)
    monkeypatch.setattr("sweeper.tracking.projection.read_part", None)
    assert mirror(sweep, uri_of(sweep)).sent == 1
    assert latest(uri_of(sweep), "a")["t_star"] == 41.0


def test_a_copy_of_the_sweep_in_another_tracker_shows_the_same(sweep, tmp_path):
    add(sweep, ["a", "b"])
    mirror(sweep, uri_of(sweep))
    copy = SweepDir(sweep.root.rename(tmp_path / "digits"))
    mirror(copy, f"sqlite:///{tmp_path}/second.db")
    first, second = by_point(uri_of(sweep)), by_point(f"sqlite:///{tmp_path}/second.db")
    for run in (*first.values(), *second.values()):
        run["tags"] = {k: v for k, v in run["tags"].items() if k != "mlflow.parentRunId"}
    assert first == second


def test_a_second_mirror_goes_on_where_the_first_was_interrupted(sweep):
    add(sweep, ["a", "b"])
    assert Mirror(sweep, uri_of(sweep)).sync() == 2
    before = dump(uri_of(sweep))
    add(sweep, ["c", "d"])
    second = Mirror(sweep, uri_of(sweep))
    assert second.sync() == 2
    assert second.sync() == 0
    after = dump(uri_of(sweep))
    assert {k: v for k, v in after.items() if k in before and "sweeper.point" in v["tags"]} == {
        k: v for k, v in before.items() if "sweeper.point" in v["tags"]
    }
    assert len(after) == 5
    assert by_point(uri_of(sweep))["parent"]["info"][1] == "RUNNING"
    assert second.finish().sent == 0
    assert by_point(uri_of(sweep))["parent"]["info"][1] == "FINISHED"


@pytest.mark.parametrize("operation", ["create_run", "log_batch", "set_terminated"])
def test_an_interruption_between_two_requests_leaves_no_trace(sweep, tmp_path, monkeypatch, operation):
    add(sweep, ["a", "b", "c"])
    real, calls = getattr(MlflowClient, operation), []

    def breaks(self, *args, **kwargs):
        calls.append(1)
        result = real(self, *args, **kwargs)
        if len(calls) == 2:
            raise ConnectionError("gone after the work was done")
        return result

    monkeypatch.setattr(MlflowClient, operation, breaks)
    mirror_ = Mirror(sweep, uri_of(sweep))
    with pytest.raises(TrackingError, match="gone after the work was done"):
        mirror_.sync()
    mirror_.finish()
    mirror(sweep, f"sqlite:///{tmp_path}/second.db")
    broken, whole = by_point(uri_of(sweep)), by_point(f"sqlite:///{tmp_path}/second.db")
    assert len(dump(uri_of(sweep))) == 4
    for point in "abc":
        assert broken[point]["metrics"] == whole[point]["metrics"]
        assert broken[point]["info"] == whole[point]["info"]


def test_of_two_runs_for_one_point_one_is_kept(sweep):
    add(sweep, ["a"])
    mirror(sweep, uri_of(sweep))
    client, before = MlflowClient(uri_of(sweep)), dump(uri_of(sweep))
    tags = by_point(uri_of(sweep))["a"]["tags"]
    twin = {k: tags[k] for k in ("sweeper.id", "sweeper.point", "mlflow.parentRunId")}
    client.create_run(client.get_experiment_by_name("digits").experiment_id, start_time=1, tags=twin)
    mirror(sweep, uri_of(sweep))
    assert dump(uri_of(sweep)) == before


def test_infinite_and_missing_values_are_left_out_and_counted(sweep):
    rows = make_rows(sweep, "a", "packa", 3.0, 0.1, 20).to_pandas()
    rows.loc[rows.index[-2:], "train_loss"] = [math.inf, math.nan]
    rows["train_acc"] = math.nan
    table = pa.Table.from_pandas(rows, schema=row_schema(), preserve_index=False)
    end = end_of("a", "packa", Outcome.DIVERGED, why="loss is inf at step 190", kappa=math.nan)
    write_part(sweep, "packa", 0, (), table, Commit(ends=(end,), finished=True))
    mirror(sweep, uri_of(sweep))
    run = by_point(uri_of(sweep))["a"]
    assert run["info"][1] == "FINISHED"
    assert run["tags"]["sweeper.outcome"] == "diverged"
    assert run["tags"]["sweeper.why"] == "loss is inf at step 190"
    n = len(rows)
    assert run["tags"]["sweeper.skipped"] == f"not finite: train_acc {n} of {n}, train_loss 2 of {n}"
    assert "train_acc" not in run["metrics"]
    assert "kappa" not in run["metrics"]
    assert len(run["metrics"]["train_loss"]) == n - 2


def test_a_failed_point_without_rows_is_a_failed_run_and_gets_its_params_from_the_table_of_points(sweep):
    end = end_of("f", "packf", Outcome.FAILED, why="RuntimeError: out of memory", best_test_acc=None, kappa=None)
    write_part(sweep, "packf", 0, (), row_schema().empty_table(), Commit(ends=(end,), finished=True))
    mirror(sweep, uri_of(sweep))
    run = by_point(uri_of(sweep))["f"]
    assert (run["info"][0], run["info"][1], run["params"], run["metrics"]) == ("f", "FAILED", {}, {})
    axes = {"eta": 1.0, "lam": 0.0, "mu": 0.0, "seed": 0, "sigma_w": 1.4, "budget": 9.0}
    write_points(sweep, {"f": axes}, {"f": end})
    mirror(sweep, uri_of(sweep))
    params = by_point(uri_of(sweep))["f"]["params"]
    assert params == {"eta": "1", "lam": "0", "mu": "0", "seed": "0", "sigma_w": "1.4", "budget": "9"}


def test_a_point_trained_again_replaces_its_run(sweep):
    add(sweep, ["a"], outcome=Outcome.FAILED, why="killed")
    mirror(sweep, uri_of(sweep))
    (old,) = [k for k, v in dump(uri_of(sweep)).items() if "sweeper.point" in v["tags"]]
    for path in sweep.rows.iterdir():
        path.unlink()
    add(sweep, ["a"], attempt=1, seconds=4.0)
    mirror(sweep, uri_of(sweep))
    run = by_point(uri_of(sweep))["a"]
    assert old not in dump(uri_of(sweep))
    assert (run["info"][1], run["tags"]["sweeper.attempt"], "sweeper.why" in run["tags"]) == ("FINISHED", "1", False)


def test_an_end_that_a_crash_may_take_back_is_not_sent(sweep):
    """Its pack has no checkpoint behind it: the point may be trained again, and its numbers be written anew."""
    rows = make_rows(sweep, "a", "packa", 1.0, 0.001, 20)
    first = write_part(sweep, "packa", 0, (), rows, Commit(ends=(end_of("a", "packa"),)))
    mirror_ = Mirror(sweep, uri_of(sweep))
    assert mirror_.sync() == 0
    write_part(sweep, "packa", 0, [first], rows.slice(0, 0), Commit(checkpoint="packa-0.pt"))
    assert mirror_.sync() == 1


def write_peaks(directory: SweepDir, **values) -> None:
    row = {"point": "a", "t_star": 40.0, "t_star_step": 80.0, "kappa": 0.4, "best_test_acc": 0.9, "best_epoch": 50.0}
    table = pa.Table.from_pandas(pd.DataFrame([row | {"censored": False} | values]), preserve_index=False)
    write_table(directory.analysis / "peaks.parquet", table)


def latest(uri: str, point: str) -> dict[str, float]:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("digits").experiment_id
    (run,) = client.search_runs([experiment], f"tags.`sweeper.point` = '{point}'", ViewType.ACTIVE_ONLY)
    return run.data.metrics


def test_the_latest_analysis_wins_and_an_unchanged_one_adds_nothing(sweep):
    add(sweep, ["a"])
    for t_star in (40.0, 40.0, 30.0, 40.0, math.nan):
        write_peaks(sweep, t_star=t_star)
        mirror(sweep, uri_of(sweep))
        shown = latest(uri_of(sweep), "a")
        assert shown["t_star"] == pytest.approx(t_star, nan_ok=True)
        assert (shown["kappa"], shown["censored"]) == (0.4, 0.0)
    history = by_point(uri_of(sweep))["a"]["metrics"]["t_star"]
    assert [value for _, _, value in history] == ["40.0", "30.0", "40.0", "nan"]
    assert {step for step, _, _ in history} == {0}


def test_verdicts_report_and_figures_are_on_the_parent(sweep, monkeypatch):
    add(sweep, ["a"])
    write_findings(sweep)
    logged = []
    real = MlflowClient.log_artifact
    monkeypatch.setattr(MlflowClient, "log_artifact", lambda *a, **k: (logged.append(Path(a[2]).name), real(*a, **k)))
    report = mirror(sweep, uri_of(sweep))
    parent = by_point(uri_of(sweep))["parent"]
    client = MlflowClient(uri_of(sweep))
    assert [f.path for f in client.list_artifacts(report.run)] == [
        "figures",
        "grid.yaml",
        "report.html",
        "verdicts.json",
    ]
    assert len(client.list_artifacts(report.run, "figures")) == 2
    assert (sweep.root.parent / "mlartifacts" / "digits" / report.run / "artifacts" / "report.html").is_file()
    values = {k: v[-1][2] for k, v in parent["metrics"].items() if k.startswith("verdict.")}
    assert values == {
        "verdict.scaling.value": "-0.98",
        "verdict.scaling.low": "-1.1",
        "verdict.scaling.high": "-0.9",
        "verdict.scaling.pass": "1.0",
        "verdict.__pred order.pass": "-1.0",
    }
    assert parent["tags"]["verdict.scaling"] == "pass"
    assert "**1 of 2 claims pass, 1 inconclusive**" in parent["tags"]["mlflow.note.content"].splitlines()[0]
    logged.clear()
    mirror(sweep, uri_of(sweep))
    assert logged == []
    write_findings(sweep, value=-1.01)
    mirror(sweep, uri_of(sweep))
    assert "verdicts.json" in logged


def test_a_grown_grid_changes_tags_and_not_params(sweep):
    add(sweep, ["a"])
    mirror(sweep, uri_of(sweep))
    write_text(sweep.grid, GRID.replace("[0.3, 1]", "[0.3, 1, 3]"))
    mirror(sweep, uri_of(sweep))
    assert by_point(uri_of(sweep))["parent"]["tags"]["grid.axes.eta"] == "[0.3, 1, 3]"


def test_sweeps_of_one_name_do_not_mix(sweep, tmp_path):
    uri = uri_of(sweep)
    for i, folder in enumerate(("one", "two")):
        directory = SweepDir(tmp_path / folder / "digits")
        write_text(directory.plan, json.dumps(PLAN | {"created": f"2026-11-2{i}T11:00:00+00:00"}))
        add(directory, ["a"])
        assert mirror(directory, uri).points == 1
    assert len(dump(uri)) == 4


@pytest.mark.parametrize("file", ["plan", "grid", "verdicts"])
def test_a_damaged_file_is_named_and_makes_no_other_sweep(sweep, file):
    add(sweep, ["a"])
    mirror(sweep, uri_of(sweep))
    before = dump(uri_of(sweep))
    write_text(getattr(sweep, file), "[")
    with pytest.raises(InputError, match=re.escape(str(getattr(sweep, file)))):
        mirror(sweep, uri_of(sweep))
    assert dump(uri_of(sweep)) == before


def test_a_sweep_without_a_plan_is_shown_too_in_a_folder_that_is_not_there_yet(tmp_path):
    directory = SweepDir(tmp_path / "digits")
    add(directory, ["a"])
    uri = default_uri(tmp_path / "new")
    mirror(directory, uri, complete=False)
    assert by_point(uri)["parent"]["info"] == ("digits", "KILLED", 86_400_000, 86_403_500)


def test_a_tracker_that_refuses_costs_one_clear_error(sweep, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # the user's own setting is left alone
    add(sweep, ["a"])
    uri = f"http://me:hunter2@127.0.0.1:{free_port()}"
    with pytest.raises(TrackingError, match=r"^MLflow at http://me:\*\*\*@127.* could not be filled") as caught:
        mirror(sweep, uri)
    assert "hunter2" not in str(caught.value)
    assert "Connection refused); nothing is lost" in str(caught.value)
    assert str(caught.value).endswith(f"`sweeper track '{sweep.root}'` sends what is missing.")  # its name has spaces


@pytest.mark.parametrize("uri", ["sqlite:////proc/nowhere/mlflow.db", "gopher://x", "/tmp/mlruns"])
def test_a_tracker_that_cannot_be_is_the_same_error(sweep, uri):
    add(sweep, ["a"])
    with pytest.raises(TrackingError, match="could not be filled"):
        Mirror(sweep, uri).sync()


def test_a_deleted_experiment_says_what_to_do(sweep):
    add(sweep, ["a"])
    report = mirror(sweep, uri_of(sweep))
    MlflowClient(uri_of(sweep)).delete_experiment(report.experiment)
    with pytest.raises(TrackingError, match="'digits' was deleted: restore it there"):
        mirror(sweep, uri_of(sweep))


def test_nothing_new_costs_no_request(sweep, monkeypatch):
    add(sweep, ["a"])
    mirror_ = Mirror(sweep, uri_of(sweep))
    mirror_.sync()
    monkeypatch.setattr("sweeper.tracking.runs.update", None)
    monkeypatch.setattr("sweeper.tracking.mirror.sweep_record", None)
    assert mirror_.sync() == 0


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://me:secret@host:5000/x", "http://me:***@host:5000/x"),
        ("postgresql://me:se@cr/et@host/db", "postgresql://me:***@host/db"),
        ("postgresql://host/db?user=me&password=secret&x=1", "postgresql://host/db?user=me&password=***&x=1"),
        ("sqlite:////home/a@b/c:d@e/mlflow.db", "sqlite:////home/a@b/c:d@e/mlflow.db"),
        ("http://host:5000", "http://host:5000"),
    ],
)
def test_passwords_are_masked(uri, shown):
    assert mask_secrets(uri) == shown


@pytest.mark.slow
def test_a_real_server_holds_the_same_as_a_file(sweep, tmp_path):
    add(sweep, ["a", "b"])
    write_findings(sweep)
    mirror(sweep, uri_of(sweep))
    port = free_port()
    argv, env = serve_ui(tmp_path / "server", port)
    (tmp_path / "server").mkdir()
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(argv, env={**os.environ, **env}, stdout=log, stderr=log, cwd=tmp_path)
        try:
            wait_for(f"http://127.0.0.1:{port}/health")
            for _ in range(2):
                report = mirror(sweep, f"http://127.0.0.1:{port}")
            shown, stored = by_point(f"http://127.0.0.1:{port}"), by_point(uri_of(sweep))
            client = MlflowClient(f"http://127.0.0.1:{port}")
            assert len(client.list_artifacts(report.run)) == 4
        finally:
            server.terminate()
            server.wait(20)
    for point in ("a", "b", "parent"):
        assert shown[point]["metrics"] == stored[point]["metrics"]
        assert shown[point]["info"] == stored[point]["info"]
        assert shown[point]["params"] == stored[point]["params"]


def wait_for(url: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.2)
        else:
            return


def test_points_of_packs_that_were_given_up_are_counted_as_failed(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    directory, grid = SweepDir(tmp_path / "small"), load_grid(SMALL, "small.yaml", ["resources.pack=3"])
    points = make_points(grid)
    plan = plan_for(grid, points, profiles_of(grid, points), workers=1)
    stored_plan(directory, grid, points, plan)
    done, *others = plan.packs
    run_pack(str(directory.root), done.id, lambda _: None)
    for pack in others:
        give_up(directory, pack.id, "its worker died 4 times")
    conclude(read_state(directory))
    mirror(directory, uri_of(directory), complete=False)
    metrics = by_point(uri_of(directory), "small")["parent"]["metrics"]
    counts = {name: float(metrics[f"points.{name}"][0][2]) for name in ("completed", "failed")}
    assert counts == {"completed": len(done.points), "failed": 6 - len(done.points)}
