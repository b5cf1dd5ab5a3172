"""Whatever a file holds, ``load_grid`` gives a grid or one paragraph, in bounded time. See also fuzz/load_grid.py."""

import copy
import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search_spaces.errors import InputError
from search_spaces.reading.load import load_grid
from search_spaces.sections.grid import Grid
from search_spaces.yaml_text import MAX_CHARACTERS, read_yaml

GRIDS = sorted((Path(__file__).parents[2] / "grids").rglob("*.yaml"))
TEXTS = [path.read_text(encoding="utf-8") for path in GRIDS]
# Not a wall time of the code: a text that takes so long on any machine grows faster than it should.
BOUND = timedelta(seconds=30)
FUZZ = settings(max_examples=150, deadline=BOUND, suppress_health_check=list(HealthCheck))


def answers(text, overrides=()):
    """``load_grid`` of ``text`` if it is a grid; None if it is refused as it should be."""
    try:
        grid = load_grid(text, "grid.yaml", overrides)
    except InputError as error:
        message = str(error)
        message.encode()  # a terminal can show it
        assert message.strip()
        assert "Traceback" not in message
        assert len(message) < 20_000
        return None
    assert isinstance(grid, Grid)
    return grid


odd_text = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(codec="utf-8", categories=["Cc", "Cf", "Mn", "Nd", "Zs", "So"]), max_size=8),
    st.sampled_from(
        ["", "\u202e", "٣", "１", "é" * 200, "a" * 500, "name", "eta", "null", "~", ".inf", "=", "<<", "\ud800"]
    ),
)
odd_numbers = st.one_of(
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0, -1, 2**63, 10**400, 1e308, -1e308, 5e-324, float("nan"), float("inf"), True]),
)
leaves = st.one_of(st.none(), st.booleans(), odd_numbers, odd_text)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(odd_text, inner, max_size=4)),
    max_leaves=12,
)


def places(value, path=()):
    """Every key path of a document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


@st.composite
def mutated_grids(draw):
    """A shipped grid after one to four changes of its keys and values."""
    document = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from([p for p in places(document) if p]))
        *parents, last = path
        section = document
        for key in parents:
            section = section[key]
        others = [p for p in places(document) if p and isinstance(p[-1], str)]
        match draw(st.sampled_from(["delete", "replace", "rename", "wrap", "move", "extend"])):
            case "delete":
                del section[last]
            case "replace":
                section[last] = draw(values)
            case "rename" if isinstance(section, dict):
                section[draw(odd_text | st.sampled_from(others).map(lambda p: p[-1]))] = section.pop(last)
            case "wrap":
                section[last] = draw(
                    st.sampled_from([[section[last]], {"name": section[last]}, {"log": section[last]}])
                )
            case "move":
                section[last] = copy.deepcopy(value_at(document, draw(st.sampled_from(others))))
            case "extend" if isinstance(section[last], list):
                section[last] += draw(st.lists(leaves, max_size=3))
        if not document:
            break
    return document


def value_at(document, path):
    for key in path:
        document = document[key]
    return document


DOCUMENTS = [read_yaml(text, path.name).value for text, path in zip(TEXTS, GRIDS, strict=True)]


@pytest.mark.parametrize("text", TEXTS, ids=[str(p.relative_to(p.parents[1])) for p in GRIDS])
def test_the_shipped_grids_are_grids(text):
    assert answers(text) is not None


@FUZZ
@given(st.text(max_size=400))
def test_any_text(text):
    answers(text)


@FUZZ
@given(st.text("{}[]:,-#&*!|>'\"%@`\n \tab01", max_size=120))
def test_any_text_of_the_characters_of_yaml(text):
    answers(text)


@FUZZ
@given(mutated_grids())
def test_a_grid_with_other_keys_and_values(document):
    answers(yaml.safe_dump(document, allow_unicode=True))


@FUZZ
@given(st.sampled_from(TEXTS), st.data())
def test_a_grid_with_other_lines_and_characters(text, data):
    lines = text.splitlines(keepends=True)
    for _ in range(data.draw(st.integers(1, 5))):
        i = data.draw(st.integers(0, len(lines) - 1))
        cut = data.draw(st.integers(0, len(lines[i])))
        other = data.draw(st.sampled_from(lines))
        lines[i] = data.draw(
            st.sampled_from([
                "", lines[i] * 2, other, " " + lines[i], lines[i][:cut],
                lines[i][:cut] + data.draw(odd_text) + lines[i][cut:],
            ])
        )  # fmt: skip
    answers("".join(lines))


KEYS = sorted({".".join(map(str, path)) for document in DOCUMENTS for path in places(document) if path})


@FUZZ
@given(st.lists(st.tuples(st.sampled_from(KEYS), values), max_size=3))
def test_settings_of_the_command_line(pairs):
    answers(TEXTS[0], [f"{key}={yaml.safe_dump(value, default_flow_style=True)}" for key, value in pairs])


_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(_BOMB, id="aliases-of-aliases"),
        pytest.param("a: &a [*a]", id="an-alias-of-itself"),
        pytest.param("<<: [&a {x: 1}, *a]", id="merge-keys"),
        pytest.param("[" * 100_000, id="open-brackets"),
        pytest.param("{a: " * 50_000, id="open-sections"),
        pytest.param("".join(f"{' ' * i}a:\n" for i in range(700)), id="deep-indentation"),
        pytest.param("- " * 100_000, id="lists-in-lists"),
        pytest.param("? " * 100_000, id="keys-of-keys"),
        pytest.param("a" * (MAX_CHARACTERS + 1), id="too-long"),
        pytest.param("name: " + "9" * 200_000, id="a-number-of-200000-digits"),
        pytest.param(f"axes: {{eta: [1e{'9' * 100_000}]}}", id="an-exponent-of-100000-digits"),
        pytest.param("axes: {eta: {log: [1e-300, 1e300], num: 99999999999}}", id="a-range-without-end"),
        pytest.param("!!python/object/apply:os.system ['touch /tmp/owned']", id="code"),
        pytest.param("name: !!binary aGVsbG8=", id="a-tag"),
        pytest.param("".join(f"k{i}: 1\n" for i in range(40_000)), id="many-keys"),
        pytest.param("a: 1\n---\nb: 2", id="two-documents"),
        pytest.param("\x00", id="nul"),
        pytest.param("\ud800", id="half-a-character"),
        pytest.param("\ufeff\ufeffname: x", id="marks-of-byte-order"),
        pytest.param('name: "\\uD800"', id="half-a-character-escaped"),
        pytest.param("&" * 100_000, id="anchors-without-names"),
        pytest.param("a: |\n" + " x\n" * 50_000, id="a-long-block"),
        pytest.param('"' + "\\" * 100_001, id="open-quotes"),
        pytest.param("%YAML 9.9\n---\na: 1", id="another-yaml"),
    ],
)
def test_texts_made_to_harm(text):
    assert answers(text) is None


@pytest.mark.parametrize("name", ["../x", "/etc", "a/b", "..", ".hidden", "a\x00b", "x" * 101])
def test_names_cannot_lead_out_of_the_folder(name):
    said = yaml.safe_dump(name).splitlines()[0]
    changed, count = re.subn("^name: .*$", lambda _: f"name: {said}", TEXTS[0], flags=re.MULTILINE)
    assert count == 1
    assert answers(changed) is None
