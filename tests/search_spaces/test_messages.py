import re

import pytest
from pydantic import ValidationError

from search_spaces.grid import Grid
from search_spaces.messages import allowed, axis_keys, problems_of, refusal


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("trainable", "model", "width"), "an integer >= 1 and <= 1,000,000"),
        (("trainable", "model", "bias"), "true or false"),
        (("trainable", "batch"), "'full' or an integer >= 1 and <= 1,000,000,000"),
        (("optimizer", "mu"), "a finite number >= 0 and < 1"),
        (("budget", "max"), "a finite number > 0 and <= 10,000,000,000"),
        (("budget", "exceptions", 3, "eta"), "a finite number > 0"),
        (("measure", "every"), "'epoch' or a section {steps}"),
        (("analysis",), "a section {tolerance, budgets}"),
    ],
)
def test_allowed(path, text):
    assert allowed(path, {}) == text


def test_every_key_of_the_grid_has_a_description():
    """A new kind of field must find its words here before a user meets it."""
    schema = Grid.model_json_schema()
    for section, definition in schema["$defs"].items():
        assert definition.get("description"), section

    def visit(path, properties):
        for key in properties:
            if (*path, key) != ("axes",):
                words = allowed((*path, key), {})
                assert words not in {"", "text", "a section with keys"}, (*path, key)
                inner = re.search(r"a section \{(.+)\}", words)
                visit((*path, key), inner.group(1).split(", ") if inner and "list" not in words else [])

    visit((), schema["properties"])


def test_axis_keys_are_the_plain_keys_of_trainable():
    keys = axis_keys()
    assert {"model.width", "data.train", "loss.scale", "batch", "init.sigma_b"} <= set(keys)
    assert not {"model", "data", "loss", "init"} & set(keys)


def test_a_key_with_a_default_may_be_left_out():
    assert refusal(("measure",), None, {}).endswith(", or leave the key out")
    assert not refusal(("budget",), None, {}).endswith(", or leave the key out")


def test_a_hundred_thousand_problems_cost_no_more_than_a_few():
    data = {f"key{i}": i for i in range(100_000)}
    with pytest.raises(ValidationError) as caught:
        Grid.model_validate(data)
    assert len(problems_of(caught.value, data)) == 21
