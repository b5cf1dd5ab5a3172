"""The command of MLflow's server."""

from sweeper.tracking.database import default_uri
from sweeper.tracking.server import serve_ui


def test_the_page_is_for_this_machine_only(tmp_path):
    argv, env = serve_ui(tmp_path, 5123)
    assert argv[argv.index("--host") + 1] == "127.0.0.1"
    assert argv[argv.index("--workers") + 1] == "1"
    assert argv[argv.index("--backend-store-uri") + 1] == default_uri(tmp_path)
    assert env["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert env["MLFLOW_DISABLE_TELEMETRY"] == "true"
