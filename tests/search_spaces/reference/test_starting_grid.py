"""A grid to start from: what it says, and that all it suggests can be written."""

import re
from pathlib import Path

import pytest

from search_spaces.reading.load import load_grid
from search_spaces.reference.json_schema import grid_schema
from search_spaces.reference.starting_grid import SCHEMA_FILE, starting_grid

GRIDS = sorted((Path(__file__).parents[3] / "grids").rglob("*.yaml"))


def started(path):
    return starting_grid(path.read_text(encoding="utf-8"), "mine", f"the grid {path.stem}", "mine.yaml")


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_it_is_the_grid_that_it_starts_from_under_another_name(path):
    text = started(path)
    made, source = load_grid(text, "mine.yaml"), load_grid(path.read_text(encoding="utf-8"), str(path))
    assert made == source.model_copy(update={"name": "mine"})
    assert text.splitlines()[0] == f"# yaml-language-server: $schema={SCHEMA_FILE}"
    assert "# Cost:" not in text


def test_every_key_is_there_with_a_comment_and_every_example_can_be_written():
    text = started(next(path for path in GRIDS if path.stem == "digits"))
    keys = re.findall(r"^(?:# )?(\w+):", text, flags=re.MULTILINE)
    assert sorted(keys) == sorted(grid_schema()["properties"])
    examples = re.findall(r"^# (\w+: .*)$", text, flags=re.MULTILINE)
    assert len(examples) >= 6
    for example in examples:
        assert load_grid(text.replace(f"# {example}", example), "mine.yaml") != load_grid(text, "mine.yaml"), example
