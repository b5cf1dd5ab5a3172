import importlib.util
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from search_spaces.reading.load import load_grid
from search_spaces.sections.trainable import judged_by

FOLDER = Path(__file__).parents[2] / "benchmarks"
GRIDS = sorted((FOLDER / "searches").glob("*.yaml"))


def grid_of(path, *settings):
    return load_grid(path.read_text(encoding="utf-8"), str(path), settings)


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_a_table_has_ten_lams_a_decade_and_lam_0(path):
    grid = grid_of(path)
    zero, *lams = grid.axes["lam"]
    assert zero == 0
    assert lams == pytest.approx([10 ** (i / 10 - 6) for i in range(51)], rel=1e-4)
    assert len(grid.axes["seed"]) >= 5
    assert (len(grid.axes["eta"]), grid.budget.rule, grid.l2.convention) == (1, "fixed", "half")


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_it_is_judged_by_held_out_images_unless_told(path):
    assert judged_by(grid_of(path).trainable) == "validation"
    assert judged_by(grid_of(path, "trainable.data.validation=null").trainable) == "test"


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="needs the extra bench")
def test_the_benchmark_runs_and_draws_again_from_its_csv(tmp_path):
    command = [sys.executable, str(FOLDER / "search.py")]
    options = ["--only", "digits", "--seeds", "1", "--out", str(tmp_path)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(tmp_path / "search-validation.csv")
    assert {"random", "Optuna TPE", "Ray Tune ASHA", "sweeper predict"} <= set(found["method"])
    assert found["gap"].between(0, 1).all()
    assert found.groupby(["method", "seed", "state"])["spent"].max().max() <= 16 + 1e-9
    ours = found[found["method"] == "sweeper predict"]
    assert ours["spent"].between(1.4, 1.5).all()  # a run, and half of one for the probe
    again = subprocess.run(
        [*command, "--from", str(tmp_path / "search-validation.csv"), "--out", str(tmp_path / "again")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert again.stdout in done.stdout
    assert (tmp_path / "again" / "search-validation.png").is_file()
