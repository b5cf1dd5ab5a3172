"""Where packs run: one interface, an implementation in this process and one on Ray Tune."""

from collections.abc import Callable
from typing import Protocol

from results.store.sweep_dir import SweepDir
from search_spaces.plan import Plan
from search_spaces.sections.grid import Grid, Resources
from sweeper.backends.capacity import Capacity
from sweeper.worker.messages import Notify


class Backend(Protocol):
    """Runs the packs of a plan.

    A backend starts packs in the order of the plan, calls ``run_pack`` once for each (again after a worker died, so
    often as ``recovery.retries`` says, then it gives the pack up), and returns when none is left or the run is to stop.
    It never looks at rows: what is done stands in the store.
    """

    name: str

    def request_capacity(self, resources: Resources) -> Callable[[], Capacity]:
        """Ask what there is for packs of ``resources``; calling what is returned waits for the answer.

        Raises:
            InputError: no worker of the machine or cluster can give a pack what it asks for. The answer raises it too.
        """
        ...

    def run(self, directory: SweepDir, plan: Plan, grid: Grid, notify: Notify) -> None:
        """Train all packs of ``plan`` with the resources and limits of ``grid``.

        Raises:
            KeyboardInterrupt: stopped at once; what was committed until then stays.
        """
        ...

    def close(self) -> None:
        """Give back what the backend holds."""
        ...
