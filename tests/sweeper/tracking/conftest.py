"""Fixtures of trackers: SQLite, a real PostgreSQL, and a real MLflow server on it."""

import pytest
from mlflow import MlflowClient
from servers_support import mlflow_server, postgres, postgres_program


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """URI of an empty PostgreSQL."""
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed: pip install '.[postgres]'")
    if postgres_program("initdb") is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres(tmp_path_factory.mktemp("postgres")) as uri:
        yield uri


@pytest.fixture(scope="session")
def server(database, tmp_path_factory):
    """URL of an MLflow server on it."""
    with mlflow_server(database, tmp_path_factory.mktemp("mlflow-server")) as url:
        yield url


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """An SQLite file with MLflow's tables, made once because that takes a second."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path
