"""A sweep as a job of a Ray cluster: its driver runs there, and nobody has to wait for it."""

import logging
import re
import secrets
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ray.exceptions import RayError
from ray.job_submission import JobStatus, JobSubmissionClient

from search_spaces.errors import InputError, one_line
from sweeper.addresses import mask_secrets, without_secrets
from sweeper.lock.holder import DASHBOARD_KEY

START_SECONDS = 300.0  # for the cluster to place the driver, and for the driver to check its grid and data
STOP_SECONDS = 30  # that the workers of a stopped job have to commit and leave; Ray's default is 3
_RAY_LOG_LINE = re.compile(r"^(.*\sINFO \w+\.py:.*|Running entrypoint for job .*)$", re.MULTILINE)


class Submission(NamedTuple):
    """Result of submitting a job.

    Attributes:
        job: id of the job.
        failure: output of a job that ended with an error at once; empty if it runs, or waits for resources.
    """

    job: str
    failure: str


def submit(
    address: str, folder: Path, name: str, command: Sequence[str], on_accepted: Callable[[str], None]
) -> Submission:
    """Run ``command`` on a cluster, in a copy of ``folder``.

    It returns once the driver of the job runs or has failed, or once somebody interrupts the wait for that.

    Args:
        address: address of the cluster's dashboard, as ``http://127.0.0.1:8265``.
        folder: the files to send.
        name: name of the sweep, for people who look at the jobs.
        command: command of the driver.
        on_accepted: is called with the id of the job, which goes on from then on whatever becomes of this process.

    Raises:
        InputError: no cluster answers there, or it does not take jobs.
    """
    if not re.match(r"https?://", address):
        raise InputError(
            f"--address {mask_secrets(address)}: give the address of the cluster's dashboard, as http://127.0.0.1:8265."
        )
    for logger in ("ray", "ray.dashboard.modules.dashboard_sdk"):  # the latter reports each upload
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    job = f"sweeper-{name}-{secrets.token_hex(3)}"
    try:
        client = JobSubmissionClient(address)
        client.submit_job(
            entrypoint=shlex.join(command),
            submission_id=job,
            runtime_env={
                "working_dir": str(folder),
                "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS), "PYTHONUNBUFFERED": "1"},
            },
            metadata={"sweep": name, DASHBOARD_KEY: mask_secrets(address)},  # whoever sees the cluster can read it
        )
    except (RayError, RuntimeError, OSError) as error:
        raise InputError(
            f"--address {mask_secrets(address)}: no Ray cluster takes jobs there ({_first_line(error, address)})."
        ) from None
    on_accepted(job)
    try:
        return Submission(job, _early_failure(client, job, name))
    except KeyboardInterrupt:
        return Submission(job, "")


def _early_failure(client: JobSubmissionClient, job: str, name: str) -> str:
    """Return the output of a job that failed at once; empty if it runs, or is not placed within ``START_SECONDS``.

    Args:
        client: the connection to the dashboard.
        job: id of the job.
        name: name of the sweep.
    """
    trains = re.compile(rf"^{re.escape(name)}: (?!starting$)", re.MULTILINE)  # the line that says how much
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            status, output = client.get_job_status(job), client.get_job_logs(job)
        except (RayError, RuntimeError, OSError):  # the connection to the cluster may break; the job does not
            time.sleep(1.0)
            continue
        if status in {JobStatus.FAILED, JobStatus.STOPPED}:
            return _RAY_LOG_LINE.sub("", output).strip() or str(client.get_job_info(job).message)
        if status == JobStatus.SUCCEEDED or trains.search(output):
            return ""
        time.sleep(0.5)
    return ""


def _first_line(error: Exception, address: str) -> str:
    """Return the first line of an error that is not empty, without secrets of the address; or the name of its class."""
    lines = [line.strip() for line in without_secrets(str(error), address).splitlines() if line.strip()]
    return one_line(lines[0]).rstrip(".:") if lines else type(error).__name__
