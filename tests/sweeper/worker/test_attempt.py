"""What a worker reads before it trains."""

from contextlib import suppress

from crash_support import Killed, assert_sound, dying, packs_of, train
from run_support import stored_plan

from results.store.parts import valid_parts_in
from results.store.plan_file import read_plan
from results.store.sweep_dir import SweepDir
from search_spaces.points import make_points
from sweeper.driver.planning import plan_for
from sweeper.worker.attempt import cached_plan
from sweeper.worker.run_pack import run_pack
from trainables.profile import profiles_of


def test_a_worker_reads_the_plan_once_until_it_changes(tmp_path, small_grid):
    grid, directory = small_grid(), SweepDir(tmp_path / "small")
    points = make_points(grid)
    stored_plan(directory, grid, points, plan_for(grid, points, profiles_of(grid, points), workers=2))
    modified = directory.plan.stat().st_mtime_ns
    assert cached_plan(directory, modified) is cached_plan(directory, modified)


def test_a_worker_that_begins_when_its_pack_is_planned_no_more_leaves(tmp_path):
    directory = SweepDir(tmp_path / "faults")
    with dying(directory, 3), suppress(Killed):  # planned, not begun
        train(packs_of(4), tmp_path)
    (pack,) = read_plan(directory).packs
    directory.plan.unlink()
    with dying(directory):
        train(packs_of(2), tmp_path)
    before = {name.file for name in valid_parts_in(directory)}
    run_pack(str(directory.root), pack.id, lambda progress: None)
    assert {name.file for name in valid_parts_in(directory)} == before
    assert_sound(directory, 4)
