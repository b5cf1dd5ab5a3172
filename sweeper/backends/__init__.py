"""Backends: where the packs of a plan run.

One protocol, ``Backend``, has an implementation in this process (``inprocess``) and one on Ray Tune (``ray``). Beside
them stand what a machine can hold (``capacity``) and how fast it trains (``pace``). A backend knows packs and workers;
it never looks at rows, verdicts or MLflow. Ray is imported in ``ray`` alone.
"""

from collections.abc import Callable
from typing import Protocol

from results.store.sweep_dir import SweepDir
from search_spaces.plan import Plan
from search_spaces.sections.grid import Grid, Resources
from sweeper.backends.capacity import Capacity
from sweeper.worker.messages import Notify


class Backend(Protocol):
    """A place where the packs of a plan are trained.

    **Order.** A backend starts packs in the order of the plan. A worker takes one chunk at a time, and the packs of a
    chunk one after the other. A pack that is tried again may start before packs that have waited for longer.

    **Retries.** A backend calls ``run_pack`` once for each pack. It calls it again after a worker died or hung, as
    often as ``recovery.retries`` says, and then gives the pack up in the store. A pack that storage refused is given up
    at once, because its worker has waited already. An error of a point's own code is an outcome and is not tried again.

    **Stopping.** ``run`` returns when no pack is left to train, or when the sweep is to stop and the workers have
    committed. It may raise ``KeyboardInterrupt`` instead. What was committed until then stays, and the next run
    continues from it.

    **Ownership.** All results are in the sweep directory. A backend reads from it which points have ended, and never
    reads rows. It passes each report of a worker to ``notify``, in this process. It owns its workers and what it
    started for them until ``close``. One backend serves one ``run`` at a time.

    Attributes:
        name: what ``--backend`` calls it.
        grace_seconds: time that workers have to commit and leave after they were asked to stop; infinity for no limit.
    """

    name: str
    grace_seconds: float

    def request_capacity(self, resources: Resources) -> Callable[[], Capacity]:
        """Ask for the capacity for packs of ``resources`` without waiting for the answer.

        Returns:
            A function that waits for the answer and returns it.

        Raises:
            InputError: no worker of the machine or cluster can give a pack what it asks for. The function that is
                returned raises it too.
        """
        ...

    def run(self, directory: SweepDir, plan: Plan, grid: Grid, notify: Notify) -> None:
        """Train all packs of ``plan`` with the resources and limits of ``grid``.

        Args:
            directory: the sweep directory, which holds the plan already.
            plan: the packs to train.
            grid: the grid of the sweep.
            notify: receives the reports of the workers.

        Raises:
            InputError: the backend was lost and cannot be started again.
            KeyboardInterrupt: the run was stopped; what was committed until then stays.
        """
        ...

    def close(self) -> None:
        """Release what the backend holds."""
        ...
