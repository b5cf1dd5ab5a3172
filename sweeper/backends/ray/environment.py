"""Environment variables that Ray reads when it is imported or started."""

import os

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # despite its name the switch that keeps every listener on 127.0.0.1
    "RAY_ENABLE_AUTO_CONNECT": "0",  # else a call after the shutdown would start, or join, a Ray that nobody asked for
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # with Tune's own handler fit() returns as if all were done
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # CSV, JSON and TensorBoard copies of a result are half of its cost
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}


def set_environment() -> None:
    """Set the variables that the user has not set."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
