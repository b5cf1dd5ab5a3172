"""Where packs run: one interface, an implementation in this process and one on Ray Tune."""

from typing import Protocol

from results.store import SweepDir
from search_spaces.grid import Grid, Resources
from search_spaces.plan import Plan
from sweeper.capacity import Capacity
from sweeper.events import Notify


class Backend(Protocol):
    """Runs the packs of a plan.

    A backend starts packs in the order of the plan, calls ``run_pack`` once for each (again after a worker died, so
    often as ``recovery.retries`` says, then it gives the pack up), and returns when none is left or the run is to stop.
    It never looks at rows: what is done stands in the store.
    """

    name: str

    def capacity(self, resources: Resources) -> Capacity:
        """What there is for packs of ``resources``.

        Raises:
            InputError: no worker of the machine or cluster can give a pack what it asks for.
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
