"""A training loop of one's own, as sweeper drives it."""

import math

import pytest

from search_spaces.outcome import Outcome
from search_spaces.sections.metric import TEST_ACCURACY, Metric
from search_spaces.sections.trainable import OwnLoop
from trainables import own_loop
from trainables.own_loop import Measured, run_own_loop


def measured(step, train_loss=1.0):
    return Measured(step=step, epoch=step, train_acc=0.5, test_acc=0.5, train_loss=train_loss, test_loss=1.0)


@pytest.fixture
def running(monkeypatch, make_point):
    """Measurements of a loop that yields so many, and what the loop has done so far."""

    def start(*yields, metric=TEST_ACCURACY):
        done = []

        def loop(point, device):
            for one in yields:
                done.append(one.step)
                yield one

        monkeypatch.setattr(own_loop, "import_function", lambda *_: loop)
        return run_own_loop(make_point(), OwnLoop(loop="mine:loop", arguments={}), "cpu", metric), done

    return start


def test_every_measurement_is_a_sign_of_life_as_soon_as_it_comes(running):
    measurements, done = running(measured(1), measured(5))
    first = next(measurements)
    assert (done, first.step, first.members) == ([1], 1, ())
    rest = list(measurements)
    assert [(m.step, bool(m.members)) for m in rest] == [(1, True), (5, False), (5, True)]
    assert [end.outcome for m in rest for end in m.ends] == [Outcome.COMPLETED]


def test_a_loss_that_is_not_finite_ends_the_point(running):
    measurements, done = running(measured(1), measured(2, math.nan), measured(3))
    assert [end.outcome for m in measurements for end in m.ends] == [Outcome.DIVERGED]
    assert done == [1, 2]


def test_steps_must_grow(running):
    measurements, _ = running(measured(2), measured(2))
    with pytest.raises(ValueError, match="yielded step 2 after step 2; steps must grow"):
        list(measurements)


def test_a_loop_measures_at_least_once(running):
    with pytest.raises(ValueError, match="mine:loop yielded no measurement"):
        list(running()[0])


def test_a_loop_without_classes_is_judged_by_its_loss(running):
    def loss(step):
        return Measured(step=step, epoch=step, train_loss=1.0, test_loss=2.0)

    measurements, _ = running(loss(1), loss(2), metric=Metric(name="test_loss"))
    *_, last = measurements
    assert (last.values["test_loss"].item(), math.isnan(last.values["test_acc"].item())) == (2.0, True)
    measurements, _ = running(loss(1), loss(2))
    with pytest.raises(ValueError, match="never yielded a finite test_acc, the metric of this grid: yield it, or let"):
        list(measurements)
