"""Attempts at a pack of two points, one after the other, in a sweep directory that holds nothing else."""

import pytest

from results.store.attempts import claim
from results.store.files import write_text
from results.store.schema import table_schema
from results.store.sweep_dir import SweepDir
from search_spaces.cost import Cost
from search_spaces.plan import Pack
from search_spaces.points import make_points
from sweeper.worker.attempt import Attempt
from sweeper.worker.checkpoints import restart_of


@pytest.fixture
def make_attempt(tmp_path, small_grid):
    """Begins a new attempt at pack ``k1``; with the directory, and what the driver has heard."""
    directory, heard = SweepDir(tmp_path / "demo"), []
    write_text(directory.plan, "{}")

    def make(*changes):
        grid = small_grid("recovery.commit_seconds=0", "axes={eta: [0.1], lam: [0.01, 0.1]}", *changes)
        points, number = make_points(grid), claim(directory, "k1")
        restart = restart_of(directory, "k1")
        return Attempt(
            directory=directory,
            grid=grid,
            pack=Pack(id="k1", points=points, cost=Cost()),
            number=number,
            restart=restart,
            points_at_a_time=restart.checkpoint.together,
            schema=table_schema(points),
            other_axes={},
            device="cpu",
            workers=1,
            notify=heard.append,
        )

    make.directory, make.heard = directory, heard
    return make
