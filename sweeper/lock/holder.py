"""Who runs a sweep, as its lock or lease says, and how to stop that run."""

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from results.store.paths import AnyPath
from search_spaces.errors import InputError
from search_spaces.yaml_text import printable

# set by Ray in the driver of a job, whose workers have its code already
RAY_JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"
DASHBOARD = "dashboard"  # in the metadata of a job


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that runs a sweep.

    Attributes:
        since: ISO 8601.
        job: id of the Ray job whose driver it is; empty if of none.
        dashboard: of the cluster, as whoever submitted the job sees it.
    """

    host: str
    pid: int
    since: str
    job: str = ""
    dashboard: str = ""

    def __str__(self) -> str:
        job = f" (Ray job {printable(self.job)})" if self.job else ""
        return f"process {self.pid} on {printable(self.host)}{job} since {printable(self.since)}"

    @property
    def stop(self) -> str:
        """The command that stops it in good order."""
        if self.job:
            address = f"--address {printable(self.dashboard)} " if self.dashboard else ""
            return f"ray job stop {address}{printable(self.job)}"
        return f"kill -INT {self.pid}" + (" there" if self.host != socket.gethostname() else "")


def current_holder() -> Holder:
    """The one that is to run a sweep from now on."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    metadata = _job_metadata()
    return Holder(
        host=socket.gethostname(),
        pid=os.getpid(),
        since=since,
        job=str(metadata.get("job_submission_id", "")),
        dashboard=str(metadata.get(DASHBOARD, "")),
    )


def _job_metadata() -> Mapping[str, object]:
    """What Ray knows of the job that this process is the driver of."""
    with suppress(KeyError, TypeError, ValueError):
        metadata = json.loads(os.environ[RAY_JOB_VARIABLE])["metadata"]
        return metadata if isinstance(metadata, dict) else {}
    return {}


def in_use_error(root: AnyPath, holder: Holder | None) -> InputError:
    """The refusal of a second run; None for a holder that has not said yet who it is."""
    who, stop = (str(holder), holder.stop) if holder else ("another process", "kill -INT PID")
    return InputError(
        f"{root}: this sweep is being run already, by {who}. Wait for it, stop it ({stop}), or give this run a name of "
        f"its own (--name {root.name}-2). 'sweeper status {root}' shows how far it is."
    )
