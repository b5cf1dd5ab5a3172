"""Chunks of packs as trials of Ray Tune.

The config of a Ray trial is a chunk of the plan, the ids of its packs; its worker reads all else from the sweep
directory. Rows never pass through Ray: the driver receives a summary a second. Ray's own experiment state is thrown
away, because the sweep directory holds the results.
"""

import os
import secrets
import time
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

from ray import tune

from results.store.files import write_text
from results.store.ledger import give_up
from results.store.sweep_dir import SweepDir
from search_spaces.sections.grid import Grid, Resources
from sweeper.backends.ray.callback import DriverHooks, NoWorkerStartsError, PackCallback, StorageGoneError
from sweeper.backends.ray.chunk import train_chunk
from sweeper.backends.ray.liveness import CHECK_SECONDS, LivenessCheck, RayLostError
from sweeper.backends.ray.patches import PlanOrderScheduler, SilentReporter, patched_tune
from sweeper.worker.messages import heartbeat_seconds

# Memory of a trial whose work is done by processes of Ray Train, which ask for their own resources.
COORDINATOR_BYTES = 2**28


def run_chunks(
    directory: SweepDir, chunks: Sequence[str], workers: int, grid: Grid, hooks: DriverHooks, *, capped: bool = False
) -> None:
    """Train the packs of ``chunks`` as Ray trials, and give up those whose workers are lost too often.

    Args:
        directory: the sweep directory.
        chunks: the chunks in order, each the ids of its packs, separated by spaces.
        workers: number of workers of the cluster or machine.
        grid: the grid of the sweep.
        hooks: calls from the loop of Tune to the driver.
        capped: whether no more than ``workers`` may train at a time, even if more machines join.

    Raises:
        RayLostError: a vital part of Ray is gone.
        KeyboardInterrupt: the sweep is to stop.
        OSError: the sweep directory cannot be written to.
    """
    # Few trials are pending: with Ray's default of 200, reused actors pick them in any order.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(workers + 1)
    heartbeat = heartbeat_seconds(workers)
    trainable = tune.with_resources(
        tune.with_parameters(
            train_chunk, root=str(directory.root), resources=grid.resources, heartbeat=heartbeat, recovery=grid.recovery
        ),
        _trial_resources(grid.resources),
    )
    callback = PackCallback(directory, grid.recovery, heartbeat, hooks)
    with TemporaryDirectory(prefix="sweeper-") as state:  # not beside the rows, where a full disk would end Tune
        tuner = tune.Tuner(
            trainable,
            param_space=_chunk_per_trial(chunks),
            tune_config=_tune_config(len(chunks), workers if capped or grid.resources.processes_per_pack > 1 else None),
            run_config=_run_config(state, callback),
        )
        try:
            _fit(tuner, hooks.liveness)
        except NoWorkerStartsError as error:  # where a module cannot be imported, for example
            for pack in " ".join(chunks).split():
                give_up(directory, pack, str(error))
                write_text(directory.logs / f"{pack}.txt", error.log)


def _trial_resources(resources: Resources) -> Any:
    """Return the resources that a Ray trial asks the cluster for."""
    labels = [resources.labels] if resources.labels else None
    if resources.processes_per_pack > 1:
        return tune.PlacementGroupFactory([{"CPU": 0, "memory": COORDINATOR_BYTES}], bundle_label_selector=labels)
    bundle = {"CPU": resources.cpus_per_pack, "GPU": resources.gpus_per_pack}
    return tune.PlacementGroupFactory([bundle], bundle_label_selector=labels)


def _chunk_per_trial(chunks: Sequence[str]) -> dict[str, Any]:
    """Return a parameter space that gives each trial the next chunk; a ``grid_search`` is copied for every trial."""
    remaining = iter(chunks)
    return {"packs": tune.sample_from(lambda _: next(remaining))}


def _tune_config(trials: int, most: int | None) -> Any:
    """Return the configuration of a search over so many trials, of which ``most`` may run at a time."""
    return tune.TuneConfig(
        num_samples=trials,
        scheduler=PlanOrderScheduler(),
        reuse_actors=True,
        trial_dirname_creator=lambda trial: trial.trial_id,
        max_concurrent_trials=most,
    )


def _run_config(state: str, callback: PackCallback) -> Any:
    """Return the configuration of a run whose experiment state lies in the folder ``state``."""
    return tune.RunConfig(
        storage_path=state,
        name=secrets.token_hex(4),
        verbose=0,
        callbacks=[callback, SilentReporter()],
        failure_config=tune.FailureConfig(max_failures=-1),  # PackCallback counts failures, by packs
    )


def _fit(tuner: Any, liveness: LivenessCheck) -> None:
    """Run ``tuner``, and turn an error of Tune into ``RayLostError`` if Ray has died."""
    try:
        with patched_tune():
            tuner.fit()
    except StorageGoneError as gone:
        raise gone.error from None
    except Exception:  # calls of Tune fail in various ways when Ray dies
        time.sleep(CHECK_SECONDS)
        if lost_part := liveness(0.0):
            raise RayLostError(lost_part) from None
        raise
