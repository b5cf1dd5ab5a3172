import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from search_spaces.grid import Measure
from search_spaces.optimizer import Sgd
from search_spaces.outcome import Outcome
from search_spaces.points import Point
from search_spaces.trainable import Digits, FullyConnected, Softmax, Trainable
from trainables.data import load_data
from trainables.models import initial_parameters
from trainables.train import Ended, Measurement, _PackRun, train_pack


def _collect(points, trainable, measure, optimizer=None):
    """Per point: {column: [value a measurement]} with its steps, and its end."""
    curves, ends = [{} for _ in points], {}
    for event in train_pack(points, trainable, optimizer or Sgd(name="sgd"), measure):
        if isinstance(event, Ended):
            ends[event.member] = event
            continue
        for i, member in enumerate(event.members):
            curves[member].setdefault("step", []).append(event.step)
            for column, values in event.values.items():
                curves[member].setdefault(column, []).append(float(values[i]))
    return curves, ends


def _plain_loop(point, trainable, steps, order=None):
    """The same training with torch's own modules and optimizer: the reference."""
    data = load_data(trainable.data)
    spec = trainable.model
    widths = [64, *[spec.width] * spec.depth, 10]
    layers = [nn.Flatten()]
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    module = nn.Sequential(*layers[:-1])
    start = initial_parameters(module, seed=point.seed, sigma_w=point.sigma_w, sigma_b=0.0)
    module.load_state_dict(start)
    optimizer = torch.optim.SGD(module.parameters(), lr=point.eta, momentum=point.mu, weight_decay=point.lam)
    scale = 1 / 20 if trainable.loss.scale == "paper" else 1.0
    rows = []
    for n in range(steps):
        index = slice(None) if order is None else order(n)
        optimizer.zero_grad()
        (nn.functional.cross_entropy(module(data.x_train[index]), data.y_train[index]) * scale).backward()
        optimizer.step()
        with torch.no_grad():
            logits = module(data.x_test)
            norm = sum(p.square().sum() for p in module.parameters())
            loss = nn.functional.cross_entropy(logits, data.y_test) * scale
            rows.append((float(loss), float((logits.argmax(1) == data.y_test).float().mean()), float(norm)))
    return np.array(rows)


@pytest.mark.parametrize("mu", [0.0, 0.9])
@pytest.mark.parametrize("scale", ["mean", "paper"])
def test_every_step_equals_torch_sgd_with_weight_decay(make_point, make_trainable, every_epoch, mu, scale):
    point, trainable = make_point(eta=0.1, lam=0.03, mu=mu, budget=60), make_trainable(scale=scale)
    (curve,), _ = _collect([point], trainable, every_epoch)
    expected = _plain_loop(point, trainable, 60)
    np.testing.assert_allclose(curve["test_loss"], expected[:, 0], rtol=2e-5)
    np.testing.assert_allclose(curve["weight_norm"], expected[:, 2], rtol=2e-5)
    np.testing.assert_allclose(curve["test_acc"], expected[:, 1], atol=1.5 / len(load_data(trainable.data).y_test))


