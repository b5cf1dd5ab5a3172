import pytest
import torch
from torch import nn
from torch.nn import functional

from search_spaces.sections.model import Cnn, FullyConnected, ResNet50, WideResNet
from trainables.models import build_model, scale_invariant


def _refuse(*_):
    raise AssertionError("a forward pass")


class FunctionalNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 5, bias=False), nn.Linear(5, 2)

    def forward(self, x):
        return self.b(functional.normalize(self.a(x), dim=1))


def test_modules_of_torchs_layers_without_a_norm_are_not_run():
    module = build_model(FullyConnected(name="fc"), (1, 8, 8), 10)
    module.register_forward_pre_hook(_refuse)
    assert scale_invariant(module, (1, 8, 8)) == ()


def test_the_convolutions_that_a_norm_follows():
    module = build_model(Cnn(name="cnn", channels=6, dense=8, pool=2, batch_norm="running"), (1, 12, 12), 10)
    assert scale_invariant(module, (1, 12, 12)) == ("0.weight", "3.weight", "7.weight")


@pytest.mark.parametrize("kind", ["batch", "running"])
def test_the_first_convolution_of_each_block(kind):
    module = build_model(WideResNet(name="wrn", depth=16, width=2, batch_norm=kind), (3, 8, 8), 10)
    assert scale_invariant(module, (3, 8, 8)) == tuple(f"{i}.conv1.weight" for i in range(1, 7))


def test_the_stem_too_where_a_norm_is_all_that_sees_it():
    """In the original form with width > 1 the first block has no raw shortcut."""
    module = build_model(WideResNet(name="wrn", depth=10, width=2, form="original"), (3, 8, 8), 10)
    assert scale_invariant(module, (3, 8, 8)) == ("0.weight", "1.conv1.weight", "2.conv1.weight", "3.conv1.weight")


@pytest.mark.parametrize("side", [8, 28])
def test_all_of_resnet50_but_its_last_layer(side):
    module = build_model(ResNet50(name="resnet50"), (1, side, side), 10)
    names = scale_invariant(module, (1, side, side))
    assert len(names) == 53
    assert "fc.weight" not in names


def test_a_layer_norm_hides_a_weight_without_bias_only():
    free = nn.Sequential(nn.Linear(6, 8, bias=False), nn.LayerNorm(8), nn.Linear(8, 3))
    assert scale_invariant(free, (6,)) == ("0.weight",)
    biased = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 3))
    assert scale_invariant(biased, (6,)) == ()


def test_norms_inside_a_users_forward_are_found():
    assert scale_invariant(FunctionalNorm(), (6,)) == ("a.weight",)


def test_the_module_is_left_as_it_was():
    module = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)).eval()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    assert scale_invariant(module, (6,)) == ("0.weight",)
    assert not module.training
    assert module[1].eps == 1e-5
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
