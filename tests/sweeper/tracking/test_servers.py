"""Trackers that several threads fill at once: PostgreSQL, and a real server on it."""

import shutil
import threading
import time
import uuid

import psutil
import pytest
from mlflow import MlflowClient
from servers_support import mlflow_server
from tracking_support import add, begin, by_point, dump, write_findings

from results.store.sweep_dir import SweepDir
from sweeper.tracking.database import default_uri
from sweeper.tracking.mirror import Mirror, TrackingError, mirror

pytestmark = pytest.mark.timeout(300)
POINTS = [f"p{i}" for i in range(6)]


@pytest.fixture
def sweep(tmp_path):
    """A sweep of its own name, as all are in one database."""
    directory = SweepDir(tmp_path / f"s{uuid.uuid4().hex[:8]}")
    directory.root.mkdir()
    add(directory, POINTS, n=20)
    write_findings(directory)
    return begin(directory)


@pytest.fixture
def in_sqlite(sweep, empty_database):
    """The runs that SQLite holds of it."""
    shutil.copy(empty_database, sweep.root.parent / "mlflow.db")
    mirror(sweep, default_uri(sweep.root.parent))
    return by_point(default_uri(sweep.root.parent), sweep.name)


def assert_equal(shown, reference):
    assert shown.keys() == reference.keys() == {*POINTS, "parent"}
    for point in shown:
        for part in ("info", "params", "metrics"):
            assert shown[point][part] == reference[point][part]


def test_postgresql_holds_the_same_as_sqlite(sweep, database, in_sqlite):
    assert mirror(sweep, database).sent == len(POINTS)
    before = dump(database, sweep.name)
    assert mirror(sweep, database).sent == 0
    assert dump(database, sweep.name) == before
    assert_equal(by_point(database, sweep.name), in_sqlite)
    reports = list(sweep.root.parent.glob("mlartifacts/*/*/artifacts/report.html"))  # not where the command was run
    assert [path.read_text() for path in reports] == ["<h1>report</h1>"] * 2  # that of SQLite too


@pytest.mark.parametrize("operation", ["create_run", "log_batch", "set_terminated"])
def test_an_interruption_between_two_requests_leaves_no_trace(sweep, database, in_sqlite, monkeypatch, operation):
    real, calls = getattr(MlflowClient, operation), []

    def breaks(self, *args, **kwargs):
        calls.append(1)
        number, result = len(calls), real(self, *args, **kwargs)
        if number == 3:
            raise ConnectionError("gone after the work was done")
        return result

    monkeypatch.setattr(MlflowClient, operation, breaks)
    mirror_ = Mirror(sweep, database)
    with pytest.raises(TrackingError, match="gone after the work was done"):
        mirror_.sync()
    mirror_.finish()
    assert len(dump(database, sweep.name)) == len(POINTS) + 1
    assert_equal(by_point(database, sweep.name), in_sqlite)


def test_without_a_driver_the_message_says_what_to_install(sweep):
    with pytest.raises(TrackingError, match=r"pip install psycopg2-binary.*postgresql\+psycopg2://"):
        mirror(sweep, "postgresql+psycopg2cffi://127.0.0.1/mlflow")


@pytest.mark.slow
def test_a_server_killed_in_the_middle_leaves_no_trace(sweep, database, in_sqlite, tmp_path):
    failures = []

    def track(url):
        try:
            mirror(sweep, url)
        except TrackingError as error:
            failures.append(error)

    with mlflow_server(database, tmp_path) as url:
        thread = threading.Thread(target=track, args=(url,))
        thread.start()
        while len(runs_of(database, sweep)) < len(POINTS) / 2:
            time.sleep(0.01)
        for process in psutil.Process().children(recursive=True):
            if "postgres" not in process.name():
                process.kill()
        thread.join()
    assert len(failures) == 1
    assert len(runs_of(database, sweep)) < len(POINTS) + 1
    with mlflow_server(database, tmp_path) as url:
        mirror(sweep, url)
    assert len(runs_of(database, sweep)) == len(POINTS) + 1
    assert_equal(by_point(database, sweep.name), in_sqlite)


def runs_of(uri, sweep):
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(sweep.name)
    return client.search_runs([experiment.experiment_id]) if experiment else []
