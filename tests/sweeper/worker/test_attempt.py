"""What a worker reads before it trains."""

from run_support import stored_plan

from results.store.sweep_dir import SweepDir
from search_spaces.points import make_points
from sweeper.driver.planning import plan_for
from sweeper.worker.attempt import cached_plan
from trainables.profile import profiles_of


def test_a_worker_reads_the_plan_once_until_it_changes(tmp_path, small_grid):
    grid, directory = small_grid(), SweepDir(tmp_path / "small")
    points = make_points(grid)
    stored_plan(directory, grid, points, plan_for(grid, points, profiles_of(grid, points), workers=2))
    modified = directory.plan.stat().st_mtime_ns
    assert cached_plan(directory, modified) is cached_plan(directory, modified)
