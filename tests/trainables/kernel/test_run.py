"""A kernel as the trainable of a grid."""

import math
import re

import numpy as np
import pytest

from search_spaces.errors import InputError
from search_spaces.outcome import Outcome
from search_spaces.recipe import Recipe
from trainables.profile import profile
from trainables.train import train_pack

DATA = {"name": "digits", "train": 40, "labels": "parity"}
SIGN = {"name": "mse", "targets": "sign", "scale": "sum"}
NTK = {"name": "fc", "width": 2000, "depth": 1, "bias": False, "parametrization": "ntk"}


def _recipe(kernel, measure=None, **changes):
    trainable = {"kernel": kernel, "data": DATA, "loss": SIGN} | changes
    return Recipe.model_validate({"trainable": trainable, "measure": measure or {"log": 5}})


def _curves(points, recipe):
    curves, ends = [{} for _ in points], {}
    for measurement in train_pack(points, recipe):
        for i, member in enumerate(measurement.members):
            curves[member].setdefault("step", []).append(measurement.step)
            for column, values in measurement.values.items():
                curves[member].setdefault(column, []).append(float(values[i]))
        ends |= {end.member: (measurement.step, end.outcome) for end in measurement.ends}
    return curves, ends


def test_measurements_are_those_of_training(make_point):
    point = make_point(eta=0.02, lam=0.01, budget=37.0)
    (curve,), ends = _curves([point], _recipe({"name": "relu", "depth": 1}))
    assert ends == {0: (37, Outcome.COMPLETED)}
    assert curve["step"] == curve["epoch"]
    assert curve["step"][-1] == 37
    np.testing.assert_allclose(curve["decay_time"], np.array(curve["step"]) * 0.02 * 0.01)
    assert set(curve["eta_t"]) == {0.02}
    assert all(math.isnan(v) for column in ("weight_norm", "eta_eff") for v in curve[column])
    assert 0.5 < curve["test_acc"][-1] < 1
    trained = _recipe({"name": "relu"})
    trained = Recipe.model_validate({"trainable": {"model": NTK | {"width": 4}, "data": DATA, "loss": SIGN}})
    assert set(curve) - {"step"} == set(next(train_pack([point], trained)).values)


@pytest.mark.parametrize("loss", [SIGN, {"name": "softmax", "scale": "paper"}], ids=lambda loss: loss["name"])
def test_a_pack_equals_its_points_alone(make_point, loss):
    points = [
        make_point(eta=0.02, lam=0.01, budget=30.0),
        make_point(eta=0.1, lam=0.0, budget=11.0),
        make_point(eta=0.02, lam=0.3, budget=100.0, seed=1),
        make_point(eta=0.02, lam=0.3, budget=100.0, sigma_w=1.0),
    ]
    recipe = _recipe({"name": "empirical", "model": NTK | {"width": 12}}, loss=loss)
    together, ends = _curves(points, recipe)
    assert {m: step for m, (step, _) in ends.items()} == {0: 30, 1: 11, 2: 100, 3: 100}
    for i, point in enumerate(points):
        (alone,), _ = _curves([point], recipe)
        for column, values in alone.items():
            np.testing.assert_array_equal(together[i][column], values, err_msg=column)


def test_a_wide_network_follows_the_theory_of_its_degree(make_point):
    """Figure 5c: the network's own kernel with k = 2 foretells its training loss, with k = 1 it does not."""
    point = make_point(eta=0.002, lam=0.05, budget=4000.0)
    network = Recipe.model_validate({"trainable": {"model": NTK, "data": DATA, "loss": SIGN}, "measure": {"log": 8}})
    (trained,), _ = _curves([point], network)
    losses = {}
    for k in (1, 2, "measured"):
        recipe = _recipe({"name": "empirical", "model": NTK}, measure={"log": 8}, homogeneity=k)
        (theory,), _ = _curves([point], recipe)
        losses[k] = np.array(theory["train_loss"])
    experiment = np.array(trained["train_loss"])
    assert trained["step"] == theory["step"]
    assert losses["measured"] == pytest.approx(losses[2], rel=1e-12)
    early = np.array(trained["step"]) <= 316  # until the loss is a twentieth of what it was
    np.testing.assert_allclose(experiment[early], losses[2][early], rtol=0.06)
    assert experiment[-1] < experiment[0] / 200
    k1, k2 = (abs(losses[k][-1] / experiment[-1] - 1) for k in (1, 2))
    assert k2 < 0.2
    assert k1 > 0.8
    for loss in (experiment, losses[2]):  # it rises again, since f decays
        assert loss[-1] > 1.05 * loss.min()
    assert losses[1].argmin() == len(experiment) - 1


def test_lam_is_in_the_convention_of_the_grid(make_point):
    def last(lam, convention):
        data = _recipe({"name": "relu"}).model_dump() | {"l2": {"convention": convention}}
        (curve,), _ = _curves([make_point(eta=0.02, lam=lam, budget=50.0)], Recipe.model_validate(data))
        return curve

    half, square = last(0.2, "half"), last(0.1, "square")
    assert half["train_loss"] == square["train_loss"]
    assert half["lam_t"] == square["lam_t"] == [0.2] * len(half["step"])


def test_training_metrics_of_a_part(make_point):
    (curve,), _ = _curves([make_point(budget=3.0)], _recipe({"name": "relu"}, measure={"every": "epoch", "train": 7}))
    assert all(7 * a == pytest.approx(round(7 * a)) for a in curve["train_acc"])


def test_a_centered_network_starts_from_zero(make_point):
    point = make_point(eta=1e-12, lam=0.0, budget=1.0)
    (curve,), _ = _curves([point], _recipe({"name": "empirical", "model": NTK | {"width": 9}, "centered": True}))
    assert curve["train_loss"][0] == pytest.approx(20.0)  # ½ · 40 samples, f = 0


def test_single_precision_derivatives_suffice(make_point):
    point = make_point(eta=0.01, lam=0.01, budget=300.0)
    kernel = {"name": "empirical", "model": NTK | {"width": 50}}
    (double,), _ = _curves([point], _recipe(kernel))
    (single,), _ = _curves([point], _recipe(kernel | {"precision": "float32"}))
    np.testing.assert_allclose(double["test_loss"], single["test_loss"], rtol=1e-4)


def test_the_cost_is_that_of_measurements_and_of_one_kernel_a_pack():
    mse, softmax = _recipe({"name": "relu"}), _recipe({"name": "relu"}, loss={"name": "softmax"})
    cost = profile(mse)
    assert (cost.train, cost.batch, cost.steps_per_epoch, cost.flow, cost.step_flops) == (40, 40, 1, True, 0.0)
    assert cost.measurement_flops == 2 * 40 * cost.measured
    assert cost.pack_flops > 9 * 40**3
    assert cost.point_flops == 0 < profile(softmax).point_flops
    assert "Theorem 1 with k = 2" in cost.decay
    wide = profile(_recipe({"name": "empirical", "model": NTK}))
    assert wide.parameters == 64 * 2000 + 2000
    assert 1 <= wide.pack_limit <= 64


def test_a_network_that_is_not_homogeneous_is_refused_when_it_is_planned():
    recipe = _recipe({"name": "empirical", "model": {"name": "fc", "width": 8}})
    with pytest.raises(InputError, match=re.escape("trainable.homogeneity: the network is not homogeneous")):
        profile(recipe)
    assert profile(_recipe({"name": "empirical", "model": {"name": "fc", "width": 8}}, homogeneity=3)).parameters > 0
