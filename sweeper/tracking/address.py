"""Addresses of MLflow: defaults, environment, the server for the browser, and texts without passwords."""

import os
import re
import sys
from pathlib import Path

from results.store.paths import AnyPath
from sweeper.console import mask_secrets

SQLITE = "sqlite:///"  # prefix of the address of an SQLite file
# Query of every page. Without it MLflow shows its pages for language models to users who have not chosen yet.
RUNS_QUERY = "workflowType=machine_learning"

# Defaults where the user has not set them. MLflow itself tries 7 times with 120 s each, which would hold the end of a
# sweep for more than four minutes when its server is gone; 2 tries of 10 s each give up after 5 s (refused) to 35 s.
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def default_uri(out: Path) -> str:
    """Return the default address for sweeps in ``out``: ``out/mlflow.db``, with artifacts in ``out/mlartifacts``."""
    return f"{SQLITE}{out.resolve() / 'mlflow.db'}"


def serve_ui(out: Path, port: int = 5000) -> tuple[list[str], dict[str, str]]:
    """Return command line and environment of an MLflow server for the sweeps in ``out``, for this machine only.

    One worker and no job runners take 0.5 GB of memory where MLflow's defaults take 2.6 GB.
    """
    argv = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    argv += ["--backend-store-uri", default_uri(out), "--artifacts-destination", artifacts_uri(out)]
    return argv, {**ENVIRONMENT, **os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def run_page(uri: str, experiment: str, run: str) -> str | None:
    """Return the address of a run in a browser, without user and password; None if ``uri`` is not a server's.

    Args:
        uri: address of MLflow.
        experiment: id of the experiment.
        run: id of the run.
    """
    if not uri.startswith(("http://", "https://")):
        return None
    return f"{re.sub('://.*@', '://', uri).rstrip('/')}/#/experiments/{experiment}/runs/{run}?{RUNS_QUERY}"


def without_secrets(text: str, uri: str) -> str:
    """Return ``text`` without the passwords of ``uri``."""
    secrets = re.findall(r"://[^:/@?#]*:(.+)@", uri)
    for secret in secrets:
        text = text.replace(secret, "***")
    return mask_secrets(text.replace(uri, mask_secrets(uri)))


def artifacts_uri(out: AnyPath) -> str:
    """Return the address of the folder for reports and figures of the sweeps in ``out``."""
    return (out.resolve() / "mlartifacts").as_uri() if isinstance(out, Path) else f"{out}/mlartifacts"
