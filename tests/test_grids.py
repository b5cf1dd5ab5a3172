"""Every grid that comes with the project loads, plans, and says at its top what it is for."""

from pathlib import Path

import pytest

from search_spaces.load import load_grid
from search_spaces.points import make_points
from sweeper.run import plan_for, profiles_of

GRIDS = sorted((Path(__file__).parent.parent / "grids").glob("**/*.yaml"))


@pytest.mark.parametrize("path", GRIDS, ids=lambda p: p.stem)
def test_a_grid_of_the_project_plans(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "# Cost:" in text
    assert "# Expected:" in text
    grid = load_grid(text, str(path))
    points = make_points(grid)
    plan = plan_for(grid, points, profiles_of(grid, points), workers=2)
    assert sorted(p.id for p in plan.points) == sorted(p.id for p in points)


def test_the_default_grid_spans_what_the_law_needs():
    grid = load_grid(
        (Path(__file__).parent.parent / "grids/digits.yaml").read_text(encoding="utf-8"), "grids/digits.yaml"
    )
    points = make_points(grid)
    products = [p.eta * p.lam for p in points if p.lam > 0]
    assert len({(p.eta, p.lam) for p in points}) >= 24
    assert max(products) / min(products) > 10**2.5
    assert len({p.eta for p in points}) == 3
    assert 0 in {p.lam for p in points}
    assert (grid.trainable.model.depth, grid.trainable.data.train, grid.trainable.batch) == (3, 512, "full")
    assert {round(p.budget * p.eta * p.lam, 9) for p in points if p.lam > 0} == {2.0}
