"""MLflow's processes: the environment of all that import it, and the command of its server."""

import os
import sys
from pathlib import Path

from sweeper.tracking.database import artifacts_uri, default_uri

# Defaults where the user has not set them. MLflow itself tries 7 times with 120 s each, and waits for as long as a
# server asks for with Retry-After, which would hold the end of a sweep for hours. ``patience`` tries again instead.
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def serve_ui(out: Path, port: int = 5000) -> tuple[list[str], dict[str, str]]:
    """Return command line and environment of an MLflow server for the sweeps in ``out``, for this machine only.

    One worker and no job runners take 0.5 GB of memory where MLflow's defaults take 2.6 GB.
    """
    argv = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    argv += ["--backend-store-uri", default_uri(out), "--artifacts-destination", artifacts_uri(out)]
    return argv, {**ENVIRONMENT, **os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
