"""Grids that are refused because they would alter the points of a sweep."""

import pytest
from faults_support import Sweep

from search_spaces.errors import InputError


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("optimizer={name: sgd, mu: 0.9}", "optimizer.mu: 0.0 → 0.9"),
        ("measure={every: epoch}", "measure.every: null → epoch"),
        ("trainable.loss={name: softmax, scale: paper}", "trainable.loss.scale: mean → paper"),
        ("budget.max=30", "budget of eta 0.1, lam 0: 60 → 30 epochs"),
    ],
)
def test_changes_that_would_alter_points_are_refused(sweep, small_grid, change, line):
    _, directory = sweep(small_grid())
    before = {p: p.stat().st_mtime_ns for p in directory.root.rglob("*")}
    with pytest.raises(InputError, match="this sweep was made with another grid") as refusal:
        sweep(small_grid(change))
    assert line in str(refusal.value)
    assert {p: p.stat().st_mtime_ns for p in directory.root.rglob("*")} == before


def test_where_the_grid_is_lost_another_is_refused(tmp_path):
    sweep = Sweep(tmp_path, "budget={rule: fixed, constant: 10}")
    sweep.run()
    sweep.directory.grid.unlink()
    other = Sweep(tmp_path, "budget={rule: fixed, constant: 10}", "trainable.batch=8")
    with pytest.raises(InputError, match=r"the grid\.yaml of this sweep is lost, and this grid is not the one"):
        other.run()
    sweep.run()
    assert sweep.directory.grid.is_file()
