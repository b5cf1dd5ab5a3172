"""Time of a plan: a second of real training, and what is shown where that is impossible."""

import pytest
from typer.testing import CliRunner

from search_spaces.points import make_points
from search_spaces.reading.load import load_grid
from sweeper.backends.pace import Pace, expected_seconds, measure_pace
from sweeper.cli.app import app
from sweeper.driver.planning import plan_for
from trainables.profile import profiles_of


def planned(grid, workers=1):
    points = make_points(grid)
    return plan_for(grid, points, profiles_of(grid, points), workers)


def test_a_pack_shows_its_steps_and_its_measurements_apart(small_grid):
    grid = small_grid("budget={rule: fixed, constant: 4000}")
    pace = measure_pace(grid, planned(grid).packs[0])
    assert 0 < pace.step < 1
    assert 0 < pace.measurement < 1


def test_where_every_step_is_measured_a_measurement_is_all_that_is_seen(small_grid):
    grid = small_grid("trainable.batch=full", "measure={every: epoch}", "budget={rule: fixed, constant: 400}")
    pace = measure_pace(grid, planned(grid).packs[0])
    assert pace.step == 0
    assert pace.measurement > 0


def test_the_time_of_a_plan_is_its_steps_and_measurements_over_its_workers(small_grid):
    grid = small_grid("resources.pack=1", "axes={eta: [0.1], lam: [0.1], seed: [0, 1, 2, 3]}")
    pace = Pace(step=0.5, measurement=2.0)
    plan = planned(grid)
    seconds = expected_seconds(plan, plan.packs[0], pace)
    assert seconds == pytest.approx(0.5 * plan.cost.steps + 2.0 * plan.cost.measurements)
    two = planned(grid, workers=2)
    assert expected_seconds(two, two.packs[0], pace) == pytest.approx(seconds / 2)


def test_the_longest_point_takes_its_time_however_many_workers_there_are(small_grid):
    grid = small_grid(
        "resources.pack=1", "budget={rule: fixed, constant: 10, exceptions: [{eta: 0.1, lam: 0.1, epochs: 1000}]}"
    )
    plan = planned(grid, workers=64)
    longest = max(pack.cost.steps for pack in plan.packs)
    assert longest / 2 < expected_seconds(plan, plan.packs[0], Pace(step=1.0, measurement=0.0)) <= longest


@pytest.mark.parametrize(
    "change",
    ["resources.gpus_per_pack=1", "trainable.model={name: fc, width: 30000, depth: 3}"],
    ids=["a device that is not here", "steps that take too long to try"],
)
def test_what_cannot_be_tried_here_is_not(small_grid, change):
    grid = small_grid(change)
    if grid.resources.gpus_per_pack:
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("there is a GPU")
    assert measure_pace(grid, planned(grid).packs[0]) is None


def test_a_published_set_that_is_not_here_is_planned_as_published(tmp_path):
    file = tmp_path / "far.yaml"
    file.write_text(
        f"""
name: far
trainable:
  model: {{name: fc, width: 16, depth: 1}}
  data: {{name: cifar10, root: {tmp_path}, test: 5000}}
  batch: 100
axes: {{eta: [0.1], lam: [0.1]}}
budget: {{rule: fixed, constant: 3}}
"""
    )
    done = CliRunner().invoke(app, ["plan", str(file)], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert "50,000 training and 5,000 test samples" in done.stdout
    assert "1,500" in done.stdout  # steps
    assert "planned with the sizes as published: trainable.data.root" in done.stdout
    more = load_grid(file.read_text(), "far.yaml", ["trainable.data.test=10001"])
    with pytest.raises(Exception, match="10,000 test images"):
        profiles_of(more, make_points(more), only_plan=True)
    assert CliRunner().invoke(app, ["run", str(file), "--out", str(tmp_path / "runs")]).exception
    assert not (tmp_path / "runs").exists()


def test_the_version_is_told():
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert done.stdout.startswith("sweeper 0.")
