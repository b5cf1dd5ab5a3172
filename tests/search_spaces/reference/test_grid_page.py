"""docs/grid.md says what the schema says, today."""

import re
from pathlib import Path

import pytest

from search_spaces.points import count_points, make_points
from search_spaces.reading.key_schemas import form_names
from search_spaces.reading.load import load_grid
from search_spaces.reference.grid_page import EXAMPLE, SETTINGS, grid_page
from search_spaces.sections.grid import Grid

PAGE = Path(__file__).parents[3] / "docs" / "grid.md"
SCHEMA = Grid.model_json_schema()
SECTIONS = {"Grid": SCHEMA, **SCHEMA["$defs"]}
UNFORMED = {"Grid", "Metric"}  # sections whose name chooses no form


@pytest.fixture(scope="module")
def page():
    return grid_page()


@pytest.fixture(scope="module")
def tables(page):
    """The keys of each table, in the page's order."""
    blocks = re.findall(r"^\| key \|.*\n\|[- |]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    return [re.findall(r"^\| `(\w+)` \|", block, re.MULTILINE) for block in blocks]


def test_the_page_is_up_to_date(page):
    written = PAGE.read_text(encoding="utf-8")
    assert written == page, "docs/grid.md is out of date: write it anew with 'make docs'"


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_has_its_table(tables, name):
    section = SECTIONS[name]
    keys = {key for key in section["properties"] if key != "name" or name in UNFORMED}
    assert tables.count([]) == 0
    assert keys in [set(table) for table in tables]


def test_there_is_one_table_a_section(tables):
    assert len(tables) == len(SECTIONS)
    assert len(re.findall(r"^\| `", grid_page(), re.MULTILINE)) == sum(map(len, tables)) + 5  # the named axes


@pytest.mark.parametrize("name", form_names(s for name, s in SECTIONS.items() if name not in UNFORMED))
def test_every_name_stands_in_a_heading(page, name):
    assert re.search(rf"^#+ `\w+: {{name: (\w+ \| )*{name}( \| \w+)*}}`$", page, re.MULTILINE)


def test_every_row_has_four_full_cells(page):
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
    assert {len(row) for row in cells} == {3, 4}
    assert all(all(row) for row in cells)
    assert "``" not in "".join(rows)


def test_meanings_are_sentences(page):
    rows = re.findall(r"^\| `\w+` \|.*\|.*\| (.*) \|$", page, re.MULTILINE)
    assert all(row.endswith(".") for row in rows if "finite number" not in row and "integer" not in row)


def test_the_example_loads(page):
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert text == EXAMPLE
    grid = load_grid(text, "momentum.yaml")
    assert f"here there are {count_points(grid)}" in page
    kinds = {type(value) for name in ("model.width", "optimizer.nesterov") for value in grid.axes[name]}
    assert kinds == {int, bool}


def test_the_settings_load():
    grid = load_grid(EXAMPLE, "momentum.yaml", SETTINGS)
    assert (grid.budget.max, grid.axes["seed"], grid.schedule.name) == (50, (0, 1, 2, 3), "constant")


def test_axes_left_out_are_what_the_page_says(page):
    grid = load_grid(EXAMPLE, "momentum.yaml", ["axes={eta: [1], lam: [1]}", "trainable.init.sigma_w=3"])
    (point,) = make_points(grid)
    assert (point.mu, point.sigma_w, point.seed) == (grid.optimizer.mu, 3, 0)
    assert "`sigma_w` is what `init.sigma_w` says, `mu` is what `optimizer.mu` says, and `seed` is 0" in page


def test_every_key_that_the_page_calls_an_axis_is_one(page):
    (listed,) = re.findall(r"In the grid above these can be:\n(.*)\.\n", page)
    values = {"augment.crop": 0, "batch": "full", "loss.scale": "paper", "model.bias": "true", "schedule.warmup": 0}
    assert {f"`{key}`" for key in values} <= set(listed.split(", "))
    for key, value in values.items():
        load_grid(EXAMPLE, "momentum.yaml", [f"axes.{key}=[{value}]"])
