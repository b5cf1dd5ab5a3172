import pytest
import torch
from torch import nn
from torch.func import functional_call

from trainables.models import initial_parameters
from trainables.packed import _vmapped, pack_model

MODULES = {
    "fc": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10)),
    "fc without bias": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 12, bias=False), nn.ReLU(), nn.Linear(12, 10)),
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)),
    "tanh": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.Tanh(), nn.Linear(12, 10)),
    "convolutional": lambda: nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 10)
    ),
    "batch norm without running statistics": lambda: nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)
    ),
}


def _parameters(module, count):
    each = [initial_parameters(module, seed=s, sigma_w=1.4, sigma_b=0.1) for s in range(count)]
    return {k: torch.stack([e[k] for e in each]).requires_grad_() for k in each[0]}


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("name", MODULES)
def test_outputs_and_gradients_equal_those_of_each_module_alone(name, shared):
    module, count = MODULES[name](), 3
    parameters = _parameters(module, count)
    x = torch.randn(7, 1, 8, 8) if shared else torch.randn(count, 7, 1, 8, 8)
    packed = pack_model(module)(parameters, x, shared)
    gradients = torch.autograd.grad(packed.square().sum(), list(parameters.values()))
    for i in range(count):
        alone = {k: p[i].detach().requires_grad_() for k, p in parameters.items()}
        logits = functional_call(module, alone, (x if shared else x[i],))
        torch.testing.assert_close(packed[i], logits)
        expected = torch.autograd.grad(logits.square().sum(), list(alone.values()))
        for got, want in zip(gradients, expected, strict=True):
            torch.testing.assert_close(got[i], want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["fc", "fc without bias", "linear"])
def test_batched_matrices_equal_vmap(name):
    module = MODULES[name]()
    parameters, x = _parameters(module, 4), torch.randn(9, 1, 8, 8)
    torch.testing.assert_close(pack_model(module)(parameters, x, True), _vmapped(module)(parameters, x, True))


def test_running_statistics_are_refused():
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    with pytest.raises(ValueError, match=r"a module with buffers cannot be packed, .* 1.running_mean"):
        pack_model(module)


def test_the_gradient_of_the_batched_layer_passes_gradcheck():
    module = nn.Sequential(nn.Flatten(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    parameters = {k: p.detach().double().requires_grad_() for k, p in _parameters(module, 2).items()}
    x = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    names = list(parameters)

    def f(x, *values):
        return pack_model(module)(dict(zip(names, values, strict=True)), x, False)

    assert torch.autograd.gradcheck(f, (x, *parameters.values()))
