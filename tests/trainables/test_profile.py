import pytest
from torch import nn

from search_spaces.errors import InputError
from search_spaces.trainable import Digits, FullyConnected, Trainable
from trainables.profile import CPU_ACTIVATION_BYTES, _forward_cost, profile


def test_a_fully_connected_network_costs_two_flop_a_weight():
    spec = Trainable(model=FullyConnected(name="fc", width=64, depth=3), data=Digits(name="digits", train=512))
    cost = profile(spec)
    assert cost.forward_flops == 2 * (64 * 64 + 64 * 64 + 64 * 64 + 64 * 10)
    assert cost.parameters == 3 * (64 * 64 + 64) + 64 * 10 + 10
    assert (cost.train, cost.test, cost.batch, cost.steps_per_epoch) == (512, 1285, 512, 1)
    assert cost.free_train_measurement
    assert cost.pack_limit == CPU_ACTIVATION_BYTES // (512 * 64 * 4)


def test_a_convolution_costs_two_flop_a_weight_and_position():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, groups=2))
    flops, kept, widest = _forward_cost(model, (3, 10, 10))
    assert flops == 2 * (27 * 8 * 100 + 36 * 4 * 64)
    assert (kept, widest) == (2 * 800 + 256, 800)


def test_mini_batches_leave_the_rest_of_an_epoch_out():
    spec = Trainable(model=FullyConnected(name="fc"), data=Digits(name="digits", train=100), batch=30)
    cost = profile(spec)
    assert cost.steps_per_epoch == 3
    assert not cost.free_train_measurement
    assert cost.last_step(0.1) == 1
    assert cost.last_step(2.5) == 8


def test_a_batch_larger_than_the_training_set_is_refused():
    spec = Trainable(model=FullyConnected(name="fc"), data=Digits(name="digits", train=100), batch=101)
    with pytest.raises(InputError, match=r"^trainable.batch: 101 is not allowed: the training set has 100 samples\.$"):
        profile(spec)
