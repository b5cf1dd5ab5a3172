"""Changes to Ray Tune while it runs packs: its own state, its errors, its order, its output."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.air._internal import usage
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.tune.execution import class_cache
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler

_CHANGED = (
    (class_cache, "ENV_VARS_TO_PROPAGATE"),
    (TuneController, "checkpoint"),
    (usage, "tag_callbacks"),
    (RayActorManager, "_actor_task_failed"),
)
for _owner, _name in _CHANGED:  # to set a name that Ray has no more would change nothing, and say nothing
    if not hasattr(_owner, _name):
        raise ImportError(f"{_owner.__name__} has no {_name}", name=f"{_owner.__name__}.{_name}")


@contextmanager
def patched_tune() -> Iterator[None]:
    """Change four habits of Tune while the block runs.

    - Tune writes its own state only once, because it looks for the file in the end. By default it does so every ten
      seconds, with 11 KB of every trial that there ever was.
    - Tune does not copy the keys of S3 to its workers, for Ray logs what it copies. Workers have an environment of
      their own, on this machine that of this process.
    - Tune does not count callbacks for statistics that are off; it would import mlflow for that.
    - A worker that Ray kills because its machine runs out of memory counts as dead, like any other. Tune knows errors
      of actors and of tasks alone, and ended with a traceback.
    """
    copied = class_cache.ENV_VARS_TO_PROPAGATE
    checkpoint, tag_callbacks, actor_task_failed = (
        TuneController.checkpoint,
        usage.tag_callbacks,
        RayActorManager._actor_task_failed,
    )

    def checkpoint_once(controller: Any, **_: Any) -> None:
        if controller._iteration == 0:
            checkpoint(controller, wait=True)

    def fail_as_actor(manager: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, RayError) and not isinstance(exception, RayActorError | RayTaskError):
            exception = RayActorError(error_msg=f"{type(exception).__name__}: {exception}")
        actor_task_failed(manager, tracked_actor_task, exception)

    TuneController.checkpoint, usage.tag_callbacks = checkpoint_once, lambda _: False
    RayActorManager._actor_task_failed = fail_as_actor
    class_cache.ENV_VARS_TO_PROPAGATE = {name for name in copied if not name.startswith("AWS_")}
    try:
        yield
    finally:
        TuneController.checkpoint, usage.tag_callbacks = checkpoint, tag_callbacks
        RayActorManager._actor_task_failed = actor_task_failed
        class_cache.ENV_VARS_TO_PROPAGATE = copied


class PlanOrderScheduler(FIFOScheduler):  # type: ignore[misc]
    """Scheduler that starts waiting chunks in the order of the plan, those that are tried again included.

    Tune gives a chunk the next worker that is done with another one, and stops the worker that was being started for
    it. So where chunks end more often than a worker takes to start, a lost worker was never replaced, and nodes that
    joined stayed idle. Hence chunks whose worker is being started come last.

    Tune's own scheduler also looks through every trial there ever was, at each of some five events a trial.
    """

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Return the trial for a free worker, or None if no trial waits. Tune calls it when a worker is free."""
        workers, manager = tune_controller._trial_to_actor, tune_controller._actor_manager
        waiting = [trial for trial in tune_controller.get_live_trials() if trial.status == Trial.PENDING]
        unassigned = [t for t in waiting if t not in workers or not manager.is_actor_started(workers[t])]
        return min(unassigned or waiting, key=lambda trial: int(trial.trial_id.rpartition("_")[2]), default=None)


class SilentReporter(TrialProgressCallback):  # type: ignore[misc]
    """Progress reporter that prints nothing. On an interrupt, Tune's own calls every trial completed."""

    def on_trial_result(self, *_: Any, **__: Any) -> None:
        """Print nothing."""

    def on_trial_error(self, *_: Any, **__: Any) -> None:
        """Print nothing."""

    def on_trial_complete(self, *_: Any, **__: Any) -> None:
        """Print nothing."""
