import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.laws.schedule import learning_rate_factor
from search_spaces.sections.optimizer import Constant, Cosine, Piecewise

WARMUPS = st.one_of(st.just(0.0), st.floats(1e-6, 0.99))


@st.composite
def schedules(draw, names=("constant", "piecewise", "cosine")):
    name = draw(st.sampled_from(names))
    if name == "constant":
        return Constant(name=name, warmup=draw(WARMUPS))
    if name == "cosine":
        return Cosine(name=name, warmup=draw(WARMUPS))
    at = tuple(sorted(draw(st.sets(st.floats(0, 0.99), min_size=1, max_size=5))))
    warmup = draw(st.floats(0, at[0]))
    return Piecewise(name=name, at=at, factor=draw(st.floats(0.01, 0.99)), warmup=warmup)


def _curve(schedule, last_step):
    return learning_rate_factor(schedule, np.arange(last_step), last_step)


def test_constant_is_constant():
    assert learning_rate_factor(Constant(name="constant"), 5, 10) == 1.0
    assert _curve(Constant(name="constant"), 4).tolist() == [1.0] * 4


@given(share=st.integers(0, 999), tenfold=st.integers(1, 10**6))
def test_a_decay_at_a_decimal_share_comes_at_its_step_exactly(share, tenfold):
    # share/1000 of 1000·tenfold steps is step share·tenfold, whatever 0.07·100 is in floats
    schedule = Piecewise(name="piecewise", at=(float(f"{share / 1000:.3f}"),), factor=0.2)
    first, last_step = share * tenfold, 1000 * tenfold
    assert learning_rate_factor(schedule, first, last_step) == 0.2
    if first:
        assert learning_rate_factor(schedule, first - 1, last_step) == 1.0


def test_the_papers_schedule_by_hand():
    curve = _curve(Piecewise(name="piecewise"), 10)
    np.testing.assert_allclose(curve, [1, 1, 1, 0.2, 0.2, 0.2, 0.04, 0.04, 0.04, 0.008])


def test_a_decay_between_two_steps_comes_at_the_later_one():
    curve = _curve(Piecewise(name="piecewise", at=(0.5,)), 5)
    np.testing.assert_allclose(curve, [1, 1, 1, 0.2, 0.2])


@given(last_step=st.integers(1, 500), warmup=WARMUPS)
def test_cosine_is_half_a_period_after_the_warmup(last_step, warmup):
    steps = np.arange(last_step)
    w = warmup * last_step
    x = np.clip((steps - w) / (last_step - w), 0, None)
    rise = np.minimum(1, (steps + 1) / w) if w else 1
    expected = rise * 0.5 * (1 + np.cos(math.pi * x))
    np.testing.assert_allclose(_curve(Cosine(name="cosine", warmup=warmup), last_step), expected, atol=1e-14)


def test_cosine_does_not_reach_0_even_in_the_longest_run():
    assert learning_rate_factor(Cosine(name="cosine"), 10**10 - 1, 10**10) > 0


@pytest.mark.parametrize(("warmup", "rise"), [(0.4, [0.25, 0.5, 0.75, 1.0]), (0.25, [0.4, 0.8, 1.0, 1.0])])
def test_warmup_is_linear_and_ends_at_the_full_rate(warmup, rise):
    np.testing.assert_allclose(_curve(Constant(name="constant", warmup=warmup), 10)[:4], rise)


@given(schedule=schedules(), last_step=st.integers(1, 300))
def test_factors_are_positive_and_at_most_1(schedule, last_step):
    curve = _curve(schedule, last_step)
    assert curve.dtype == np.float64
    assert ((curve > 0) & (curve <= 1)).all()


@given(schedule=schedules(), last_step=st.integers(1, 300))
def test_the_rate_never_rises_after_the_warmup_and_never_falls_in_it(schedule, last_step):
    curve = _curve(schedule, last_step)
    end = math.ceil(schedule.warmup * last_step)
    assert (np.diff(curve[end:]) <= 1e-15).all()
    assert (np.diff(curve[:end]) >= -1e-15).all()


@given(schedule=schedules(), last_steps=st.lists(st.integers(1, 1000), min_size=1, max_size=20), data=st.data())
def test_arrays_hold_what_single_numbers_give(schedule, last_steps, data):
    step = data.draw(st.integers(0, min(last_steps) - 1))
    packed = learning_rate_factor(schedule, step, np.array(last_steps))
    factors = [learning_rate_factor(schedule, step, last_step) for last_step in last_steps]
    assert {factor.shape for factor in factors} == {()}
    single = [float(factor) for factor in factors]
    assert packed.tolist() == single
    table = learning_rate_factor(schedule, np.arange(step + 1)[:, None], np.array(last_steps))
    assert table.shape == (step + 1, len(last_steps))
    assert table[-1].tolist() == single


@given(schedule=schedules(("constant", "cosine")), last_step=st.integers(200, 300))
def test_a_run_ten_times_as_long_has_the_same_curve(schedule, last_step):
    short, long = _curve(schedule, last_step), _curve(schedule, 10 * last_step)[::10]
    # a step later in the warm-up counts ten times less: (n + 1)/W against (10n + 1)/(10W)
    np.testing.assert_allclose(short, long, atol=1 / max(1, schedule.warmup * last_step))
