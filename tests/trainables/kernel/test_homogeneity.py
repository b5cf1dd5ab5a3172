import re

import pytest
import torch
from torch import nn

from search_spaces.errors import InputError
from search_spaces.sections.model import Cnn, FullyConnected, WideResNet
from trainables.kernel.homogeneity import measure_homogeneity
from trainables.models import build_model


@pytest.mark.parametrize("parametrization", ["standard", "ntk"])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_network_of_L_layers_without_biases_has_degree_L(depth, parametrization):
    spec = FullyConnected(name="fc", depth=depth, bias=False, parametrization=parametrization)
    assert measure_homogeneity(build_model(spec, (1, 4, 4), 3), (1, 4, 4)) == depth + 1


class Squares(nn.Module):
    """A degree that is no number of layers."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(16, 8, bias=False)

    def forward(self, x):
        return self.a(x.flatten(1)).abs() ** 1.5


def test_other_degrees():
    assert measure_homogeneity(Squares(), (1, 4, 4)) == pytest.approx(1.5)
    biasless = nn.Sequential(nn.Flatten(), nn.Linear(16, 8, bias=False), nn.BatchNorm1d(8), nn.Linear(8, 2, bias=False))
    assert measure_homogeneity(biasless, (1, 4, 4)) == pytest.approx(2)  # the norm's scale, the last layer


@pytest.mark.parametrize(
    "spec",
    [
        FullyConnected(name="fc"),
        Cnn(name="cnn", channels=2, dense=3, pool=1),
        WideResNet(name="wrn", depth=10, width=1),
    ],
    ids=lambda spec: spec.name,
)
def test_networks_with_biases_are_not_homogeneous(spec):
    message = "trainable.homogeneity: the network is not homogeneous: with all parameters times 0.5, 2, 3 its outputs "
    with pytest.raises(InputError, match=re.escape(message)):
        measure_homogeneity(build_model(spec, (1, 8, 8), 2), (1, 8, 8))


def test_a_degree_below_one_is_refused():
    class Root(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.ones(16, 2))

        def forward(self, x):
            return (x.flatten(1) @ self.a).abs().sqrt()

    with pytest.raises(InputError, match=r"homogeneous of degree 0\.5; the theory"):
        measure_homogeneity(Root(), (1, 4, 4))
