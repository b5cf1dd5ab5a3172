import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from search_spaces.yaml_text import MAX_CHARACTERS, Document, dotted, parse_scalar, read_yaml, show


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3), ("1E3", 1e3), ("1.0e-3", 1e-3), ("5.", 5.0), (".5", 0.5), ("+1.5", 1.5), ("-2", -2), ("0", 0),
        ("010", 10), ("9223372036854775807", 2**63 - 1), ("9223372036854775808", 2.0**63), ("1" + "0" * 400, math.inf),
        (".inf", math.inf), ("-.inf", -math.inf), ("true", True), ("False", False), ("null", None), ("~", None),
        ("", None),
    ],
)  # fmt: skip
def test_scalars_of_the_core_schema(text, value):
    assert parse_scalar(text) == value
    assert type(parse_scalar(text)) is type(value)


@pytest.mark.parametrize("text", ["yes", "no", "on", "off", "y", "1_000", "0x10", "0o17", "1:30", "1e", "e3", ".", "-", "inf", "nan", "2024-01-01", "1 epoch"])  # fmt: skip  # noqa: E501
def test_other_scalars_are_text(text):
    assert parse_scalar(text) == text


def test_nan():
    assert math.isnan(parse_scalar(".nan"))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_back(number):
    assert parse_scalar(repr(number)) == number


def test_quoted_scalars_are_text():
    assert read_yaml("""{a: '1', b: "true", c: ''}""", "f").value == {"a": "1", "b": "true", "c": ""}
    assert read_yaml("a: |\n  5\n", "f").value == {"a": "5\n"}


def test_places_of_keys():
    document = read_yaml("# comment\nname: x\naxes:\n  eta:\n  - 1\n  - 2\n", "f.yaml")
    assert document.where(("axes",)) == "f.yaml, line 3, axes"
    assert document.where(("axes", "eta")) == "f.yaml, line 4, axes.eta"
    assert document.where(("axes", "eta", 1)) == "f.yaml, line 6, axes.eta[1]"
    assert document.where(("axes", "lam")) == "f.yaml, line 3, axes.lam"
    assert document.where(("budget", "rule")) == "f.yaml, budget.rule"
    assert document.where(()) == "f.yaml"


def test_a_setting_hides_the_lines_of_what_it_replaces():
    document = Document(
        value={},
        source="f",
        lines={("axes", "eta", 0): 3, ("budget",): 5},
        settings={("axes", "eta"): "--set axes.eta"},
    )
    assert document.where(("axes", "eta")) == "--set axes.eta"
    assert document.where(("axes", "eta", 0)) == "--set axes.eta, axes.eta[0]"
    assert document.where(("budget", "max")) == "f, line 5, budget.max"


def test_dotted_hides_control_characters():
    assert dotted(("a\x1b[31m", 0, "")) == "a\\x1b[31m[0].''"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"), (True, "true"), (1e-5, "1e-05"), (math.inf, ".inf"), (-math.inf, "-.inf"), (math.nan, ".nan"),
        ("a\nb", "the text 'a\\nb'"), ({"log": [1, 2.5], "num": None}, "{log: [1, 2.5], num: null}"), ((), "[]"),
    ],
)  # fmt: skip
def test_show(value, text):
    assert show(value) == text


def test_show_is_short_for_any_size():
    assert len(show(list(range(1_000_000)))) == 60
    assert len(show({str(i): {"x" * 1000: [1] * 100} for i in range(10_000)})) == 60


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\n\n"])
def test_nothing(text):
    assert read_yaml(text, "f").value is None


def test_a_byte_order_mark_is_skipped():
    assert read_yaml("\ufeffname: x\n", "f").value == {"name": "x"}


def test_an_anchor_without_an_alias_is_harmless():
    assert read_yaml("a: &x 1", "f").value == {"a": 1}


LAUGHS = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("x" * 300_001, "f: 300,001 characters; a grid has at most 300,000. Is it the right file?", id="size"),  # noqa: E501
        pytest.param(LAUGHS, "f, line 2: aliases (*a) are not used in grids; write the value out.", id="billion-laughs"),  # noqa: E501
        pytest.param("a: &a [*a]", "f, line 1: aliases (*a) are not used in grids; write the value out.", id="cycle"),
        pytest.param("[" * 100_000, "f, line 1: nested deeper than 32 levels; a grid needs 5.", id="brackets"),
        pytest.param("- " * 100_000, "f, line 1: nested deeper than 32 levels; a grid needs 5.", id="dashes"),
        pytest.param("a: 1\n...\n---\nb: 2", "f, line 3: a second document starts here (---); a file holds one grid.", id="documents"),  # noqa: E501
        pytest.param("a: {b: 1}\n\ta: 2", "f: not valid YAML: found character '\\t' that cannot start any token; indent with spaces (line 2, column 1).", id="tab"),  # noqa: E501
        pytest.param("x: 1\n y: 2", "f: not valid YAML: mapping values are not allowed here (line 2, column 3).", id="not-yaml"),  # noqa: E501
        pytest.param("\x89PNG\r\n", "f, line 1: the character U+0089 is not allowed in YAML; remove it.", id="binary"),
        pytest.param("a: \ud800", "f, line 1: the character U+D800 is not allowed in YAML; remove it.", id="surrogate"),
        pytest.param("? {a: 1}\n: 2", "f, line 1: a key must be a word, not a list or a mapping; quote it if it is one.", id="key"),  # noqa: E501
        pytest.param("1: a\n'1': b", "f, line 2: 1 was given before, on line 1; keep one of the two.", id="twice"),
        pytest.param("!!set {a, b}", "f, line 1: tags (tag:yaml.org,2002:set) are not used in grids; write a plain value.", id="tag"),  # noqa: E501
        pytest.param("!!str a: 1", "f, line 1: tags (tag:yaml.org,2002:str) are not used in grids; write a plain value.", id="key-tag"),  # noqa: E501
    ],
)  # fmt: skip
def test_refused(text, message):
    with pytest.raises(InputError) as caught:
        read_yaml(text, "f")
    assert str(caught.value) == message


@pytest.mark.parametrize("digits", [10, 5000])
def test_a_version_of_any_length_is_refused(digits):
    with pytest.raises(InputError, match=r"^f: "):
        read_yaml(f"%YAML {'9' * digits}.1\n--- a", "f")


def test_the_largest_text_is_read():
    text = "a: [" + "1," * (MAX_CHARACTERS // 2 - 4) + "]"
    read_yaml(text, "f")


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=10,
)


@given(values)
def test_dumped_values_never_crash(value):
    try:
        read_yaml(yaml.safe_dump(value, allow_unicode=True), "f")
    except InputError as error:
        assert str(error).startswith("f")  # noqa: PT017 - raising is one of two good ends


@given(st.text(max_size=60) | st.text("[]{}:,-?&*!|>'\"%@`# \n\ta1.~<\\xuU0", max_size=60))
def test_any_text_gives_a_value_or_an_input_error(text):
    try:
        read_yaml(text, "f")
    except InputError as error:
        assert str(error).startswith("f")  # noqa: PT017 - raising is one of two good ends
