"""All packs in this process, one after the other: for a debugger, and for machines without Ray."""

from results.store import SweepDir
from search_spaces.grid import Resources
from search_spaces.plan import Plan
from sweeper.events import Notify
from sweeper.worker import run_pack


class InProcessBackend:
    """See ``Backend``."""

    name = "inprocess"

    def workers(self, resources: Resources) -> int:
        """One: this process."""
        return 1

    def run(self, directory: SweepDir, plan: Plan, resources: Resources, notify: Notify) -> None:
        """Train all packs of ``plan`` in its order."""
        for pack in plan.packs:
            run_pack(str(directory.root), pack.id, notify, threads=max(1, int(resources.cpus_per_pack)))

    def close(self) -> None:
        """Nothing is held."""
