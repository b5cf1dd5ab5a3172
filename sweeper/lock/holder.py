"""Holder of a sweep, as its lock or lease names it, and the command that stops it."""

import json
import os
import shlex
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from results.store.paths import AnyPath
from search_spaces.errors import InputError, command
from search_spaces.yaml_text import printable
from sweeper.addresses import mask_secrets

# Ray sets this variable in the driver of a job, whose workers have its code already.
RAY_JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"
DASHBOARD_KEY = "dashboard"  # key in the metadata of a job


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Process that runs a sweep.

    Attributes:
        host: name of its machine.
        pid: process id on that machine.
        since: start of the run, ISO 8601 in UTC.
        job: id of the Ray job whose driver this process is; empty if there is none.
        dashboard: address of the dashboard of the cluster, as the user who submitted the job sees it.
    """

    host: str
    pid: int
    since: str
    job: str = ""
    dashboard: str = ""

    def __str__(self) -> str:
        """Return process, machine, job and start in words."""
        job = f" (Ray job {printable(self.job)})" if self.job else ""
        return f"process {self.pid} on {printable(self.host)}{job} since {printable(self.since)}"

    @property
    def stop(self) -> str:
        """Command that stops the run in good order."""
        if self.job:
            address = ["--address", printable(mask_secrets(self.dashboard))] if self.dashboard else []
            return shlex.join(["ray", "job", "stop", *address, printable(self.job)])
        return f"kill -INT {self.pid}" + (" there" if self.host != socket.gethostname() else "")


def current_holder() -> Holder:
    """Return this process as the holder of a sweep from now on."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    metadata = _job_metadata()
    return Holder(
        host=socket.gethostname(),
        pid=os.getpid(),
        since=since,
        job=str(metadata.get("job_submission_id", "")),
        dashboard=str(metadata.get(DASHBOARD_KEY, "")),
    )


def _job_metadata() -> Mapping[str, object]:
    """Return the metadata of the Ray job whose driver this process is; empty if there is none."""
    with suppress(KeyError, TypeError, ValueError):
        metadata = json.loads(os.environ[RAY_JOB_VARIABLE])["metadata"]
        return metadata if isinstance(metadata, dict) else {}
    return {}


def in_use_error(root: AnyPath, holder: Holder | None) -> InputError:
    """Return the error that refuses a second run; ``holder`` is None if it has not written who it is yet."""
    who, stop = (str(holder), holder.stop) if holder else ("another process", "kill -INT PID")
    return InputError(
        f"{root}: this sweep is being run already, by {who}. Wait for it, stop it ({stop}), or give this run a name of "
        f"its own (--name {root.name}-2). {command('sweeper', 'status', root)} shows how far it is."
    )
