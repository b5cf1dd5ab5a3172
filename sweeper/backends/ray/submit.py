"""Submission of a grid: ``sweeper submit`` turns it into a job of a Ray cluster."""

from collections.abc import Callable
from pathlib import Path

from results.store.files import write_text
from results.store.paths import any_path
from search_spaces.errors import InputError
from search_spaces.reading.dump import to_yaml
from search_spaces.sections.grid import Grid
from sweeper.addresses import mask_secrets
from sweeper.backends.ray.code_bundle import code_bundle

_GRID_FILE = "grid.yaml"  # in the folder that is sent


class JobFailedError(Exception):
    """End of the driver before it had trained anything; the message is the output of the driver."""


def submit_grid(
    grid: Grid,
    out: str,
    address: str,
    tracking_uri: str | None,
    on_accepted: Callable[[str], None] = lambda _: None,
    *,
    python: str = "python",
) -> str:
    """Run a grid, or what is missing of it, as a job, and return the id of the job once it runs.

    Args:
        grid: the grid to run.
        out: folder of sweeps, as the cluster sees it.
        address: address of the cluster's dashboard.
        tracking_uri: address of MLflow, as the cluster sees it; None leaves that to the cluster.
        on_accepted: is called with the job's id as soon as it has one.
        python: the cluster's interpreter that has sweeper, a path there or a name on its PATH.

    Raises:
        InputError: nothing was submitted.
        JobFailedError: the job ended with an error at once.
    """
    _refuse_wrong_options(out, tracking_uri)
    try:
        from sweeper.backends.ray import jobs  # noqa: PLC0415 - where Ray is not installed, all else works
    except ModuleNotFoundError as error:
        raise InputError(f"sweeper submit: {error.name} is not installed here; 'pip install ray[default]'.") from None
    command = [python, "-m", "sweeper", "run", _GRID_FILE, "--address", "auto", "--out", out]
    command += ["--tracking-uri", tracking_uri] if tracking_uri is not None else []
    with code_bundle(grid, Path.cwd()) as folder:
        write_text(folder / _GRID_FILE, to_yaml(grid))
        submission = jobs.submit(address, folder, grid.name, command, on_accepted)
    if submission.failure:
        raise JobFailedError(submission.failure)
    return submission.job


def _refuse_wrong_options(out: str, tracking_uri: str | None) -> None:
    """Raise an ``InputError`` for a relative folder, or for a password that others could read."""
    if isinstance(any_path(out), Path) and not Path(out).is_absolute():
        raise InputError(
            f"--out {out}: a folder of the cluster; give an absolute path that all its machines share, or an "
            "address in an object store, as s3://bucket/runs."
        )
    if tracking_uri is not None and mask_secrets(tracking_uri) != tracking_uri:
        raise InputError(
            f"--tracking-uri {mask_secrets(tracking_uri)}: whoever sees the dashboard can read the command of a job. "
            "Set MLFLOW_TRACKING_URI where the cluster's head runs, and leave this option out."
        )
