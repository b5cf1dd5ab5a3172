import pytest
import torch
from torch import nn
from torch.func import functional_call

from search_spaces.sections.model import Cnn, FullyConnected, WideResNet
from trainables.kernel import ntk
from trainables.kernel.ntk import empirical_kernel, outputs_of
from trainables.models import build_model, initial_buffers, initial_parameters

SHAPE = (1, 6, 6)
MODELS = {
    "fc": FullyConnected(name="fc", width=7, depth=2),
    "fc-no-bias": FullyConnected(name="fc", width=7, depth=1, bias=False),
    "fc-ntk": FullyConnected(name="fc", width=7, depth=2, bias=False, parametrization="ntk"),
    "linear": FullyConnected(name="fc", depth=0),
    "cnn": Cnn(name="cnn", channels=2, dense=3, pool=1),
    "cnn-norm": Cnn(name="cnn", channels=2, dense=3, pool=1, batch_norm="batch"),
    "wrn": WideResNet(name="wrn", depth=10, width=1, form="original", batch_norm="running"),
}


def _network(name, outputs=2):
    module = build_model(MODELS[name], SHAPE if name != "wrn" else (1, 8, 8), outputs)
    parameters = initial_parameters(module, seed=1, sigma_w=1.4, sigma_b=0.3)
    state = {k: p.double().requires_grad_() for k, p in parameters.items()}
    buffers = {k: b.double() if b.is_floating_point() else b for k, b in initial_buffers(module, sigma_w=1.4).items()}
    return module, state | buffers


def _samples(name, count):
    shape = SHAPE if name != "wrn" else (1, 8, 8)
    return torch.randn(count, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(count))


def _by_autograd(module, state, x):
    """∂f/∂θ of each sample and output, one after the other."""
    fresh = {k: t if t.requires_grad else t.clone() for k, t in state.items()}
    f = functional_call(module.train(), fresh, (x,))
    parameters = [t for t in state.values() if t.requires_grad]
    rows = [torch.autograd.grad(one, parameters, retain_graph=True) for one in f.flatten()]
    return torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])


@pytest.mark.parametrize("block", [2**28, 3000])
@pytest.mark.parametrize("name", MODELS)
def test_the_kernel_is_the_gram_matrix_of_derivatives(monkeypatch, name, block):
    monkeypatch.setattr(ntk, "MAX_BLOCK_BYTES", block)
    module, state = _network(name)
    x, y = _samples(name, 4), _samples(name, 7)
    rows_x, rows_y = _by_autograd(module, state, x), _by_autograd(module, state, y)
    torch.testing.assert_close(empirical_kernel(module, state, x), rows_x @ rows_x.T)
    torch.testing.assert_close(empirical_kernel(module, state, x, y), rows_x @ rows_y.T)


def test_both_ways_through_a_stack_of_layers_agree(monkeypatch):
    module, state = _network("fc-ntk", outputs=3)
    x = _samples("fc-ntk", 5)
    fast = empirical_kernel(module, state, x)
    monkeypatch.setattr(ntk, "is_matrix_stack", lambda module: False)
    torch.testing.assert_close(fast, empirical_kernel(module, state, x))


def test_a_module_of_ones_own():
    module = nn.Sequential(nn.Flatten(), nn.Linear(36, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    state = dict(module.named_parameters())
    x = _samples("own", 3)
    rows = _by_autograd(module, state, x)
    torch.testing.assert_close(empirical_kernel(module, state, x), rows @ rows.T)


def test_asking_for_outputs_leaves_running_statistics_as_they_are():
    module, state = _network("wrn")
    before = {k: t.detach().clone() for k, t in state.items()}
    outputs_of(module, state, _samples("wrn", 4))
    empirical_kernel(module, state, _samples("wrn", 2))
    assert all(torch.equal(before[k], t) for k, t in state.items())
