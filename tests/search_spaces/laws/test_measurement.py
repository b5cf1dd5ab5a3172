import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.laws.measurement import count_measurements, measured_steps
from search_spaces.sections.grid import Measure, Steps

measures = (
    st.builds(Measure, log=st.integers(1, 200))
    | st.just(Measure(every="epoch"))
    | st.builds(Measure, every=st.builds(Steps, steps=st.integers(1, 500)))
)


@given(measures, st.integers(1, 20_000), st.integers(1, 300))
def test_ascending_within_the_run_and_with_the_last_step(measure, last, per_epoch):
    steps = measured_steps(measure, last, per_epoch)
    assert steps.dtype == np.int64
    assert steps[0] >= 1
    assert steps[-1] == last
    assert (np.diff(steps) > 0).all()
    assert count_measurements(measure, last, per_epoch) == len(steps)


@given(st.integers(1, 200), st.integers(1, 10**7))
def test_log_steps_are_relatively_spaced(log, last):
    """No gap exceeds a factor 10^(1/log), beyond what rounding both ends to whole steps costs."""
    steps = measured_steps(Measure(log=log), last, 1)
    assert steps[0] == 1
    assert (steps[1:] <= (steps[:-1] + 0.5) * 10 ** (1 / log) + 0.501).all()
    assert len(steps) <= log * np.log10(last) + 2


@given(st.integers(1, 100), st.integers(1, 10**6), st.integers(1, 10**6))
def test_runs_of_any_length_are_measured_at_the_same_steps(log, one, other):
    """So that a short run can be compared with the start of a long one, step by step."""
    short, long = sorted([one, other])
    a, b = (measured_steps(Measure(log=log), n, 1) for n in (short, long))
    assert set(a[:-1]) <= set(b)


@pytest.mark.parametrize(
    ("measure", "last", "per_epoch", "steps"),
    [
        pytest.param(Measure(every="epoch"), 7, 3, [3, 6, 7], id="epochs-and-the-rest"),
        pytest.param(Measure(every="epoch"), 6, 3, [3, 6], id="whole-epochs"),
        pytest.param(Measure(every="epoch"), 2, 3, [2], id="less-than-an-epoch"),
        pytest.param(Measure(every=Steps(steps=2)), 5, 3, [2, 4, 5], id="steps"),
        pytest.param(Measure(log=1), 100, 3, [1, 10, 100], id="decades"),
        pytest.param(Measure(log=3), 1, 3, [1], id="one-step"),
    ],
)
def test_examples(measure, last, per_epoch, steps):
    assert measured_steps(measure, last, per_epoch).tolist() == steps


def test_counting_needs_no_memory():
    assert count_measurements(Measure(every="epoch"), 10**15, 1) == 10**15
    assert count_measurements(Measure(log=10_000), 10**16, 1) < 160_010
