"""Addresses of MLflow: defaults, environment, the server for the browser, and texts without passwords."""

import base64
import json
import os
import re
import sys
from pathlib import Path
from urllib.parse import quote, unquote

from results.store.paths import AnyPath
from search_spaces.addresses import STARS, mask_in_text, mask_secrets, secrets_in

_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///([^?]*)(.*)", re.DOTALL)
_PLAIN = "/ !$&'()*+,:;=@[]"  # characters that mean nothing in the path of such an address
_SECRET_VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# Query of every page. Without it MLflow shows its pages for language models to users who have not chosen yet.
RUNS_QUERY = "workflowType=machine_learning"

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


def default_uri(out: Path) -> str:
    """Return the default address for sweeps in ``out``: ``out/mlflow.db``, with artifacts in ``out/mlartifacts``."""
    return sqlite_uri(out.resolve() / "mlflow.db")


def sqlite_uri(path: Path) -> str:
    """Return the address of an SQLite file, as SQLAlchemy from 2.1 on reads it.

    MLflow makes the folder of an address that begins with ``sqlite:///``, and takes ``%3F`` in it for a name. It does
    not where the driver is named.
    """
    text = quote(os.fsencode(path), safe=_PLAIN)
    return f"sqlite{'+pysqlite' if '%' in text else ''}:///{text}"


def sqlite_file(uri: str) -> Path | None:
    """Return the file of an address, None unless that is an SQLite file."""
    match = _SQLITE.match(uri)
    if match is None or not match[1] or match[1] == ":memory:" or "uri=" in match[2]:
        return None
    return Path(unquote(match[1], errors="surrogateescape"))


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
    """Return ``text`` without the secrets of ``uri`` and of the environment, as they are or as a server encodes them.

    Addresses in the text are masked as well.
    """
    secrets = secrets_in(uri)
    user = os.environ.get("MLFLOW_TRACKING_USERNAME", "")
    for name in _SECRET_VARIABLES:
        if value := os.environ.get(name):
            secrets |= {value, f"{user}:{value}"}
    forms = {form for secret in secrets for form in _forms(secret) if len(form) > 2}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, STARS)
    return mask_in_text(text.replace(uri, mask_secrets(uri)))


def _forms(secret: str) -> set[str]:
    """Return a secret as it may stand in the text of a server: percent-encoded or not, in base64, or in JSON."""
    plain = unquote(secret)
    encoded = {base64.b64encode(text.encode("utf-8", "replace")).decode() for text in (secret, plain)}
    return {secret, plain, quote(plain), quote(plain, safe=""), json.dumps(plain)[1:-1], *encoded}


def artifacts_uri(out: AnyPath) -> str:
    """Return the address of the folder for reports and figures of the sweeps in ``out``."""
    return (out.resolve() / "mlartifacts").as_uri() if isinstance(out, Path) else f"{out}/mlartifacts"
