import pytest
from torch import nn

from search_spaces.errors import InputError
from trainables.profile import CPU_ACTIVATION_BYTES, _forward_cost, profile


def test_a_fully_connected_network_costs_two_flop_a_weight(make_recipe):
    cost = profile(
        make_recipe({"trainable.model": {"name": "fc", "width": 64, "depth": 3}, "trainable.data.train": 512})
    )
    assert cost.forward_flops == 2 * (64 * 64 + 64 * 64 + 64 * 64 + 64 * 10)
    assert cost.parameters == 3 * (64 * 64 + 64) + 64 * 10 + 10
    assert (cost.train, cost.test, cost.batch, cost.steps_per_epoch) == (512, 1285, 512, 1)
    assert cost.measured == 1285
    assert cost.pack_limit == CPU_ACTIVATION_BYTES // (512 * 64 * 4)


def test_a_convolution_costs_two_flop_a_weight_and_position():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, groups=2))
    flops, kept, widest, _ = _forward_cost(model, (3, 10, 10))
    assert flops == 2 * (27 * 8 * 100 + 36 * 4 * 64)
    assert (kept, widest) == (2 * 800 + 256 + 256, 800)


def test_mini_batches_leave_the_rest_of_an_epoch_out(make_recipe):
    cost = profile(make_recipe({"trainable.data.train": 100, "trainable.batch": 30}))
    assert cost.steps_per_epoch == 3
    assert cost.measured == 1697 + 100
    assert cost.last_step(0.1) == 1
    assert cost.last_step(2.5) == 8


def test_a_measurement_of_part_of_the_training_set_costs_less(make_recipe):
    changes = {"trainable.data.train": 100, "trainable.batch": 30, "measure.train": 10}
    assert profile(make_recipe(changes)).measured == 1697 + 10


def test_auto_l2_looks_at_the_whole_set_every_so_many_steps(make_recipe):
    changes = {"trainable.data.train": 100, "trainable.batch": 30, "l2": {"auto": {"every": 5, "signal": "train"}}}
    cost = profile(make_recipe(changes))
    assert cost.watched == 20
    assert cost.step_flops == (3 * 30 + 20) * cost.forward_flops
    assert profile(make_recipe({**changes, "l2": {"auto": {"every": 5}}})).watched == 0


def test_a_batch_larger_than_the_training_set_is_refused(make_recipe):
    with pytest.raises(InputError, match=r"^trainable.batch: 101 is not allowed: the training set has 100 samples\.$"):
        profile(make_recipe({"trainable.data.train": 100, "trainable.batch": 101}))


def test_the_rule_of_decay_is_told(make_recipe):
    assert profile(make_recipe({"l2": {"parameters": "matrices"}})).decay.endswith(
        "not on biases, norms and embeddings"
    )
