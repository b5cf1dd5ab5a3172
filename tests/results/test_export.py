"""``sweeper export``: the tables of a sweep, read back by another program."""

import csv

import pandas as pd
import pytest

from results.export import export_sweep
from results.store.sweep_dir import SweepDir
from results.store.tables import read_rows
from search_spaces.errors import InputError

TABLES = ["rows", "points", "peaks", "prediction", "within_budget"]


@pytest.fixture
def swept(sweep, small_grid):
    return sweep(small_grid("resources.pack=2"))[1]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_every_table_is_there_with_the_same_numbers(swept, tmp_path, kind):
    paths = export_sweep(swept, tmp_path / "out", kind)
    assert [path.name for path in paths] == [f"{name}.{kind}" for name in TABLES]
    assert sorted((tmp_path / "out").iterdir()) == sorted(paths)
    found = pd.read_csv(paths[0]) if kind == "csv" else pd.read_parquet(paths[0])
    expected = read_rows(swept)
    found = found.sort_values(["point", "step"], ignore_index=True)
    assert list(found) == list(expected)
    for name in expected:
        own = expected[name].astype(object if expected[name].dtype == "category" else expected[name].dtype)
        pd.testing.assert_series_equal(found[name], own, check_dtype=False, rtol=1e-6)
    ends = pd.read_csv(paths[1]) if kind == "csv" else pd.read_parquet(paths[1])
    assert sorted(ends["point"]) == sorted(expected["point"].unique())


def test_no_number_is_an_empty_cell(swept, tmp_path):
    with export_sweep(swept, tmp_path, "csv")[0].open() as file:
        cells = {row["eta_eff"] for row in csv.DictReader(file)}
    assert "nan" not in cells


def test_a_folder_without_a_sweep_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(InputError, match="no sweep here"):
        export_sweep(SweepDir(tmp_path / "nothing"), tmp_path / "out", "csv")
    assert not (tmp_path / "out").exists()
