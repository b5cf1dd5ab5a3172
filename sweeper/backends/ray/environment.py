"""Environment variables that Ray reads when it is imported or started, and the token of the Ray of this process."""

import os
import secrets
from importlib.metadata import version
from pathlib import Path

from search_spaces.errors import InputError
from sweeper.private import private_folder
from sweeper.user_environment import ensure_home

RAY_VERSIONS = ">=2.60,<2.61"  # as in pyproject.toml: ``patches`` changes private names of it
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # despite its name the switch that keeps every listener on 127.0.0.1
    "RAY_ENABLE_AUTO_CONNECT": "0",  # else a call after the shutdown would start, or join, a Ray that nobody asked for
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # with Tune's own handler fit() returns as if all were done
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # CSV, JSON and TensorBoard copies of a result are half of its cost
    # Tune asks GCS for resources every 10 s, for a status text alone; a dead GCS keeps it waiting for 60 s.
    "TUNE_STATE_REFRESH_PERIOD": "1e9",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
_TOKEN, _TOKEN_FILE = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


def set_environment() -> None:
    """Set the variables that the user has not set."""
    ensure_home()
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def set_local_token() -> None:
    """Give the Ray of this process a token that no other user can read.

    Ray would write one into the home folder, with mode 644. Whoever reads it can run code as this user. A token of the
    user is taken if it stands in the environment, or in a file that is closed to others. Else Ray gets one of its own.
    """
    if os.environ.get(_TOKEN) or os.environ["RAY_AUTH_MODE"] != "token":
        return
    file = Path(os.environ.get(_TOKEN_FILE) or Path.home() / ".ray" / "auth_token")
    if not _is_private(file):
        own = private_folder() / "auth_token"
        if not own.exists():  # one for all Rays of this process, which keeps the first that it reads
            with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as token:
                token.write(secrets.token_hex(32))
        os.environ[_TOKEN_FILE] = str(own)


def _is_private(file: Path) -> bool:
    """Return whether a file has a token, and belongs to this user, and nobody else can read or replace it."""
    try:
        entries = file.stat(), file.parent.stat()
        return (
            bool(file.read_text().strip())
            and all(entry.st_uid == os.geteuid() for entry in entries)
            and not entries[0].st_mode & 0o077
            and not entries[1].st_mode & 0o022
        )
    except (OSError, ValueError):
        return False


def no_ray_error(error: ImportError) -> InputError:
    """Return why Ray cannot be used: it or what it needs is absent, or it lacks a private name that sweeper changes."""
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("ray."):
        why = f"{error.name} is not installed here, which Ray needs"
    else:
        why = f"Ray {version('ray')} lacks what sweeper uses or changes ({error}); install 'ray[tune]{RAY_VERSIONS}'"
    return InputError(f"{why}; 'sweeper run --backend inprocess' does without.")
