"""A grid as it is written: reading it gives the same grid."""

import pytest
import yaml

from search_spaces.reading.dump import to_yaml
from search_spaces.reading.load import load_grid


def test_a_grid_as_resolved_is_a_grid(small_grid):
    grid = small_grid("axes={eta: [0.1], lam: {log: [1e-5, 1], num: 7}, seed: [0, 1]}")
    text = to_yaml(grid)
    assert load_grid(text, "grid.yaml") == grid
    assert yaml.safe_load(text)["budget"]["max"] == 60.0


@pytest.mark.parametrize("name", ["1e-3", "09", "true", "null", "1.5"])
def test_a_name_that_looks_like_a_number_stays_a_name(small_grid, name):
    grid = small_grid(f'name="{name}"')
    assert load_grid(to_yaml(grid), "grid.yaml") == grid
