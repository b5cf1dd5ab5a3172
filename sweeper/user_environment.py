"""The home and the name of the user, where the system knows neither."""

import os
from pathlib import Path

from sweeper.private import private_folder


def ensure_home() -> None:
    """Give this process and its children a home and a user name if the system has none for its user id.

    Libraries ask for both when they are imported. A container that runs under any user id has no entry for it.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(private_folder())
    if not any(os.environ.get(name) for name in ("LOGNAME", "USER", "LNAME", "USERNAME")):
        os.environ["USER"] = f"user{os.getuid()}"  # ``getpass.getuser`` would ask the system, which may not know it
