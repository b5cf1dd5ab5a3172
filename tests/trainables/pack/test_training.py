import io
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from search_spaces.outcome import Outcome
from search_spaces.points import Point
from trainables.auto_l2 import AutoL2
from trainables.data import load_data
from trainables.measurement import Measurement
from trainables.models import initial_parameters
from trainables.pack.training import PackTraining
from trainables.train import train_pack


def _collect(measurements, count):
    """Per point: {column: [value a measurement]} with its steps, and its end as (step, outcome, why)."""
    curves, ends = [{} for _ in range(count)], {}
    for measurement in measurements:
        for i, member in enumerate(measurement.members):
            curves[member].setdefault("step", []).append(measurement.step)
            for column, values in measurement.values.items():
                curves[member].setdefault(column, []).append(float(values[i]))
        ends |= {end.member: (measurement.step, end.outcome, end.why) for end in measurement.ends}
    return curves, ends


def _train(points, recipe):
    return _collect(train_pack(points, recipe), len(points))


def _assert_same(curve, other):
    assert curve.keys() == other.keys()
    for column, values in curve.items():
        np.testing.assert_array_equal(values, other[column], err_msg=column)


class _PlainLoop:
    """The same training with torch's own modules and optimizers: the reference."""

    def __init__(self, point, recipe, optimizer):
        self.data = load_data(recipe.trainable.data)
        self.x_train = self.data.normalize(self.data.train.x)
        self.x_test = self.data.normalize(self.data.test.x)
        spec = recipe.trainable.model
        widths = [64, *[spec.width] * spec.depth, 10]
        layers = [nn.Flatten()]
        for fan_in, fan_out in pairwise(widths):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        self.module = nn.Sequential(*layers[:-1])
        self.module.load_state_dict(
            initial_parameters(self.module, seed=point.seed, sigma_w=point.sigma_w, sigma_b=0.0)
        )
        self.optimizer = optimizer(self.module)
        self.scale = {"mean": 1.0, "paper": 1 / 20, "code": 1 / 10}[recipe.trainable.loss.scale]

    def run(self, steps, order=None, eta=None, watch=None):
        """(test loss, test accuracy, ‖θ‖²) after each step."""
        rows = []
        for n in range(steps):
            index = slice(None) if order is None else order(n)
            if eta is not None:
                for group in self.optimizer.param_groups:
                    group["lr"] = eta(n)
            outputs, labels = self.module(self.x_train[index]), self.data.train.labels[index]
            loss = nn.functional.cross_entropy(outputs, labels) * self.scale
            if watch is not None and n:  # at the parameters after n steps
                watch(loss.item(), (outputs.argmax(1) != labels).float().mean())
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            with torch.no_grad():
                outputs = self.module(self.x_test)
                norm = sum(p.square().sum() for p in self.module.parameters())
                loss = nn.functional.cross_entropy(outputs, self.data.test.labels) * self.scale
                accuracy = (outputs.argmax(1) == self.data.test.labels).float().mean()
                rows.append((float(loss), float(accuracy), float(norm)))
        return np.array(rows)


def _assert_close(curve, expected):
    np.testing.assert_allclose(curve["test_loss"], expected[:, 0], rtol=5e-5)
    np.testing.assert_allclose(curve["weight_norm"], expected[:, 2], rtol=5e-5)
    np.testing.assert_allclose(curve["test_acc"], expected[:, 1], atol=1.5 / 1733)


@pytest.mark.parametrize("mu", [0.0, 0.9])
@pytest.mark.parametrize("scale", ["mean", "paper", "code"])
def test_every_step_equals_torch_sgd_with_weight_decay(make_point, make_recipe, mu, scale):
    point = make_point(eta=0.1, lam=0.03, mu=mu, budget=60)
    recipe = make_recipe({"trainable.loss": {"name": "softmax", "scale": scale}})
    (curve,), _ = _train([point], recipe)
    loop = _PlainLoop(
        point, recipe, lambda m: torch.optim.SGD(m.parameters(), lr=point.eta, momentum=mu, weight_decay=point.lam)
    )
    _assert_close(curve, loop.run(60))


