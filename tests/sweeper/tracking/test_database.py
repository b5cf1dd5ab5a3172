"""MLflow's SQLite files: made by one process at a time, whole or not at all, and made anew if they are not whole."""

import errno
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from mlflow import MlflowClient
from mlflow.store.db import utils
from mlflow.store.tracking.dbmodels.initial_models import Base
from tracking_support import add, begin

from results.store.sweep_dir import SweepDir
from sweeper.tracking.database import default_uri, prepare_database, sqlite_file, sqlite_uri
from sweeper.tracking.mirror import mirror

IN_PLACE = "from mlflow import MlflowClient; MlflowClient('sqlite:///{}').search_experiments()"  # as MLflow itself does
HIDDEN = "import mlflow.store.db.utils, sweeper.tracking.database as d; d.prepare_database(mlflow, 'sqlite:///{}')"


def tables(path) -> set[str]:
    with closing(sqlite3.connect(path)) as database:
        return {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def killed(code: str, path, ready) -> None:
    """Run code on a file, and kill it once ``ready`` holds."""
    process = subprocess.Popen([sys.executable, "-c", code.format(path)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not ready() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


def opens(path) -> bool:
    return len(MlflowClient(f"sqlite:///{path}").search_experiments()) == 1


def has_tables(path, count: int) -> bool:
    try:
        return len(tables(path)) >= count
    except sqlite3.Error:  # its maker has it for itself
        return False


@pytest.mark.parametrize(
    "count", [pytest.param(count, marks=pytest.mark.slow if count > 1 else ()) for count in (1, 12, 30)]
)
def test_a_file_that_was_left_half_made_is_made_anew(tmp_path, count):
    path = tmp_path / "mlflow.db"
    killed(IN_PLACE, path, lambda: path.exists() and has_tables(path, count))
    assert len(tables(path)) < 60
    prepare_database(mlflow, f"sqlite:///{path}")
    assert opens(path)


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", pytest.param(None, id="shell")])
def test_an_empty_file_and_the_shell_of_a_migration_are_made_anew(tmp_path, content, empty_database):
    path = tmp_path / "mlflow.db"
    if content is None:
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE _alembic_tmp_runs (run_uuid VARCHAR(32))")
    else:
        path.write_bytes(content)
        path.with_name("mlflow.db-journal").write_bytes(b"\0" * 512)
    prepare_database(mlflow, f"sqlite:///{path}")
    assert opens(path)
    assert "_alembic_tmp_runs" not in tables(path)


@pytest.mark.slow
def test_a_maker_that_is_killed_leaves_no_file_and_the_next_clears_up(tmp_path):
    path = tmp_path / "mlflow.db"
    killed(HIDDEN, path, lambda: any(file.name.endswith(".tmp") for file in tmp_path.iterdir()))
    assert not path.exists()
    prepare_database(mlflow, f"sqlite:///{path}")
    assert {file.name for file in tmp_path.iterdir()} == {"mlflow.db", "mlflow.db.lock"}


def test_several_at_once_all_send_their_sweep(tmp_path):
    # Of one name they would be one sweep and its copies.
    directories = [begin(SweepDir(tmp_path / f"digits{k}")) for k in range(3)]
    for directory in directories:
        add(directory, ["a"], n=20)
    errors = []

    def send(directory):
        try:
            mirror(directory, f"sqlite:///{tmp_path}/new/mlflow.db")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=send, args=(directory,)) for directory in directories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [str(error) for error in errors] == []


@pytest.mark.slow
@pytest.mark.parametrize("back", [3, 20])
def test_a_file_of_an_earlier_mlflow_is_brought_up_to_date_and_keeps_its_runs(tmp_path, back):
    path = tmp_path / "mlflow.db"
    make_earlier(path, back)
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'mine', 'active')")
        database.execute(
            "INSERT INTO runs "
            "(run_uuid, name, experiment_id, status, lifecycle_stage, start_time, source_type, user_id) "
            "VALUES ('0123', 'mine', 7, 'RUNNING', 'active', 5, 'LOCAL', 'me')"
        )
        database.commit()
    killed(HIDDEN, path, lambda: any(file.name.endswith(".tmp") for file in tmp_path.iterdir()))
    prepare_database(mlflow, f"sqlite:///{path}")
    assert MlflowClient(f"sqlite:///{path}").get_run("0123").info.experiment_id == "7"
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"mlflow.db", "mlflow.db.lock", "mlflow.db.before-upgrade"}


