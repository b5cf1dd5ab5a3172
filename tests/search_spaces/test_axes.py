import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from search_spaces.axes import MAX_VALUES, NAMED_AXES, expand_axis, number_hint

positive = st.floats(min_value=1e-300, max_value=1e300)


@pytest.mark.parametrize(
    ("name", "raw", "values"),
    [
        pytest.param("eta", [1, 0.1], (1.0, 0.1), id="order-is-kept"),
        pytest.param("eta", {"log": [1, 100], "num": 3}, (1.0, 10.0, 100.0), id="range"),
        pytest.param("lam", [0, {"log": [1e-3, 1e-1], "num": 3}], (0.0, 1e-3, 1e-2, 1e-1), id="mixed"),
        pytest.param("lam", [-0.0], (0.0,), id="one-zero"),
        pytest.param("seed", [0, 7], (0, 7), id="seeds-stay-integers"),
        pytest.param("model.width", [64, 8], (64, 8), id="key-of-trainable"),
        pytest.param("loss.scale", ["mean", "paper"], ("mean", "paper"), id="words"),
        pytest.param("model.bias", [True, False], (True, False), id="booleans"),
        pytest.param("arguments.x", [False, 1, "full"], (False, 1, "full"), id="of-all-kinds"),
    ],
)
def test_values(name, raw, values):
    expanded, problems = expand_axis(name, raw)
    assert (expanded, problems) == (values, [])
    assert [type(v) for v in expanded] == [type(v) for v in values]
    assert all(math.copysign(1, v) > 0 for v in expanded if v == 0)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ([True, True], "true stands twice; a value is trained once, so name it once"),
        ([True, 1], "true and 1 count as one value; keep one of them"),
        ([0.0, "x", False], "0.0 and false count as one value; keep one of them"),
    ],
)
def test_booleans_that_stand_twice(raw, text):
    assert [problem.text for problem in expand_axis("model.bias", raw)[1]] == [text]


@given(positive, positive, st.integers(2, 60))
def test_a_range_is_ascending_has_its_ends_and_is_evenly_spaced(low, high, num):
    assume(high > low * 1.01)
    values, problems = expand_axis("eta", {"log": [low, high], "num": num})
    assert problems == []
    assert len(values) == num
    assert (values[0], values[-1]) == (low, high)
    logs = [math.log(v) for v in values]
    stride = (math.log(high) - math.log(low)) / (num - 1)
    assert all(b - a == pytest.approx(stride, abs=2e-5) for a, b in pairwise(logs))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=0), min_size=1, unique=True, max_size=9))
def test_listed_values_are_taken_as_they_stand(values):
    assert expand_axis("lam", values) == (tuple(values), [])


@pytest.mark.parametrize("num", [MAX_VALUES + 1, 10**9, 10**18])
def test_a_huge_range_is_refused_before_it_is_made(num):
    values, (problem,) = expand_axis("eta", {"log": [1, 2], "num": num})
    assert values == ()
    assert problem.text.startswith(f"{num} is not allowed")


def test_many_ranges_stop_at_the_limit():
    values, (problem,) = expand_axis("eta", [{"log": [1, 2], "num": MAX_VALUES}] * 30_000)
    assert values == ()
    assert problem.text == "more than 10,000 values; list fewer, or split the grid"


def test_the_largest_axis_is_allowed():
    values, problems = expand_axis("eta", {"log": [1e-6, 1e6], "num": MAX_VALUES})
    assert problems == []
    assert len(set(values)) == MAX_VALUES


raw_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.fixed_dictionaries({"log": inner, "num": inner})
        | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=8,
)


@given(st.sampled_from([*NAMED_AXES, "model.width"]), raw_values)
def test_anything_gives_values_or_problems(name, raw):
    values, problems = expand_axis(name, raw)
    assert values or problems
    if not problems:
        assert len(set(values)) == len(values)
        if name in NAMED_AXES:
            assert all(NAMED_AXES[name].allowed(v) and math.isfinite(v) for v in values)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("1_000", "; write 1000 for the number"),
        ("0x1F", "; write 31 for the number"),
        ("1e-3", "; write 0.001 for the number"),
        ("nan", ""),
        ("1:30", ""),
        ("9" * 5000, ""),
        (True, ""),
        (None, ""),
    ],
)
def test_number_hint(text, hint):
    assert number_hint(text) == hint
