"""Time of a plan: a second of real training, and what is shown where that is impossible."""

from types import SimpleNamespace

import pytest
from rich.console import Console
from run_support import show_plan
from typer.testing import CliRunner

from search_spaces.points import make_points
from search_spaces.reading.load import load_grid
from sweeper.backends.pace import Pace, expected_seconds, measure_pace
from sweeper.cli.app import app
from sweeper.driver.planning import plan_for
from trainables.pack.training import PackTraining
from trainables.profile import profiles_of


def planned(grid, workers=1):
    points = make_points(grid)
    return plan_for(grid, points, profiles_of(grid, points), workers)


STEP, MEASUREMENT, WARM_UP = 0.011, 0.040, 30.0  # seconds


@pytest.fixture
def clock(monkeypatch):
    """A clock that only training moves: its first step takes half a minute, as a compiler may."""
    clock, step, evaluate = SimpleNamespace(seconds=0.0), PackTraining.step, PackTraining.evaluate

    def timed_step(self, *arguments):
        clock.seconds += STEP + (WARM_UP if self._step == 0 else 0.0)
        return step(self, *arguments)

    def timed_evaluate(self, *arguments):
        clock.seconds += MEASUREMENT
        return evaluate(self, *arguments)

    monkeypatch.setattr(PackTraining, "step", timed_step)
    monkeypatch.setattr(PackTraining, "evaluate", timed_evaluate)
    monkeypatch.setattr("sweeper.backends.pace.time", SimpleNamespace(perf_counter=lambda: clock.seconds))


SCHEDULES = {
    "log-spaced measurements fill the first seconds": ("measure={log: 60}", "budget={rule: fixed, constant: 5000}"),
    "every step is measured": ("trainable.batch=full", "measure={every: epoch}"),
    "no step of the first seconds is measured": (
        "measure={every: {steps: 100000}}",
        "budget={rule: fixed, constant: 1e5}",
    ),
    "the budget is one step": ("trainable.batch=full", "budget={rule: fixed, constant: 1}"),
    "points diverge at once": ("axes={eta: [1e30], lam: [0.1, 1]}",),
    "points stop early": ("stop=peaked", "budget={rule: predicted, max: 4000}"),
    "the rate falls": ("schedule={name: cosine, warmup: 0.1}", "measure={log: 60}"),
    "AutoL2 looks at the batch": ("l2={auto: {every: 5}}", "measure={log: 60}", "axes.lam=[0.1]"),
    "another optimizer": ("optimizer={name: adamw}", "measure={log: 1000}"),
    "packs of one": ("resources.pack=1", "measure={log: 60}", "axes.seed=[0, 1]"),
    "micro-batches": ("trainable.batch=32", "trainable.micro_batch=8", "measure={log: 60}"),
}


@pytest.mark.parametrize("changes", SCHEDULES.values(), ids=SCHEDULES)
def test_steps_and_measurements_are_timed_apart_whatever_the_schedule(small_grid, clock, changes):
    grid = small_grid(*changes)
    pace = measure_pace(grid, planned(grid).packs[0])
    assert (pace.step, pace.measurement) == pytest.approx((STEP, MEASUREMENT))


def test_a_measurement_too_large_to_try_is_told_by_its_work(small_grid, clock, monkeypatch):
    monkeypatch.setattr("sweeper.backends.pace.MAX_MEASUREMENT_FLOPS", 0.0)
    grid = small_grid("measure={log: 60}")
    pack = planned(grid).packs[0]
    per_step, per_measurement = pack.cost.training_flops / pack.cost.steps, pack.cost.measuring_flops
    pace = measure_pace(grid, pack)
    assert pace.step == pytest.approx(STEP)
    assert pace.measurement == pytest.approx(STEP * per_measurement / pack.cost.measurements / per_step)


def test_a_plan_says_both_times(small_grid, clock, capsys):
    show_plan(small_grid("measure={log: 60}"), Console(width=200))
    assert "(11 ms a step, 40 ms a measurement of a pack of 3, seen here)" in capsys.readouterr().out


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