def no_hard_links(*_):
    raise OSError(errno.ENOTSUP, "this file system has no hard links")


@pytest.mark.parametrize("hard_links", [True, False])
def test_a_file_with_all_tables_but_of_an_earlier_form_is_replaced_and_kept(
    tmp_path, monkeypatch, empty_database, hard_links
):
    """A migration that changes columns only leaves the set of tables as it was."""
    path = tmp_path / "mlflow.db"
    shutil.copy(empty_database, path)
    engine = utils.create_sqlalchemy_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = utils._get_alembic_config(str(engine.url))
        config.attributes["connection"] = connection
        command.downgrade(config, "-1")
    engine.dispose()
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'mine', 'active')")
        database.commit()
    before = path.read_bytes()
    monkeypatch.setattr(utils, "_all_tables_exist", lambda engine: True)
    if not hard_links:
        monkeypatch.setattr(Path, "hardlink_to", no_hard_links)
    prepare_database(mlflow, f"sqlite:///{path}")
    assert MlflowClient(f"sqlite:///{path}").get_experiment("7").name == "mine"
    kept = path.with_name("mlflow.db.before-upgrade")
    with closing(sqlite3.connect(kept)) as database:
        assert version(kept) != version(path) == utils._get_latest_schema_revision()
        assert database.execute("SELECT name FROM experiments WHERE experiment_id = 7").fetchone() == ("mine",)
    assert before == kept.read_bytes() or not hard_links
    assert {file.name for file in tmp_path.iterdir()} == {"mlflow.db", "mlflow.db.lock", kept.name}


def version(path) -> str:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def test_a_file_that_cannot_be_brought_up_to_date_stays_as_it_is(tmp_path, empty_database):
    """One of a later MLflow, say: nothing is left beside it."""
    path = tmp_path / "mlflow.db"
    shutil.copy(empty_database, path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'mine', 'active')")
        database.execute("UPDATE alembic_version SET version_num = 'of-a-later-mlflow'")
        database.commit()
    before = path.read_bytes()
    with pytest.raises(Exception, match="of-a-later-mlflow"):
        prepare_database(mlflow, f"sqlite:///{path}")
    assert path.read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} == {"mlflow.db", "mlflow.db.lock"}


def make_earlier(path, back: int) -> None:
    """Make the file that MLflow had so many migrations ago."""
    engine = utils.create_sqlalchemy_engine(f"sqlite:///{path}")
    config = utils._get_alembic_config(str(engine.url))
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revisions[back])
    engine.dispose()


def test_what_is_no_database_of_mlflow_is_left_alone(tmp_path):
    path = tmp_path / "notes.db"
    path.write_text("my notes, not a database at all")
    with pytest.raises(Exception, match="not a database"):
        prepare_database(mlflow, f"sqlite:///{path}")
    assert path.read_text() == "my notes, not a database at all"


FOLDERS = ["feature%2Fx", "q?x", "a#b", "sp ace", "it's", "ü;&$(x)", "a[b]%41", "back\\slash", "at@x:y", "100%"]


@pytest.mark.parametrize("name", FOLDERS)
def test_the_address_of_a_folder_leads_to_it(tmp_path, name):
    folder = tmp_path / name
    uri = default_uri(folder)
    assert sqlite_file(uri) == folder / "mlflow.db"
    assert sqlite_file(f"{uri}?timeout=5") == folder / "mlflow.db"
    assert not uri.startswith("sqlite:///") or "%" not in uri  # else MLflow makes a folder of that name


@pytest.mark.parametrize("uri", ["http://host", "sqlite://", "sqlite:///:memory:", "postgresql://a/b", "none"])
def test_other_addresses_are_of_no_file(uri):
    assert sqlite_file(uri) is None


@pytest.mark.parametrize("name", ["q?x%2F#1", pytest.param("sp ace", marks=pytest.mark.slow)])
def test_a_sweep_in_such_a_folder_is_sent_to_the_file_in_it(tmp_path, name, empty_database):
    directory = begin(SweepDir(tmp_path / name / "digits"))
    add(directory, ["a"], n=20)
    (tmp_path / name / "mlflow.db").write_bytes(empty_database.read_bytes())
    assert mirror(directory, default_uri(tmp_path / name)).sent == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]
    client = MlflowClient(sqlite_uri(tmp_path / name / "mlflow.db"))
    assert client.get_experiment_by_name("digits") is not None
