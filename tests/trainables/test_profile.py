import pytest
import torch
from torch import nn

from search_spaces.errors import InputError
from trainables.data import Dataset
from trainables.pack_limits import MAX_CPU_ACTIVATION_BYTES
from trainables.profile import _forward_cost, profile


def test_a_fully_connected_network_costs_two_flop_a_weight(make_recipe):
    cost = profile(
        make_recipe({"trainable.model": {"name": "fc", "width": 64, "depth": 3}, "trainable.data.train": 512})
    )
    assert cost.forward_flops == 2 * (64 * 64 + 64 * 64 + 64 * 64 + 64 * 10)
    assert cost.parameters == 3 * (64 * 64 + 64) + 64 * 10 + 10
    assert (cost.train, cost.test, cost.batch, cost.steps_per_epoch) == (512, 1285, 512, 1)
    assert cost.measured == 1285
    assert cost.pack_limit == MAX_CPU_ACTIVATION_BYTES // (512 * 64 * 4)


def test_a_convolution_costs_two_flop_a_weight_and_position():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, groups=2), nn.Flatten())
    images, labels = torch.rand(2, 3, 10, 10), [0, 1]
    data = Dataset.from_tensors(images, labels, images, labels, classes=2)
    flops, kept, widest = _forward_cost(model, data, None)
    assert flops == 2 * (27 * 8 * 100 + 36 * 4 * 64)
    assert (kept, widest) == (2 * 800 + 3 * 256, 800)


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


BATCHES = {"trainable.data.train": 100, "trainable.batch": 60}


def test_micro_batches_cost_as_much_as_the_batch_and_keep_less(make_recipe):
    whole, parts = profile(make_recipe(BATCHES)), profile(make_recipe(BATCHES | {"trainable.micro_batch": 15}))
    assert (parts.batch, parts.micro_batches, parts.processes) == (60, 4, 1)
    assert (parts.step_flops, parts.steps_per_epoch, parts.measured) == (whole.step_flops, 1, whole.measured)
    wide = {"trainable.model": {"name": "fc", "width": 512}}  # so that activations are what limits a pack
    limits = [profile(make_recipe(BATCHES | wide | more)).pack_limit for more in ({}, {"trainable.micro_batch": 15})]
    assert limits == [MAX_CPU_ACTIVATION_BYTES // (size * 512 * 4) for size in (60, 15)]


def test_a_full_batch_in_parts_is_no_measurement_of_the_set(make_recipe):
    full = {"trainable.data.train": 100, "trainable.batch": "full"}
    assert profile(make_recipe(full)).measured == 1697
    assert profile(make_recipe(full | {"trainable.micro_batch": 50})).measured == 1697 + 100


def test_points_that_several_processes_train_have_packs_of_their_own(make_recipe):
    cost = profile(make_recipe(BATCHES | {"trainable.micro_batch": 15}), processes=2)
    assert (cost.pack_limit, cost.processes) == (1, 2)


@pytest.mark.parametrize(("size", "other"), [(16, 15), (59, 30), (61, 60), (1_000, 60)])
def test_a_micro_batch_that_does_not_divide_the_batch_is_refused(make_recipe, size, other):
    said = rf"^trainable.micro_batch: {size:,} is not allowed: it does not divide the batch of 60 samples; {other} does"
    with pytest.raises(InputError, match=said):
        profile(make_recipe(BATCHES | {"trainable.micro_batch": size}))


@pytest.mark.parametrize(("size", "count"), [(15, 4), (None, 1)])
def test_processes_that_cannot_share_the_micro_batches_are_refused(make_recipe, size, count):
    recipe = make_recipe(BATCHES | {"trainable.micro_batch": size})
    said = rf"^resources.processes_per_pack: 3 is not allowed: a batch of 60 samples .* has {count} of them"
    with pytest.raises(InputError, match=said):
        profile(recipe, processes=3)


def test_the_rule_of_decay_is_told(make_recipe):
    assert profile(make_recipe({"l2": {"parameters": "matrices"}})).decay.endswith(
        "not on biases, norms and embeddings"
    )
