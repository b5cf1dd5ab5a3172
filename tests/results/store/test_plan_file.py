import json

import pytest
from run_support import stored_plan

from results.store.attempts import claim
from results.store.plan_file import read_grid, read_plan
from search_spaces.errors import InputError
from search_spaces.points import make_points
from sweeper.driver.planning import plan_for
from trainables.profile import profiles_of


@pytest.fixture
def prepared(tmp_path, small_grid):
    """A prepared directory, its grid and its plan."""
    from results.store.sweep_dir import SweepDir

    def make(*changes):
        grid, directory = small_grid(*changes), SweepDir(tmp_path / "small")
        points = make_points(grid)
        plan = plan_for(grid, points, profiles_of(grid, points), workers=2)
        stored_plan(directory, grid, points, plan)
        return directory, grid, plan

    return make


def test_plan_and_grid_come_back_as_they_were_written(prepared):
    directory, grid, plan = prepared(
        "axes={eta: [0.1], lam: [0, 0.1], model.width: [8, 16], loss.scale: [mean, paper]}"
    )
    file = read_plan(directory)
    assert file.packs == plan.packs
    assert set(file.points.values()) == set(plan.points)
    assert read_grid(directory) == grid


def test_points_and_creation_time_of_earlier_runs_are_kept(prepared):
    directory, _, first = prepared()
    created = read_plan(directory).created
    prepared("axes.eta=[1.0]")
    file = read_plan(directory)
    assert file.created == created
    assert {p.eta for p in file.points.values()} == {0.1, 0.3, 1.0}
    assert {p.id for p in first.points} < file.points.keys()


def test_the_plan_says_which_packs_had_begun(prepared):
    directory, _, plan = prepared("resources.pack=1")
    assert read_plan(directory).begun == set()
    first = plan.packs[0].id
    claim(directory, first)
    prepared("resources.pack=1")
    assert read_plan(directory).begun == {first}
    data = json.loads(directory.plan.read_text())
    del data["begun"]  # as an earlier version wrote it
    directory.plan.write_text(json.dumps(data))
    assert read_plan(directory).begun == {pack.id for pack in plan.packs}


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"created": "x", "points": [{}], "packs": []}', "null"])
def test_a_damaged_plan_is_refused(prepared, content):
    directory, _, _ = prepared()
    directory.plan.write_text(content)
    with pytest.raises(InputError, match=r"plan.json: damaged \(.*\). Run the same 'sweeper run' again"):
        read_plan(directory)


def test_the_plan_says_on_how_many_samples_the_sweep_trains(prepared):
    directory, _, _ = prepared()
    assert read_plan(directory).samples == (64, 1733)
    data = json.loads(directory.plan.read_text())
    del data["samples"]  # as an earlier version wrote it
    directory.plan.write_text(json.dumps(data))
    assert read_plan(directory).samples is None
    directory.plan.write_text(json.dumps(data | {"samples": [64, "many"]}))
    with pytest.raises(InputError, match="samples is"):
        read_plan(directory)


def test_an_unknown_point_in_a_pack_is_damage(prepared):
    directory, _, _ = prepared()
    data = json.loads(directory.plan.read_text())
    data["packs"][0]["points"].append("absent")
    directory.plan.write_text(json.dumps(data))
    with pytest.raises(InputError, match="damaged"):
        read_plan(directory)
