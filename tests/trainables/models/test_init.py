import math

import pytest
import torch
from torch import nn
from torch.func import functional_call

from search_spaces.sections.model import FullyConnected, WideResNet
from trainables.models import build_model, initial_buffers, initial_parameters, own_buffers, own_parameters


class OwnNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.full((4,), 3.0)), nn.Parameter(torch.full((4,), 3.0))


def test_fully_connected_starts_from_the_numbers_it_always_did():
    """Drawn in the order of the parameters; written out so that no refactoring moves published results."""
    module = build_model(FullyConnected(name="fc", width=5, depth=1), (2, 3), 4)
    got = initial_parameters(module, seed=7, sigma_w=2**0.5, sigma_b=0.1)
    generator = torch.Generator().manual_seed(7)
    for (name, p), fan_in in zip(got.items(), [6, None, 5, None], strict=True):
        scale = 0.1 if fan_in is None else 2**0.5 / math.sqrt(fan_in)
        assert torch.equal(p, torch.randn(p.shape, generator=generator) * scale), name


def test_in_ntk_parametrization_the_function_starts_as_in_the_standard_one():
    """W ~ N(0, 1) from the same draws, times σ_w/√fan_in in the layer."""
    spec = FullyConnected(name="fc", width=5, depth=2, bias=False)
    standard = build_model(spec, (2, 3), 4)
    ntk = build_model(spec.model_copy(update={"parametrization": "ntk"}), (2, 3), 4)
    options = {"seed": 7, "sigma_w": 1.3, "sigma_b": 0.0}
    parameters = initial_parameters(ntk, **options)
    assert abs(torch.cat([p.flatten() for p in parameters.values()]).std() - 1) < 0.2
    x = torch.randn(9, 2, 3)
    f = functional_call(ntk, parameters | initial_buffers(ntk, sigma_w=1.3), (x,))
    torch.testing.assert_close(f, functional_call(standard, initial_parameters(standard, **options), (x,)))


def test_norms_start_as_the_identity_whatever_sigma_b():
    module = nn.Sequential(
        *[nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(144, 6)],
        *[nn.LayerNorm((2, 3)), nn.RMSNorm(6), OwnNorm()],
    )
    parameters = initial_parameters(module, seed=0, sigma_w=1.0, sigma_b=0.5)
    for name, p in parameters.items():
        layer = module[int(name.split(".")[0])]
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert p.std() > 0, name
        else:
            assert torch.equal(p, torch.ones_like(p) if name.endswith("weight") else torch.zeros_like(p)), name


def test_a_norm_moves_no_later_draw():
    with_norm = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    a = initial_parameters(with_norm, seed=0, sigma_w=1.0, sigma_b=0.0)
    b = initial_parameters(with_norm, seed=0, sigma_w=2.0, sigma_b=1.0)
    torch.testing.assert_close(2 * a["2.weight"], b["2.weight"])


def test_weights_of_convolutions_have_the_variance_of_their_fan_in():
    parameters = initial_parameters(nn.Conv2d(40, 50, 3), seed=0, sigma_w=1.5, sigma_b=0.0)
    assert parameters["weight"].std().item() == pytest.approx(1.5 / math.sqrt(40 * 9), rel=0.02)


def test_running_statistics_start_fresh_and_other_buffers_as_they_are():
    module = nn.Sequential(nn.BatchNorm2d(3), nn.Linear(2, 2))
    module[0](torch.randn(2, 3, 4, 4))
    module[1].register_buffer("mask", torch.tensor([1.0, 5.0]))
    buffers = initial_buffers(module)
    assert buffers["0.running_mean"].tolist() == [0, 0, 0]
    assert buffers["0.running_var"].tolist() == [1, 1, 1]
    assert buffers["0.num_batches_tracked"] == 0
    assert buffers["0.num_batches_tracked"].dtype == torch.int64
    assert buffers["1.mask"].tolist() == [1, 5]
    assert own_buffers(module)["0.num_batches_tracked"] == 1


def test_buffers_of_a_model_without_memory():
    module = build_model(WideResNet(name="wrn", depth=10, width=1, batch_norm="running"), (1, 8, 8), 2)
    assert {b.device.type for b in initial_buffers(module).values()} == {"cpu"}


def test_own_parameters_scale_weights_alone_and_are_copies():
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm((1, 4)))
    own = own_parameters(module, 3.0)
    torch.testing.assert_close(own["0.weight"], 3 * module[0].weight.detach())
    for name in ("0.bias", "1.weight", "1.bias"):
        assert torch.equal(own[name], module.get_parameter(name))
        assert own[name].data_ptr() != module.get_parameter(name).data_ptr()
    assert not any(p.requires_grad for p in own.values())
