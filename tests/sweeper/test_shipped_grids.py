"""The grids that ship with sweeper, by name."""

from pathlib import Path

from sweeper.shipped_grids import shipped_file, shipped_grids, shipped_names

GRIDS = Path(__file__).parents[2] / "grids"


def test_the_grids_of_the_repository_ship_each_with_its_question_and_cost():
    grids = list(shipped_grids())
    assert {GRIDS / f"{grid.name}.yaml" for grid in grids} == set(GRIDS.rglob("*.yaml"))
    assert [grid.name for grid in grids][:2] == ["digits", "wrn"]
    assert sorted(grid.name for grid in grids) == shipped_names()
    for grid in grids:
        assert len(grid.question.split()) > 4, grid.name
        assert len(grid.cost.split()) > 2, grid.name
    by_name = {grid.name: grid for grid in grids}
    assert by_name["digits"].question == "Does the time to the best test accuracy scale as t* = c/(eta lam)?"
    assert by_name["digits"].cost == "615,000 steps, a minute on 2 CPU cores."
    assert by_name["wrn"].cost.endswith("31 days of one GPU at 1e14 FLOP/s.")


def test_a_grid_is_found_by_its_name_alone():
    assert shipped_file("small/fig4").read_bytes() == (GRIDS / "small/fig4.yaml").read_bytes()
    for name in ("fig4", "digits.yaml", "grids/digits", "../grids/digits", "", "/etc/passwd"):
        assert shipped_file(name) is None
