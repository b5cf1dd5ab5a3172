"""Every grid that comes with the project loads, plans, and says at its top what it is for."""

from pathlib import Path

import pytest

from results.gallery.beyond import BEYOND
from search_spaces.points import make_points
from search_spaces.reading.load import load_grid
from search_spaces.sections.data import Digits
from search_spaces.sections.trainable import Trainable
from sweeper.cli.views.plan import ASSUMED_SPEED
from sweeper.driver.planning import plan_for
from trainables.profile import profiles_of

FOLDER = Path(__file__).parent.parent / "grids"
GRIDS = sorted(FOLDER.glob("**/*.yaml"))

# Points, shortest and longest budget in epochs, as SM A of the paper prints axes and budgets; figures whose axes it
# does not print (1a, 1c, S7, S8, SF) stand with ours.
PAPER = {
    "fig1a-fixed": (6, 200, 200),
    "fig1a-inverse": (6, 50, 2000),
    "fig1c-auto": (1, 200, 200),
    "fig1c-constants": (5, 200, 200),
    "fig2abc": (17 * 16, 2 / (50 * 100), 1e6 / 0.0025),
    "fig2def": (67, 0.1 / (1.6 * 0.016), 10_000),
    "fig3abc": (12, 0.01 / (0.01 * 2), 21_000),
    "fig3def": (12, 0.01 / (0.01 * 2), 0.01 / (0.01 * 5e-5)),
    "fig4": (8, 2000, 2000),
    "fig4a-probe": (1, 2, 2),
    "fig5c-network": (1, 100_000, 100_000),
    "fig5c-theory": (2, 100_000, 100_000),
    "figS10-auto": (1, 200, 200),
    "figS10-constant": (1, 200, 200),
    "figS5": (8 * 14, 1 / (0.3 * 100), 1e5 / 0.001),
    "figS7": (10, 2, 1000),
    "figS8a": (16, 91, 91),
    "figS8b": (7, 91, 91),
    "figSF": (2 * 5 * 5, 2 / 0.1, 2 / (0.15 * 1e-3)),
}


def load(path):
    return load_grid(path.read_text(encoding="utf-8"), str(path))


@pytest.mark.parametrize("path", GRIDS, ids=lambda p: p.stem)
def test_a_grid_of_the_project_loads_and_says_what_it_is_for(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "# Cost:" in text
    assert "# Expected:" in text
    assert max(map(len, text.splitlines())) <= 160
    assert make_points(load(path))


@pytest.mark.parametrize("path", GRIDS, ids=lambda p: p.stem)
def test_a_grid_whose_data_come_with_the_project_plans(path):
    grid = load(path)
    if not (isinstance(grid.trainable, Trainable) and isinstance(grid.trainable.data, Digits)):
        pytest.skip("needs images that are not in the repository")
    points = make_points(grid)
    plan = plan_for(grid, points, profiles_of(grid, points), workers=2)
    assert sorted(p.id for p in plan.points) == sorted(p.id for p in points)


@pytest.mark.parametrize("name", PAPER)
def test_points_and_budgets_are_the_papers(name):
    points = make_points(load(FOLDER / "paper" / f"{name}.yaml"))
    count, shortest, longest = PAPER[name]
    assert len(points) == count
    assert min(p.budget for p in points) == pytest.approx(shortest)
    assert max(p.budget for p in points) == pytest.approx(longest)


def test_every_grid_of_the_paper_is_in_the_table():
    assert {p.stem for p in (FOLDER / "paper").glob("*.yaml")} == set(PAPER)


def test_every_grid_of_the_paper_has_a_small_sibling_that_differs_in_size_alone():
    small = {p.stem: load(p) for p in (FOLDER / "small").glob("*.yaml")}
    beyond = {stem for exhibit in BEYOND.values() for stem in exhibit.grids}
    assert small.keys() == set(PAPER) | beyond
    for stem, grid in small.items():
        assert grid.name == f"small-{stem}"
        if stem in beyond:
            continue
        paper = load(FOLDER / "paper" / f"{stem}.yaml")
        assert type(grid.trainable) is type(paper.trainable)
        assert (grid.optimizer.name, grid.schedule.name, grid.budget.rule) == (
            paper.optimizer.name,
            paper.schedule.name,
            paper.budget.rule,
        )
        assert (grid.l2.auto is None) == (paper.l2.auto is None)
        assert grid.axes.keys() - {"seed"} == paper.axes.keys() - {"seed"}
        assert (0 in grid.axes["lam"]) == (0 in paper.axes["lam"])


@pytest.mark.parametrize("path", sorted((FOLDER / "small").glob("*.yaml")), ids=lambda p: p.stem)
def test_a_small_grid_takes_minutes_on_two_cores(path):
    grid = load(path)
    points = make_points(grid)
    plan = plan_for(grid, points, profiles_of(grid, points, only_plan=True), workers=2)
    assert plan.makespan / ASSUMED_SPEED["cpu"] < 450  # seconds; to decide its claims, the wide ResNet takes 420


def test_the_wrn_grid_keeps_points_of_up_to_4000_epochs_and_one_of_8000():
    points = make_points(load(FOLDER / "wrn.yaml"))
    budgets = {(p.eta, p.lam): p.budget for p in points}
    assert budgets[0.2, 6.25e-5] == 8000
    assert {budgets[eta, 0.0] for eta in (0.0125, 1.6)} == {10_000}
    rest = {cell: t for cell, t in budgets.items() if cell != (0.2, 6.25e-5) and cell[1] > 0}
    assert max(rest.values()) <= 4000 * (1 + 1e-9)
    assert all(t == pytest.approx(0.1 / (eta * lam)) for (eta, lam), t in rest.items())


def test_the_default_grid_spans_what_the_law_needs():
    grid = load(FOLDER / "digits.yaml")
    points = make_points(grid)
    products = [p.eta * p.lam for p in points if p.lam > 0]
    assert len({(p.eta, p.lam) for p in points}) >= 21
    assert max(products) / min(products) > 10**1.75
    assert len({p.eta for p in points}) == 3
    assert 0 in {p.lam for p in points}
    assert (grid.trainable.model.depth, grid.trainable.data.train, grid.trainable.batch) == (2, 128, "full")
    assert {round(p.budget * p.eta * p.lam, 9) for p in points if p.lam > 0} == {2.5}
