"""Tables that figures of the paper are drawn from, of a sweep that was really run."""

import pandas as pd
import pytest
from rich.console import Console
from tests_support import SMALL

from results.figures.paper.sources import read_tables
from results.store.sweep_dir import SweepDir
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.driver.run import run_sweep

SCHEDULED = SMALL.replace("axes:", "schedule: {name: piecewise}\naxes:").replace("[10, 50]", "[10, 60]")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    grid = load_grid(SCHEDULED, "grid.yaml")
    run_sweep(grid, out, InProcessBackend, None, Console(quiet=True))
    return SweepDir(out / "small"), grid


def test_with_a_schedule_figures_show_the_accuracies_of_the_report(sweep):
    directory, _ = sweep
    within = read_tables([sweep]).within.sort_values(["budget_at", "point"], ignore_index=True)
    reported = pd.read_parquet(directory.analysis / "within_budget.parquet")
    assert within["acc"].tolist() == pytest.approx(reported["acc"].tolist(), nan_ok=True)
    by_budget = within.groupby("budget_at")["acc"]
    assert by_budget.count()[10] == 0  # no run had a budget of 10 epochs: read there, η would decay at other epochs
    assert by_budget.count()[60] > 0
