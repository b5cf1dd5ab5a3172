import pytest
from pydantic import ValidationError

from search_spaces.reading.key_schemas import form_names, forms
from search_spaces.reading.messages import describe_key, problems_of, refusal
from search_spaces.sections.grid import Grid


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("trainable", "model", "bias"), "true or false"),
        (("trainable", "batch"), "'full' or an integer >= 1 and <= 1,000,000,000"),
        (("optimizer", "mu"), "a finite number >= 0 and < 1"),
        (("trainable", "model"), "a section {name: fc | cnn | wrn | resnet50, …}"),
        (("trainable", "function"), "a Python function as module:function, as in my_networks:small"),
        (("trainable", "arguments"), "a section, each key true or false, a finite number or text"),
        (("l2", "auto"), "a section {every, signal}"),
        (("measure", "train"), "'all' or an integer >= 1 and <= 1,000,000,000"),
        (("budget", "max"), "a finite number > 0 and <= 10,000,000,000"),
        (("budget", "exceptions", 3, "eta"), "a finite number > 0"),
        (("measure", "every"), "'epoch' or a section {steps}"),
        (("analysis",), "a section {tolerance, budgets}"),
    ],
)
def test_allowed(path, text):
    assert describe_key(path, {}) == text


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (("trainable", "model"), {"name": "fc"}, "a section {name, width, depth, bias, parametrization}"),
        (("trainable", "model"), {"name": "resnet"}, "a section {name: fc | cnn | wrn | resnet50, …}"),
        (("trainable",), {"loop": "a:b"}, "a section {loop, arguments}"),
        (("optimizer",), {"name": "adam"}, "a section {name, coupled, beta1, beta2, epsilon}"),
        (("optimizer",), "adam", "a section {name: sgd | adamw | adam, …}"),
        (("optimizer",), None, "a section {name: sgd | adamw | adam, …}"),
        (("measure", "every"), 7, "'epoch' or a section {steps}"),
    ],
)
def test_allowed_of_the_form_that_the_grid_chose(path, value, text):
    assert describe_key(path, nested(path, value)) == text


def test_a_key_of_several_forms_is_described_for_the_chosen_one():
    width = ("trainable", "model", "width")
    assert describe_key(width, nested(width[:-1], {"name": "fc"})) == "an integer >= 1 and <= 1,000,000"
    assert describe_key(width, nested(width[:-1], {"name": "wrn"})) == "an integer >= 1 and <= 1,000"


def nested(path, value):
    """``value`` at ``path``, alone: ``{"model": {"name": "fc"}}``."""
    for part in reversed(path):
        value = [value] if isinstance(part, int) else {part: value}
    return value


def choosing(form):
    """The least that a grid says to choose this form of a section."""
    names = form_names([form])
    return {"name": names[0]} if names else dict.fromkeys(form.get("required", [])[:1], "a:b")


def every_key(schema, path=()):
    """Each key path of the grid with a grid that has it; those of all forms of each section."""
    for form in forms(schema):
        for key, inner in form.get("properties", {}).items():
            if (*path, key) != ("axes",):
                yield (*path, key), nested(path, choosing(form))
                yield from every_key(inner, (*path, key))
        if "items" in form:
            yield from every_key(form["items"], (*path, 0))


def test_every_key_of_the_grid_has_a_description():
    """A new kind of field must find its words here before a user meets it."""
    schema = Grid.model_json_schema()
    for section, definition in schema["$defs"].items():
        assert definition.get("description"), section
    keys = list(every_key(schema))
    assert {path[-1] for path, _ in keys} >= {
        key for section in schema["$defs"].values() for key in section["properties"]
    }
    for path, data in keys:
        words = describe_key(path, data)
        assert words not in {"", "text"}, path
        assert len(words) < 250, path


def test_the_forms_of_a_key_are_told_as_one():
    """Each key of a section is described for its own form of the section, not for all of them."""
    for path, data in every_key(Grid.model_json_schema()):
        if len(path) > 1 and path[-1] != "arguments":
            text = describe_key(path, data)
            assert text.count("an integer") + text.count("a finite number") <= 1, path


def test_a_key_with_a_default_may_be_left_out():
    assert refusal(("measure",), None, {}).endswith(", or leave the key out")
    assert not refusal(("budget",), None, {}).endswith(", or leave the key out")


def test_a_hundred_thousand_problems_cost_no_more_than_a_few():
    data = {f"key{i}": i for i in range(100_000)}
    with pytest.raises(ValidationError) as caught:
        Grid.model_validate(data)
    assert len(problems_of(caught.value, data)) == 21