def test_mini_batches_follow_the_permutation_of_seed_and_epoch(make_point, make_trainable, every_epoch):
    point, trainable = make_point(seed=3, budget=5), make_trainable(batch=24)  # 64 = 2 full batches, 16 left out

    def order(n):
        return torch.from_numpy(np.random.default_rng([3, n // 2]).permutation(64)[n % 2 * 24 : (n % 2 + 1) * 24])

    (curve,), _ = _collect([point], trainable, every_epoch)
    expected = _plain_loop(point, trainable, 10, order)[1::2]
    assert curve["step"] == [2, 4, 6, 8, 10]
    np.testing.assert_allclose(curve["test_loss"], expected[:, 0], rtol=2e-5)


PACKED = st.lists(
    st.tuples(
        st.sampled_from([0.05, 0.3, 1.0]),
        st.sampled_from([0.0, 1e-3, 0.1]),
        st.integers(0, 2),
        st.sampled_from([0.7, 2**0.5]),
        st.integers(1, 12),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None)
@given(members=PACKED, batch=st.sampled_from(["full", 16]), measure=st.sampled_from(["epoch", "log"]))
def test_a_pack_equals_its_points_alone_bit_for_bit(members, batch, measure):
    trainable = Trainable(
        model=FullyConnected(name="fc", width=16, depth=2),
        data=Digits(name="digits", train=64),
        loss=Softmax(name="softmax", scale="paper"),
        batch=batch,
    )
    schedule = Measure(every="epoch") if measure == "epoch" else Measure(log=5)
    points = [
        Point(id=str(i), eta=e, lam=lam, mu=0.0, seed=s, sigma_w=w, budget=float(b))
        for i, (e, lam, s, w, b) in enumerate(members)
    ]
    together, ends = _collect(points, trainable, schedule)
    for i, point in enumerate(points):
        alone, end = _collect([point], trainable, schedule)
        assert together[i] == alone[0]
        assert (ends[i].step, ends[i].outcome) == (end[0].step, end[0].outcome)


def test_a_diverging_point_ends_and_leaves_the_others_as_they_were(make_point, make_trainable, every_epoch):
    sound = [make_point(eta=0.1, lam=lam) for lam in (0.0, 1e-2)]
    wild = make_point(eta=1e6, lam=1.0)
    trainable = make_trainable()
    (first, bad, second), ends = _collect([sound[0], wild, sound[1]], trainable, every_epoch)
    expected, _ = _collect(sound, trainable, every_epoch)
    assert [first, second] == expected
    assert ends[1].outcome is Outcome.DIVERGED
    assert ends[1].step < 20
    assert ends[1].why == "loss or weights are not finite"
    assert math.isnan(bad["test_acc"][-1])
    assert ends[0].outcome is ends[2].outcome is Outcome.COMPLETED


def test_points_leave_at_their_own_budget(make_point, make_trainable):
    points = [make_point(budget=b) for b in (3.0, 10.0, 6.5)]
    curves, ends = _collect(points, make_trainable(), Measure(log=3))
    assert {m: e.step for m, e in ends.items()} == {0: 3, 1: 10, 2: 7}
    assert [c["step"][-1] for c in curves] == [3, 10, 7]


def test_decay_time_is_the_sum_of_eta_lam_over_one_minus_mu(make_point, make_trainable, every_epoch):
    point = make_point(eta=0.2, lam=0.05, mu=0.9, budget=4)
    (curve,), _ = _collect([point], make_trainable(), every_epoch)
    np.testing.assert_allclose(curve["decay_time"], np.arange(1, 5) * 0.2 * 0.05 / 0.1)
    assert curve["eta_t"] == [0.2] * 4


def test_training_metrics_from_the_steps_own_pass_equal_an_evaluation(make_point, make_trainable, every_epoch):
    def first(reuse):
        run = _PackRun([make_point(), make_point(lam=0.1)], make_trainable(), every_epoch, torch.device("cpu"))
        run.train_step(run.training_logits())
        return run.measure(run.training_logits() if reuse else None).values

    reused, evaluated = first(True), first(False)
    assert all(np.array_equal(reused[column], evaluated[column]) for column in reused)


def test_a_network_that_is_all_zero_is_right_about_one_class_only(make_point, make_trainable, every_epoch):
    point = make_point(eta=1.0, lam=1.0, budget=3)  # 1 - eta lam = 0: the weights are the last gradient
    (curve,), _ = _collect([point], make_trainable(scale="paper"), every_epoch)
    assert max(curve["test_acc"]) < 0.5


def test_measurements_carry_every_column(make_point, make_trainable, every_epoch):
    event = next(train_pack([make_point()], make_trainable(), Sgd(name="sgd"), every_epoch))
    assert isinstance(event, Measurement)
    assert set(event.values) == {
        "train_acc", "train_loss", "test_acc", "test_loss", "weight_norm", "eta_t", "lam_t", "decay_time", "epoch",
    }  # fmt: skip
