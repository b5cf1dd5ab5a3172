"""Who runs a sweep, as its lock or lease says, and how to stop that run."""

import json
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from results.places import Place
from search_spaces.errors import InputError
from search_spaces.yaml_text import printable

_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # set by Ray in the driver of a job


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that runs a sweep.

    Attributes:
        since: ISO 8601.
        job: id of the Ray job whose driver it is; empty if of none.
    """

    host: str
    pid: int
    since: str
    job: str = ""

    def __str__(self) -> str:
        job = f" (Ray job {printable(self.job)})" if self.job else ""
        return f"process {self.pid} on {printable(self.host)}{job} since {printable(self.since)}"

    @property
    def stop(self) -> str:
        """The command that stops it in good order."""
        if self.job:
            return f"ray job stop {printable(self.job)}, on its cluster"
        return f"kill -INT {self.pid}" + (" there" if self.host != socket.gethostname() else "")


def this_process() -> Holder:
    """The one that is to run a sweep from now on."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return Holder(host=socket.gethostname(), pid=os.getpid(), since=since, job=_job())


def _job() -> str:
    with suppress(KeyError, TypeError, ValueError):
        return str(json.loads(os.environ[_JOB])["metadata"]["job_submission_id"])
    return ""


def taken(root: Place, holder: Holder | None) -> InputError:
    """The refusal of a second run; None for a holder that has not said yet who it is."""
    who, stop = (str(holder), holder.stop) if holder else ("another process", "kill -INT PID")
    return InputError(
        f"{root}: this sweep is being run already, by {who}. Wait for it, stop it ({stop}), or give this run a name of "
        f"its own (--name {root.name}-2). 'sweeper status {root}' shows how far it is."
    )
