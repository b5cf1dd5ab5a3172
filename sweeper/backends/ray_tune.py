"""Packs as trials of Ray Tune. The only file that imports ray.

A Ray trial's config is a pack id; the worker finds the rest in the sweep directory. Rows never pass through Ray: the
driver gets a summary a second. Ray's own experiment state is thrown away: what is done stands in the store.
"""

import logging
import os
import secrets
import shutil
from typing import Any

# Read by Ray when it is imported or started, so they must be set before. What the user has set stays.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # despite its name the switch that keeps every listener on 127.0.0.1
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Tune's own lets fit() return as if all were done
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # CSV, JSON and TensorBoard copies of each result: half the cost of one
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray._private import worker as ray_worker  # noqa: E402

from results.store import SweepDir, write_text  # noqa: E402
from search_spaces.errors import InputError  # noqa: E402
from search_spaces.grid import Resources  # noqa: E402
from search_spaces.plan import Plan  # noqa: E402
from sweeper.backends import available_cpus  # noqa: E402
from sweeper.events import Notify, Progress  # noqa: E402
from sweeper.worker import run_pack  # noqa: E402

MAX_RETRIES = 3  # of a pack whose worker or node died; errors of the pack's own code never reach Ray


class RayBackend:
    """See ``Backend``."""

    name = "ray"

    def __init__(self, address: str = "local") -> None:
        """Start a Ray of our own on loopback, or join the cluster at ``address``.

        Raises:
            InputError: no cluster answers at ``address``.
        """
        for logger in ("ray", "ray.tune", "ray.train"):
            logging.getLogger(logger).setLevel(logging.CRITICAL)
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
        if address == "local":
            options |= {"include_dashboard": False, "num_cpus": available_cpus()}
        # Ray has no public switch for "(raylet) A worker died …", printed on stdout whatever log_to_driver says;
        # the pack is tried again, and a pack that stays unfinished is in the account.
        ray_worker._worker_logs_enabled = False
        try:
            ray.init(address=address, **options)
        except ConnectionError as error:
            raise InputError(
                f"--address {address}: no Ray cluster answers there ({error}). Start one with 'ray start --head', or "
                "leave --address out to use this machine."
            ) from None

    def workers(self, resources: Resources) -> int:
        """As many packs as the CPUs and GPUs of the cluster can hold, node by node."""
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        count = sum(_fits(node, resources) for node in alive)
        if not count:
            offers = "; ".join(f"{n.get('CPU', 0):g} CPUs, {n.get('GPU', 0):g} GPUs" for n in alive)
            raise InputError(
                f"resources: a pack asks for {resources.cpus_per_pack:g} CPUs and {resources.gpus_per_pack:g} GPUs, "
                f"but no node has them (nodes: {offers}). Lower cpus_per_pack or gpus_per_pack."
            )
        return count

    def run(self, directory: SweepDir, plan: Plan, resources: Resources, notify: Notify) -> None:
        """Train all packs of ``plan`` as Ray trials, in its order."""
        # Only so many wait: with Ray's default of 200 pending trials reused actors pick them in any order.
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(plan.workers + 1)
        trainable = tune.with_resources(
            tune.with_parameters(_train_pack, root=str(directory.root), threads=max(1, int(resources.cpus_per_pack))),
            {"cpu": resources.cpus_per_pack, "gpu": resources.gpus_per_pack},
        )
        state = directory.root / ".ray"
        tuner = tune.Tuner(
            trainable,
            param_space={"pack": tune.grid_search([pack.id for pack in plan.packs])},
            tune_config=tune.TuneConfig(reuse_actors=True, trial_dirname_creator=lambda trial: trial.trial_id),
            run_config=tune.RunConfig(
                storage_path=str(state),
                name=secrets.token_hex(4),
                verbose=0,
                callbacks=[_Forward(notify)],
                failure_config=tune.FailureConfig(max_failures=MAX_RETRIES),
            ),
        )
        try:
            for result in tuner.fit():
                if result.error is not None:  # its worker or node died once more than it is tried again
                    pack = (result.config or {}).get("pack", "worker")  # none if it died before its first summary
                    write_text(directory.logs / f"{pack}.txt", str(result.error))
        finally:
            shutil.rmtree(state, ignore_errors=True)

    def close(self) -> None:
        """Stop the Ray that this process started, or leave the cluster."""
        ray.shutdown()


def _fits(node: dict[str, float], resources: Resources) -> int:
    counts = [int(node.get("CPU", 0) / resources.cpus_per_pack)]
    if resources.gpus_per_pack:
        per_gpu = int(1 / resources.gpus_per_pack) if resources.gpus_per_pack < 1 else 1 / resources.gpus_per_pack
        counts.append(int(node.get("GPU", 0) * per_gpu))
    return min(counts)


def _train_pack(config: dict[str, Any], root: str, threads: int) -> None:
    """The Ray trial of one pack."""
    run_pack(root, config["pack"], lambda progress: tune.report({"progress": progress}), threads)


class _Forward(tune.Callback):  # type: ignore[misc]
    """Hands summaries to the driver's display. Ray pickles its callbacks; what this one calls stays out of that."""

    def __init__(self, notify: Notify | None) -> None:
        self._notify = notify

    def __getstate__(self) -> dict[str, None]:
        return {"_notify": None}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        progress = result.get("progress")
        if self._notify and isinstance(progress, Progress):
            self._notify(progress)
