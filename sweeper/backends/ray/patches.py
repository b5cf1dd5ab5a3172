"""What is changed in Tune while it runs packs: what it writes, what it dies of, its order, its words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.air._internal import usage
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler


@contextmanager
def patched_tune() -> Iterator[None]:
    """While the block runs, Tune is without three habits.

    It writes its own state only once, since it looks for the file in the end, not every ten seconds with 11 KB of every
    trial that there ever was. It does not count callbacks for statistics that are off, importing mlflow for that. And a
    worker that Ray kills since its machine runs out of memory has died, like any other: Tune knows of errors of actors
    and of tasks alone, and ended with a traceback.
    """
    checkpoint, tag_callbacks, failed = (
        TuneController.checkpoint,
        usage.tag_callbacks,
        RayActorManager._actor_task_failed,
    )

    def at_first(controller: Any, **_: Any) -> None:
        if controller._iteration == 0:
            checkpoint(controller, wait=True)

    def as_death(manager: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, RayError) and not isinstance(exception, RayActorError | RayTaskError):
            exception = RayActorError(error_msg=f"{type(exception).__name__}: {exception}")
        failed(manager, tracked_actor_task, exception)

    TuneController.checkpoint, usage.tag_callbacks = at_first, lambda _: False
    RayActorManager._actor_task_failed = as_death
    try:
        yield
    finally:
        TuneController.checkpoint, usage.tag_callbacks = checkpoint, tag_callbacks
        RayActorManager._actor_task_failed = failed


class PlanOrderScheduler(FIFOScheduler):  # type: ignore[misc]
    """Of the packs that wait the first of the plan, one that is tried again among them.

    Tune gives it the next worker that is done with another pack, and stops the worker that was being started for it. So
    where packs end more often than a worker takes to start, one that was lost was never replaced, and nodes that
    joined stayed idle. Hence packs whose worker is being started come last. Tune's own scheduler also looks through
    every trial there ever was, at each of some five events a pack.
    """

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Called by Tune when a worker is free."""
        workers, manager = tune_controller._trial_to_actor, tune_controller._actor_manager
        waiting = [trial for trial in tune_controller.get_live_trials() if trial.status == Trial.PENDING]
        left = [t for t in waiting if t not in workers or not manager.is_actor_started(workers[t])]
        return min(left or waiting, key=lambda trial: int(trial.trial_id.rpartition("_")[2]), default=None)


class SilentReporter(TrialProgressCallback):  # type: ignore[misc]
    """In place of Tune's own, which on an interrupt prints of every trial that it was completed."""

    def on_trial_result(self, *_: Any, **__: Any) -> None:
        """Silence."""

    def on_trial_error(self, *_: Any, **__: Any) -> None:
        """Silence."""

    def on_trial_complete(self, *_: Any, **__: Any) -> None:
        """Silence."""
