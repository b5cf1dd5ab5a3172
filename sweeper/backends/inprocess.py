"""All packs in this process, one after the other: for a debugger, and for machines without Ray."""

import torch

from results.store import SweepDir
from search_spaces.errors import InputError
from search_spaces.grid import Resources
from search_spaces.plan import Plan
from sweeper.events import Notify
from sweeper.worker import run_pack


class InProcessBackend:
    """See ``Backend``."""

    name = "inprocess"

    def workers(self, resources: Resources) -> int:
        """One: this process.

        Raises:
            InputError: a pack asks for a GPU, and torch finds none.
        """
        if resources.gpus_per_pack > 0 and not torch.cuda.is_available():
            raise InputError(
                f"resources.gpus_per_pack: {resources.gpus_per_pack:g} is asked for, but torch finds no GPU here; "
                "set it to 0 to train on the CPU."
            )
        return 1

    def run(self, directory: SweepDir, plan: Plan, resources: Resources, notify: Notify) -> None:
        """Train all packs of ``plan`` in its order."""
        for pack in plan.packs:
            run_pack(str(directory.root), pack.id, notify, threads=max(1, int(resources.cpus_per_pack)))

    def close(self) -> None:
        """Nothing is held."""
