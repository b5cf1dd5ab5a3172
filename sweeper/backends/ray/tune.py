"""Packs as trials of Ray Tune.

A Ray trial's config is a chunk of the plan, ids of packs; its worker finds the rest in the sweep directory. Rows never
pass through Ray: the driver gets a summary a second. Ray's own experiment state is thrown away: what is done stands in
the store.
"""

import os
import secrets
import time
from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import Any

from ray import tune

from results.store.sweep_dir import SweepDir
from search_spaces.sections.grid import Grid, Resources
from sweeper.backends.ray.callback import PackCallback, StorageGoneError
from sweeper.backends.ray.chunk import train_chunk
from sweeper.backends.ray.liveness import LOOK_SECONDS, LivenessCheck, RayLostError
from sweeper.backends.ray.patches import InOrder, Silent, patched
from sweeper.worker.messages import Notify, heartbeat_seconds

COORDINATOR_BYTES = 2**28  # of a trial whose work is done by processes of Ray Train, which ask for their own resources


def run_chunks(
    directory: SweepDir,
    chunks: Sequence[str],
    workers: int,
    grid: Grid,
    *,
    notify: Notify,
    lost: LivenessCheck,
    tick: Callable[[], None],
) -> None:
    """Train the packs of ``chunks``, those given up apart.

    Args:
        directory: the sweep.
        chunks: in order, each the ids of its packs.
        workers: that there are.
        grid: of the sweep.
        notify: is told what workers report.
        lost: asked whether Ray still lives.
        tick: called some ten times a second.

    Raises:
        RayLostError: it does not.
        KeyboardInterrupt: the sweep is to stop.
        OSError: the sweep directory cannot be written to.
    """
    # Only so many wait: with Ray's default of 200 pending trials reused actors pick them in any order.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(workers + 1)
    resources, together = grid.resources, grid.resources.processes_per_pack > 1
    heartbeat = heartbeat_seconds(workers)
    trainable = tune.with_resources(
        tune.with_parameters(train_chunk, root=str(directory.root), resources=resources, pulse=heartbeat),
        _bundle_of(resources),
    )
    watch = PackCallback(directory, grid.recovery, heartbeat, notify, lost, tick)
    with TemporaryDirectory(prefix="sweeper-") as state:  # not beside the rows, where a full disk would end Tune
        order = iter(chunks)  # a grid_search would be copied whole for every trial
        tuner = tune.Tuner(
            trainable,
            param_space={"packs": tune.sample_from(lambda _: next(order))},
            tune_config=tune.TuneConfig(
                num_samples=len(chunks),
                scheduler=InOrder(),
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
                max_concurrent_trials=workers if together else None,
            ),
            run_config=tune.RunConfig(
                storage_path=state,
                name=secrets.token_hex(4),
                verbose=0,
                callbacks=[watch, Silent()],
                failure_config=tune.FailureConfig(max_failures=-1),  # PackCallback counts, by packs
            ),
        )
        try:
            with patched():
                tuner.fit()
        except StorageGoneError as gone:
            raise gone.error from None
        except Exception:  # of Tune, whose calls fail one way or another when Ray dies
            time.sleep(LOOK_SECONDS)
            if what := lost(0.0):
                raise RayLostError(what) from None
            raise


def _bundle_of(resources: Resources) -> Any:
    """What a Ray trial asks the cluster for."""
    labels = [resources.labels] if resources.labels else None
    if resources.processes_per_pack > 1:
        return tune.PlacementGroupFactory([{"CPU": 0, "memory": COORDINATOR_BYTES}], bundle_label_selector=labels)
    bundle = {"CPU": resources.cpus_per_pack, "GPU": resources.gpus_per_pack}
    return tune.PlacementGroupFactory([bundle], bundle_label_selector=labels)