OPTIMIZERS = {
    "nesterov": ({"name": "sgd", "nesterov": True}, 0.9, 0.05, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adamw": ({"name": "adamw", "beta2": 0.99}, 0.0, 0.003, torch.optim.AdamW, {"betas": (0.9, 0.99)}),
    "adam": ({"name": "adam", "coupled": True}, 0.0, 0.003, torch.optim.Adam, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_equals_torchs(make_point, make_recipe, name):
    section, mu, eta, peer, options = OPTIMIZERS[name]
    point, recipe = make_point(eta=eta, lam=0.1, mu=mu, budget=40), make_recipe({"optimizer": section})
    (curve,), _ = _train([point], recipe)
    loop = _PlainLoop(point, recipe, lambda m: peer(m.parameters(), lr=eta, weight_decay=0.1, **options))
    _assert_close(curve, loop.run(40))


@pytest.mark.parametrize(
    ("section", "weight_decay"),
    [({"convention": "square"}, 0.06), ({"convention": "per_sample"}, 0.03 / 64), ({"parameters": "matrices"}, 0.03)],
)
def test_every_convention_of_l2_is_a_weight_decay_of_torch(make_point, make_recipe, section, weight_decay):
    point, recipe = make_point(eta=0.2, lam=0.03, budget=30), make_recipe({"l2": section})
    (curve,), _ = _train([point], recipe)

    def optimizer(module):
        matrices = [p for p in module.parameters() if p.ndim > 1]
        others = [p for p in module.parameters() if p.ndim == 1]
        decay = 0.0 if section.get("parameters") == "matrices" else weight_decay
        groups = [{"params": matrices}, {"params": others, "weight_decay": decay}]
        return torch.optim.SGD(groups, lr=0.2, weight_decay=weight_decay)

    _assert_close(curve, _PlainLoop(point, recipe, optimizer).run(30))
    np.testing.assert_allclose(curve["lam_t"], weight_decay)
    np.testing.assert_allclose(curve["decay_time"], np.arange(1, 31) * 0.2 * weight_decay)


def test_a_schedule_changes_the_learning_rate_and_the_decay_time(make_point, make_recipe):
    point = make_point(eta=0.2, lam=0.05, mu=0.9, budget=20)
    recipe = make_recipe({"schedule": {"name": "piecewise", "at": [0.3, 0.6, 0.9], "factor": 0.2}})
    (curve,), _ = _train([point], recipe)
    rates = [0.2 * 0.2 ** sum(n >= 20 * a for a in (0.3, 0.6, 0.9)) for n in range(20)]
    loop = _PlainLoop(point, recipe, lambda m: torch.optim.SGD(m.parameters(), lr=0.2, momentum=0.9, weight_decay=0.05))
    _assert_close(curve, loop.run(20, eta=rates.__getitem__))
    np.testing.assert_allclose(curve["eta_t"], rates)
    np.testing.assert_allclose(curve["decay_time"], np.cumsum(rates) * 0.05 / 0.1)


def _order(n):
    """The batches of 24 out of 64 (two an epoch, 16 left out) of seed 3."""
    return torch.from_numpy(np.random.default_rng([3, n // 2]).permutation(64)[n % 2 * 24 : (n % 2 + 1) * 24])


def test_mini_batches_follow_the_permutation_of_seed_and_epoch(make_point, make_recipe):
    point, recipe = make_point(seed=3, budget=5), make_recipe({"trainable.batch": 24})
    (curve,), _ = _train([point], recipe)
    loop = _PlainLoop(point, recipe, lambda m: torch.optim.SGD(m.parameters(), lr=point.eta, weight_decay=point.lam))
    assert curve["step"] == [2, 4, 6, 8, 10]
    _assert_close(curve, loop.run(10, _order)[1::2])


@pytest.mark.parametrize("signal", ["batch", "train"])
def test_auto_l2_in_a_pack_equals_the_drop_in_in_a_plain_loop(make_point, make_recipe, signal):
    points = [make_point(eta=0.1, lam=lam, seed=3, budget=100) for lam in (0.3, 1.0)]
    batch = 24 if signal == "batch" else "full"
    recipe = make_recipe({"trainable.batch": batch, "l2": {"auto": {"every": 5, "signal": signal}}})
    curves, _ = _train(points, recipe)
    for point, curve in zip(points, curves, strict=True):
        loop = _PlainLoop(point, recipe, lambda m, p=point: torch.optim.SGD(m.parameters(), lr=0.1, weight_decay=p.lam))
        auto = AutoL2(loop.optimizer, lam=point.lam, every=5)
        steps = curve["step"][-1]
        lams = []

        def watch(loss, error, auto=auto, lams=lams):
            auto.step(loss, error)
            lams.append(auto.lam)

        expected = loop.run(steps, _order if signal == "batch" else None, watch=watch)
        np.testing.assert_allclose(curve["lam_t"][1:], [([point.lam, *lams])[n - 1] for n in curve["step"][1:]])
        np.testing.assert_allclose(curve["test_loss"], expected[np.array(curve["step"]) - 1, 0], rtol=1e-3)
    assert curves[1]["lam_t"][-1] < 1.0


PACKED = st.lists(
    st.tuples(
        st.sampled_from([0.05, 0.3, 1.0]),
        st.sampled_from([1e-5, 1e-3, 0.1]),
        st.integers(0, 2),
        st.sampled_from([0.7, 2**0.5]),
        st.integers(1, 12),
    ),
    min_size=1,
    max_size=6,
)
CHANGES = [
    {"measure": {"log": 5}},
    {"trainable.batch": 16, "optimizer": {"name": "adamw"}, "schedule": {"name": "cosine", "warmup": 0.2}},
    {"trainable.batch": 16, "trainable.augment": {"crop": 1, "flip": True, "mixup": 1.0}, "measure": {"log": 9}},
    {"l2": {"auto": {"every": 2}, "parameters": "matrices"}, "trainable.loss": {"name": "mse"}},
]  # fmt: skip


def _points(members, mu=0.0):
    return [
        Point(id=str(i), eta=e, lam=lam, mu=mu, seed=s, sigma_w=w, budget=float(b))
        for i, (e, lam, s, w, b) in enumerate(members)
    ]


@settings(max_examples=25, deadline=None)
@given(members=PACKED, change=st.sampled_from(CHANGES))
def test_a_pack_equals_its_points_alone_bit_for_bit(make_recipe, members, change):
    recipe, points = make_recipe(change), _points(members)
    together, ends = _train(points, recipe)
    for i, point in enumerate(points):
        alone, end = _train([point], recipe)
        _assert_same(together[i], alone[0])
        assert ends[i] == end[0]


CONVOLUTIONAL = [
    {"name": "cnn", "channels": 4, "dense": 8, "pool": 2},
    {"name": "cnn", "channels": 4, "dense": 8, "pool": 2, "batch_norm": "batch"},
    {"name": "cnn", "channels": 4, "dense": 8, "pool": 2, "batch_norm": "running"},
    {"name": "wrn", "depth": 10, "width": 1},
    {"name": "wrn", "depth": 10, "width": 1, "form": "original", "batch_norm": "running"},
]


@pytest.mark.parametrize("model", CONVOLUTIONAL, ids=lambda m: "-".join(map(str, m.values())))
def test_a_convolutional_pack_equals_its_points_alone(make_recipe, model):
    recipe = make_recipe({"trainable.model": model, "trainable.batch": 32})
    points = _points([(0.05, 1e-2, 0, 1.0, 2), (0.1, 0.1, 1, 1.0, 3), (0.02, 0.1, 0, 0.7, 1)])
    together, ends = _train(points, recipe)
    for i, point in enumerate(points):
        (alone,), end = _train([point], recipe)
        assert ends[i] == end[0]
        for column in ("test_loss", "train_loss", "weight_norm", "eta_eff"):  # rounding differs: sums in another order
            np.testing.assert_allclose(together[i][column], alone[column], rtol=2e-3, err_msg=column)


def test_running_statistics_of_a_full_batch_are_those_of_the_steps_taken(make_recipe):
    """A member that leaves, or an interruption, must not run a training pass twice."""
    recipe = make_recipe({"trainable.model": CONVOLUTIONAL[2]})
    points = _points([(0.05, 1e-2, 0, 1.0, 6), (0.05, 0.1, 0, 1.0, 3)])
    together, _ = _train(points, recipe)
    (alone,), _ = _train(points[:1], recipe)
    np.testing.assert_allclose(together[0]["test_loss"], alone["test_loss"], rtol=1e-4)
    _assert_resumes(points, recipe, 3)


@settings(max_examples=15, deadline=None)
@given(members=PACKED, change=st.sampled_from(CHANGES), mu=st.sampled_from([0.0, 0.9]), at=st.integers(0, 12))
def test_resumed_equals_uninterrupted_bit_for_bit(make_recipe, members, change, mu, at):
    recipe, points = make_recipe(change), _points(members, mu)
    _assert_resumes(points, recipe, at)


@pytest.mark.parametrize("model", CONVOLUTIONAL[2:], ids=lambda m: "-".join(map(str, m.values())))
def test_convolutional_packs_resume_too(make_recipe, model):
    recipe = make_recipe({"trainable.model": model, "trainable.batch": 32})
    _assert_resumes(_points([(0.05, 1e-2, 0, 1.0, 3), (0.1, 0.1, 1, 1.0, 4)]), recipe, 1)


def test_a_point_that_has_peaked_is_stopped_and_its_rows_are_those_it_would_have_had(make_recipe):
    measure = {"measure": {"log": 20}, "trainable.batch": 16}
    points = _points([(0.1, 0.3, 0, 1.0, 200), (0.1, 0.1, 1, 1.0, 400), (0.1, 0.0, 0, 1.0, 100), (0.1, 0.3, 0, 1.0, 3)])
    whole, _ = _train(points, make_recipe(measure))
    stopped, ends = _train(points, make_recipe(measure | {"stop": "peaked"}))
    assert [ends[i][1] for i in range(4)] == [Outcome.STOPPED, Outcome.STOPPED, Outcome.COMPLETED, Outcome.COMPLETED]
    for curve, reference in zip(stopped, whole, strict=True):
        count = len(curve["step"])
        _assert_same(curve, {column: values[:count] for column, values in reference.items()})
    for curve in stopped[:2]:
        s = np.array(curve["decay_time"])
        star = s[np.argmax(np.array(curve["test_acc"]) >= max(curve["test_acc"]) - 0.005)]
        assert s[-1] >= max(1, 2.5 * star)


def test_a_point_is_stopped_by_the_metric_of_its_grid(make_recipe):
    changes = {"measure": {"log": 20}, "trainable.batch": 16, "stop": "peaked", "metric": {"name": "test_loss"}}
    points = _points([(0.1, 0.3, 0, 1.0, 200), (0.1, 0.1, 1, 1.0, 400)])
    recipe = make_recipe(changes)
    curves, ends = _train(points, recipe)
    assert [ends[i][1] for i in range(2)] == [Outcome.STOPPED, Outcome.STOPPED]
    for curve in curves:
        s, loss = np.array(curve["decay_time"]), np.array(curve["test_loss"])
        within = loss <= loss.min() + 0.005 * (loss[0] - loss.min())
        assert s[-1] >= max(1, 2.5 * s[np.argmax(within)]) > s[-2]
    _assert_resumes(points, recipe, 20)


def test_a_stop_is_the_same_after_an_interruption(make_recipe):
    recipe = make_recipe({"measure": {"log": 20}, "trainable.batch": 16, "stop": "peaked"})
    points = _points([(0.1, 0.3, 0, 1.0, 200), (0.1, 0.1, 1, 1.0, 400)])
    for at in (0, 20, 40):
        _assert_resumes(points, recipe, at)


def _assert_resumes(points, recipe, at):
    """Interrupt after measurement ``at``, go through a file, and compare the measurements after it."""
    expected = list(train_pack(points, recipe))
    at = min(at, len(expected) - 1)
    first = PackTraining(points, recipe)
    for _, _ in zip(range(at + 1), first.measurements(), strict=False):
        pass
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = PackTraining(points, recipe)
    second.load_state_dict(torch.load(file, weights_only=True))
    rest = list(second.measurements())
    assert len(rest) == len(expected) - at - 1
    for got, want in zip(rest, expected[at + 1 :], strict=True):
        assert (got.step, got.members, got.ends) == (want.step, want.members, want.ends)
        for column in want.values:
            np.testing.assert_array_equal(got.values[column], want.values[column], err_msg=column)


def test_a_diverging_point_ends_and_leaves_the_others_as_they_were(make_point, make_recipe):
    sound = [make_point(eta=0.1, lam=lam) for lam in (0.0, 1e-2)]
    wild = make_point(eta=1e6, lam=1.0)
    recipe = make_recipe()
    (first, bad, second), ends = _train([sound[0], wild, sound[1]], recipe)
    expected, _ = _train(sound, recipe)
    _assert_same(first, expected[0])
    _assert_same(second, expected[1])
    assert ends[1][1:] == (Outcome.DIVERGED, "loss or weights are not finite")
    assert ends[1][0] < 20
    assert math.isnan(bad["test_acc"][-1])
    assert ends[0][1] is ends[2][1] is Outcome.COMPLETED


def test_points_leave_at_their_own_budget(make_point, make_recipe):
    points = [make_point(budget=b) for b in (3.0, 10.0, 6.5)]
    curves, ends = _train(points, make_recipe({"measure": {"log": 3}}))
    assert {m: end[0] for m, end in ends.items()} == {0: 3, 1: 10, 2: 7}
    assert [c["step"][-1] for c in curves] == [3, 10, 7]


def test_training_metrics_from_the_steps_own_pass_equal_an_evaluation(make_point, make_recipe):
    points, recipe = [make_point(), make_point(lam=0.1)], make_recipe()

    def first(reuse):
        run = PackTraining(points, recipe)
        run.step(run.full_batch_outputs())
        return run._measure(run.full_batch_outputs() if reuse else None).values

    _assert_same(first(True), first(False))


def test_training_accuracy_on_a_part_of_the_set(make_point, make_recipe):
    (curve,), _ = _train([make_point(budget=3)], make_recipe({"measure.train": 7}))
    assert all((7 * a) == pytest.approx(round(7 * a), abs=1e-5) for a in curve["train_acc"])
    (batched,), _ = _train([make_point(budget=3)], make_recipe({"measure.train": 7, "trainable.batch": 64}))
    np.testing.assert_allclose(curve["train_loss"][0], batched["train_loss"][0], rtol=1e-5)


def test_a_network_that_is_all_zero_is_right_about_one_class_only(make_point, make_recipe):
    point = make_point(eta=1.0, lam=1.0, budget=3)  # 1 - eta lam = 0: the weights are the last gradient
    (curve,), _ = _train([point], make_recipe({"trainable.loss": {"name": "softmax", "scale": "paper"}}))
    assert max(curve["test_acc"]) < 0.5


def test_even_and_odd_digits_by_the_sign_of_one_output(make_point, make_recipe):
    data = {"name": "digits", "train": 512, "labels": "parity"}
    recipe = make_recipe({"trainable.data": data, "trainable.loss": {"name": "mse", "targets": "sign"}})
    (curve,), _ = _train([make_point(eta=0.1, budget=150)], recipe)
    assert curve["test_acc"][-1] > 0.85


def test_the_effective_learning_rate_is_that_of_the_layers_before_batch_norm(make_point, make_recipe):
    recipe = make_recipe({"trainable.model": CONVOLUTIONAL[1]})
    training = PackTraining([make_point(budget=2)], recipe)
    *_, last = training.measurements()
    state = PackTraining([make_point(budget=2)], recipe)
    for _ in range(2):
        state.step(state.full_batch_outputs())
    norm = sum(
        p.square().sum().item() for name, p in state._network.parameters.items() if name in state._network._invariant
    )
    assert 0 < len(state._network._invariant) < 4
    assert last.values["eta_eff"][0] == pytest.approx(0.3 / norm, rel=1e-5)
    assert math.isnan(next(train_pack([make_point()], make_recipe())).values["eta_eff"][0])


def test_measurements_carry_every_column(make_point, make_recipe):
    measurement = next(train_pack([make_point()], make_recipe()))
    assert isinstance(measurement, Measurement)
    assert set(measurement.values) == {
        "train_acc", "train_loss", "test_acc", "test_loss", "weight_norm", "eta_eff", "eta_t", "lam_t", "decay_time",
        "epoch",
    }  # fmt: skip


@pytest.mark.parametrize("precision", ["bfloat16", "tf32"])
def test_lower_precision_trains_nearly_the_same(make_point, make_recipe, precision):
    point = make_point(eta=0.1, budget=10)
    (low,), _ = _train([point], make_recipe({"trainable.numerics.precision": precision}))
    (full,), _ = _train([point], make_recipe())
    np.testing.assert_allclose(low["test_loss"], full["test_loss"], rtol=0.02)
    assert (low["test_loss"] != full["test_loss"]) == (precision == "bfloat16")  # tf32 is for GPUs
