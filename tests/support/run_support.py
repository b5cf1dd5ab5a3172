"""The steps of a run, one by one, and a backend that is interrupted."""

import io

from rich.console import Console

from results.store.state import read_state
from search_spaces.points import make_points
from sweeper.backends.inprocess import InProcessBackend
from sweeper.cli.output import show
from sweeper.cli.views.plan import PlanView
from sweeper.driver.estimate import estimate_run
from sweeper.driver.planning import continued_plan, store_plan
from sweeper.driver.spec import RunSpec
from sweeper.health.recovery import prepare_for_run
from trainables.profile import profiles_of


def stored_plan(directory, grid, points, plan):
    """Write grid and plan, as a run does before it trains."""
    spec = RunSpec(grid=grid, points=points, profiles=profiles_of(grid, points))
    store_plan(spec, read_state(directory), plan)


def repaired(directory, grid, console=None):
    """Repair a sweep for a run of ``grid``; its state afterwards."""
    console = console or Console(file=io.StringIO())
    return prepare_for_run(read_state(directory), grid, make_points(grid), console)


def next_plan(directory, grid, backend, console=None):
    """Repair a sweep, then plan and store what it lacks; None if that is nothing."""
    points, state = make_points(grid), repaired(directory, grid, console)
    if not state.missing(points):
        return None
    spec = RunSpec(grid=grid, points=points, profiles=profiles_of(grid, points))
    plan = continued_plan(spec, state, backend.request_capacity(grid.resources)())
    store_plan(spec, state, plan)
    return plan


def show_plan(grid, console, cluster=None):
    """Print what ``sweeper plan`` prints."""
    show(PlanView(estimate_run(grid, cluster=cluster), on_cluster=cluster is not None), console=console)


class InterruptedBackend(InProcessBackend):
    """Stops after the first pack, as a user's Ctrl-C would between two packs."""

    def run(self, directory, plan, grid, notify):
        def count(progress):
            notify(progress)
            if progress.left:
                raise KeyboardInterrupt

        super().run(directory, plan, grid, count)
