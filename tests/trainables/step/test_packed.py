import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from search_spaces.errors import InputError
from search_spaces.sections.model import Cnn, FullyConnected, ResNet50, WideResNet
from trainables.models import build_model, initial_buffers, initial_parameters
from trainables.step.packed import _PackedModule, pack_model

SHAPE = (1, 8, 8)


class Tanh(nn.Module):
    """As a user would write one."""

    def __init__(self):
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(64, 12), nn.LayerNorm(12), nn.Linear(12, 10)

    def forward(self, x):
        return self.b(torch.tanh(self.norm(self.a(x.flatten(1)))))


class Centred(nn.Module):
    """Keeps a running mean by setting its buffer to a new tensor."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 10)
        self.register_buffer("mean", torch.zeros(10))

    def forward(self, x):
        out = self.layer(x.flatten(1))
        if self.training:
            self.mean = 0.5 * self.mean + 0.5 * out.detach().mean(0)
        return out - self.mean


def _built(spec):
    return lambda: build_model(spec, SHAPE, 10).to_empty(device="cpu")


def _cnn(kind):
    return _built(Cnn(name="cnn", channels=4, dense=8, pool=2, batch_norm=kind))


def _wrn(form, kind):
    return _built(WideResNet(name="wrn", depth=10, width=1, form=form, batch_norm=kind))


MODULES = {
    "fc": _built(FullyConnected(name="fc", width=12)),
    "fc without bias": _built(FullyConnected(name="fc", width=12, bias=False)),
    "fc ntk": _built(FullyConnected(name="fc", width=12, bias=False, parametrization="ntk")),
    "linear": _built(FullyConnected(name="fc", depth=0)),
    **{f"cnn {kind}": _cnn(kind) for kind in ("none", "batch", "running")},
    **{f"wrn {f} {k}": _wrn(f, k) for f in ("released", "original") for k in ("batch", "running")},
    "tanh": Tanh,
    "centred": Centred,
}


def _parameters(module, count):
    return _stacked(initial_parameters(module, seed=s, sigma_w=1.4, sigma_b=0.1) for s in range(count))


def _buffers(module, count):
    return _stacked(initial_buffers(module, sigma_w=1.4 + s) for s in range(count))


def _stacked(each):
    each = list(each)
    return {k: torch.stack([e[k] for e in each]) for k in each[0]}


def _alone(module, parameters, buffers, i):
    """An ordinary module with the parameters and buffers of point i."""
    alone = copy.deepcopy(module)
    alone.load_state_dict({k: v[i].detach().clone() for k, v in (parameters | buffers).items()})
    return alone


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("name", MODULES)
def test_three_steps_equal_those_of_each_module_alone(name, shared, count):
    """Outputs, gradients and buffers of three training passes with steps between, then outputs in evaluation."""
    module = MODULES[name]()
    _assert_packed_equals_alone(module, SHAPE, shared, count, steps=3)


def test_resnet50_too():
    module = build_model(ResNet50(name="resnet50"), (3, 32, 32), 10).to_empty(device="cpu")
    _assert_packed_equals_alone(module, (3, 32, 32), shared=True, count=2, steps=1)


def _assert_packed_equals_alone(module, shape, shared, count, steps):
    # float64: what differs by rounding alone stays far below the tolerance, also behind ten batch norms
    module = module.double()
    parameters = {k: p.double().requires_grad_() for k, p in _parameters(module, count).items()}
    buffers = {k: b.double() if b.is_floating_point() else b for k, b in _buffers(module, count).items()}
    alone = [_alone(module, parameters, buffers, i) for i in range(count)]
    model, kept = pack_model(module), dict(buffers)
    generator = torch.Generator().manual_seed(0)
    lead = (7,) if shared else (count, 7)
    for _ in range(steps):
        x = torch.randn(*lead, *shape, dtype=torch.float64, generator=generator)
        packed = model(parameters, buffers, x, shared=shared, training=True)
        gradients = torch.autograd.grad(packed.square().mean((1, 2)).sum(), list(parameters.values()))
        for i, m in enumerate(alone):
            outputs = m.train()(x if shared else x[i])
            torch.testing.assert_close(packed[i], outputs)
            expected = torch.autograd.grad(outputs.square().mean(), list(m.parameters()))
            for got, want in zip(gradients, expected, strict=True):
                torch.testing.assert_close(got[i], want, rtol=1e-6, atol=1e-8)
            for k, b in m.named_buffers():
                torch.testing.assert_close(buffers[k][i], b)
        with torch.no_grad():
            for name, g in zip(parameters, gradients, strict=True):
                parameters[name].sub_(g, alpha=1e-3)
                for i, m in enumerate(alone):
                    m.get_parameter(name).sub_(g[i], alpha=1e-3)
    assert all(buffers[k] is b for k, b in kept.items())  # updated in place
    before = {k: b.clone() for k, b in buffers.items()}
    x = torch.randn(*lead, *shape, dtype=torch.float64, generator=generator)
    packed = model(parameters, buffers, x, shared=shared, training=False)
    for i, m in enumerate(alone):
        torch.testing.assert_close(packed[i], m.eval()(x if shared else x[i]))
    assert all(torch.equal(b, before[k]) for k, b in buffers.items())


@pytest.mark.parametrize("name", ["fc", "fc without bias", "fc ntk", "linear"])
@pytest.mark.parametrize("count", [1, 4])
def test_batched_matrices_equal_the_other_ways(name, count):
    module = MODULES[name]()
    parameters, x = _parameters(module, count), torch.randn(9, *SHAPE)
    buffers = _buffers(module, count)
    ways = pack_model(module), _PackedModule(module)
    got = [model(parameters, buffers, x, shared=True, training=True) for model in ways]
    torch.testing.assert_close(*got)


@pytest.mark.parametrize("name", ["fc", "fc ntk"])
def test_a_point_has_the_same_numbers_bit_for_bit_in_any_pack_of_batched_matrices(name):
    module = MODULES[name]()
    state, x = (_parameters(module, 4), _buffers(module, 4)), torch.randn(9, *SHAPE)
    model = pack_model(module)
    packed = model(*state, x, shared=True, training=True)
    for i in range(4):
        alone = model(*({k: t[i : i + 1] for k, t in part.items()} for part in state), x, shared=True, training=True)
        assert torch.equal(packed[i : i + 1], alone)


@pytest.mark.parametrize("name", ["fc", "fc without bias", "fc ntk"])
@pytest.mark.parametrize("count", [1, 3])
def test_compiled_gradients_equal_eager_ones(name, count):
    """By ``aot_eager``: it traces as every backend does, and leaves out the minutes of a C++ compiler."""
    module = MODULES[name]()
    parameters = {k: p.requires_grad_() for k, p in _parameters(module, count).items()}
    state, x = (parameters, _buffers(module, count)), torch.randn(9, *SHAPE)
    eager = pack_model(module)
    compiled = torch.compile(eager, backend="aot_eager")
    outputs, expected = (model(*state, x, shared=True, training=True) for model in (compiled, eager))
    torch.testing.assert_close(outputs, expected)
    got, want = (torch.autograd.grad(o.square().mean(), list(parameters.values())) for o in (outputs, expected))
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("name", ["fc", "cnn batch"])
def test_packs_of_several_points_are_not_compiled(name):
    module, counters = MODULES[name](), torch._dynamo.utils.counters
    counters.clear()
    model = pack_model(module, compiled=True)
    for count in (3, 2):
        state = _parameters(module, count), _buffers(module, count)
        model(*state, torch.randn(9, *SHAPE), shared=True, training=True)
    assert not counters["stats"]


def test_modules_without_memory_can_be_packed():
    module = build_model(WideResNet(name="wrn", depth=10, width=1, batch_norm="running"), SHAPE, 10)
    for count in (1, 2):
        outputs = pack_model(module)(
            _parameters(module, count), _buffers(module, count), torch.randn(5, *SHAPE), shared=True, training=True
        )
        assert outputs.shape == (count, 5, 10)
        assert outputs.isfinite().all()


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, x):
        return functional.dropout(self.layer(x.flatten(1)), 0.5, self.training)


@pytest.mark.parametrize("count", [1, 2])
def test_hidden_randomness_is_refused_in_the_first_training_pass(count):
    module = Noisy()
    model, parameters, x = pack_model(module), _parameters(module, count), torch.randn(5, *SHAPE)
    model(parameters, {}, x, shared=True, training=False)
    with pytest.raises(InputError, match="Noisy draws random numbers in training now"):
        model(parameters, {}, x, shared=True, training=True)


def test_the_gradient_of_the_batched_layer_passes_gradcheck():
    module = nn.Sequential(nn.Flatten(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    parameters = {k: p.double().requires_grad_() for k, p in _parameters(module, 2).items()}
    x = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    names = list(parameters)

    def f(x, *values):
        return pack_model(module)(dict(zip(names, values, strict=True)), {}, x, shared=False, training=True)

    assert torch.autograd.gradcheck(f, (x, *parameters.values()))


class _Halved(nn.Linear):
    def forward(self, x):
        return super().forward(x) / 2


def _repeated():
    relu = nn.ReLU()
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), relu, nn.Linear(12, 12), relu, nn.Linear(12, 10))


def _shared():
    layer = nn.Linear(64, 64)
    return nn.Sequential(nn.Flatten(), layer, nn.ReLU(), layer, nn.ReLU(), nn.Linear(64, 10))


def _hooked():
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    module[1].register_forward_hook(lambda _module, _inputs, output: output * 2)
    return module


def _subclassed():
    return nn.Sequential(nn.Flatten(), _Halved(64, 12), nn.ReLU(), nn.Linear(12, 10))


@pytest.mark.parametrize("make", [_repeated, _shared, _hooked, _subclassed])
def test_a_stack_that_only_looks_like_matrices_is_not_taken_for_one(make):
    module = make()
    parameters = {k: torch.stack([p.detach(), 2 * p.detach()]) for k, p in module.named_parameters()}
    x = torch.randn(5, 1, 8, 8)
    expected = module(x)
    packed = pack_model(module)(parameters, {}, x, shared=True, training=False)
    torch.testing.assert_close(packed[0], expected)
