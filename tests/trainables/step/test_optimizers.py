from functools import partial

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from search_spaces.sections.optimizer import Adam, AdamW, Sgd
from trainables.step.optimizers import make_optimizer
from trainables.step.real import real_view, real_views

SHAPES = {"0.weight": (5, 3), "0.bias": (5,), "gain": (), "2.kernel": (7, 5, 3, 3)}
MATRICES = ("0.weight", "2.kernel")
SPECS = {
    "sgd": (Sgd(name="sgd"), 0.0),
    "momentum": (Sgd(name="sgd"), 0.9),
    "nesterov": (Sgd(name="sgd", nesterov=True), 0.9),
    "adamw": (AdamW(name="adamw", beta1=0.8, beta2=0.99, epsilon=1e-6), 0.0),
    "adam": (Adam(name="adam", coupled=True), 0.0),
}


def _reference(name):
    """torch's own optimizer of that name, to be given groups of parameters."""
    return {
        "sgd": torch.optim.SGD,
        "momentum": partial(torch.optim.SGD, momentum=0.9),
        "nesterov": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
        "adamw": partial(torch.optim.AdamW, betas=(0.8, 0.99), eps=1e-6),
        "adam": torch.optim.Adam,
    }[name]


@pytest.mark.parametrize("name", SPECS)
def test_complex_parameters_train_as_torchs(name):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(1, 5, 3, generator=generator, dtype=torch.complex64)
    spec, mu = SPECS[name]
    ours = {"w": start.clone()}
    optimizer = make_optimizer(spec, real_views(ours), mu=mu, decayed=["w"])
    peer = nn.Parameter(start[0].clone())
    reference = _reference(name)([peer], lr=0.05, weight_decay=0.1)
    for _ in range(10):
        gradient = torch.randn(1, 5, 3, generator=generator, dtype=torch.complex64)
        optimizer.step(real_views(ours), [real_view(gradient)], torch.tensor([0.05]), torch.tensor([0.1]))
        peer.grad = gradient[0].clone()
        reference.step()
    torch.testing.assert_close(ours["w"][0], peer.detach())


def test_earlier_checkpoints_of_complex_momentum_load():
    optimizer = make_optimizer(Sgd(name="sgd"), {"w": torch.zeros(2, 3, 2)}, mu=0.9, decayed=[])
    optimizer.load_state_dict({"velocity.w": torch.full((2, 3), 1 + 2j)})
    assert optimizer.state_dict()["velocity.w"][1, 2].tolist() == [1.0, 2.0]


def _tensors(points, seed, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(points, *shape, generator=generator, dtype=dtype) for name, shape in SHAPES.items()}


def _eta(step, points, dtype=torch.float32):
    """Learning rates that change at each step and are 0 at some."""
    return torch.tensor([0.02 * (1 + i) * ((step * 7 + i) % 5) for i in range(points)], dtype=dtype)


def _decay(step, points, dtype=torch.float32):
    """λ of each point, the first 0; they fall at step 20, as those of AutoL2 do."""
    return torch.tensor([0.1 * i / (10 if step >= 20 else 1) for i in range(points)], dtype=dtype)


def _train(optimizer, parameters, steps, members=slice(None), points=3):
    """Steps whose gradients depend on the parameters, as in training, and on fixed noise."""
    for step in steps:
        noise = _tensors(points, seed=step)
        gradients = [0.3 * p + noise[name][members] for name, p in parameters.items()]
        optimizer.step(parameters, gradients, _eta(step, points)[members], _decay(step, points)[members])


def _make(name, parameters, decayed=MATRICES):
    spec, mu = SPECS[name]
    return make_optimizer(spec, parameters, mu=mu, decayed=decayed)


def _same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("decayed", [MATRICES, tuple(SHAPES), ()])
@pytest.mark.parametrize("name", SPECS)
def test_every_point_equals_torch_with_parameter_groups(name, decayed):
    points, dtype = 3, torch.float64
    packed = _tensors(points, 99, dtype)
    alone = [{k: p[i].clone().requires_grad_() for k, p in packed.items()} for i in range(points)]
    optimizer = _make(name, packed, decayed)
    references = [
        _reference(name)([{"params": [v], "lr": 1.0, "decays": k in decayed} for k, v in own.items()]) for own in alone
    ]
    for step in range(60):
        noise = _tensors(points, step, dtype)
        eta, decay = _eta(step, points, dtype), _decay(step, points, dtype)
        optimizer.step(packed, [0.3 * p + noise[k] for k, p in packed.items()], eta, decay)
        for i, (own, reference) in enumerate(zip(alone, references, strict=True)):
            for k, p in own.items():
                p.grad = 0.3 * p.detach() + noise[k][i]
            for group in reference.param_groups:
                group |= {"lr": float(eta[i]), "weight_decay": float(decay[i]) if group["decays"] else 0.0}
            reference.step()
    for i, own in enumerate(alone):
        for k, p in own.items():
            torch.testing.assert_close(packed[k][i], p.detach(), rtol=1e-11, atol=1e-12)


def test_float32_stays_as_close_to_torch_as_its_rounding():
    packed = _tensors(1, 99)
    own = {k: p[0].clone().requires_grad_() for k, p in packed.items()}
    optimizer = _make("adamw", packed, tuple(SHAPES))
    reference = _reference("adamw")(own.values(), lr=0.01, weight_decay=0.1)
    for step in range(60):
        noise = _tensors(1, step)
        optimizer.step(packed, list(noise.values()), torch.tensor([0.01]), torch.tensor([0.1]))
        for k, p in own.items():
            p.grad = noise[k][0]
        reference.step()
    for k, p in own.items():
        torch.testing.assert_close(packed[k][0], p.detach(), rtol=1e-5, atol=1e-6)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(list(SPECS)),
    members=st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True),
)
def test_a_member_alone_equals_a_member_of_a_pack_bit_for_bit(name, members):
    together = _tensors(5, 99)
    some = {k: p[members].clone() for k, p in together.items()}
    _train(_make(name, together), together, range(8), points=5)
    _train(_make(name, some), some, range(8), members, points=5)
    assert _same({k: p[members] for k, p in together.items()}, some)


@pytest.mark.parametrize("name", SPECS)
def test_kept_points_go_on_as_they_were(name):
    together = _tensors(3, 99)
    optimizer = _make(name, together)
    _train(optimizer, together, range(10))
    kept = {k: p[[0, 2]].clone() for k, p in together.items()}
    _train(optimizer, together, range(10, 20))

    again = _tensors(3, 99)
    optimizer = _make(name, again)
    _train(optimizer, again, range(10))
    optimizer.keep(torch.tensor([0, 2]))
    _train(optimizer, kept, range(10, 20), [0, 2])
    assert _same({k: p[[0, 2]] for k, p in together.items()}, kept)


@pytest.mark.parametrize("name", SPECS)
def test_resumed_equals_uninterrupted_bit_for_bit(name, tmp_path):
    through = _tensors(3, 99)
    _train(_make(name, through), through, range(30))

    first = _tensors(3, 99)
    optimizer = _make(name, first)
    _train(optimizer, first, range(13))
    torch.save({"parameters": first, "optimizer": optimizer.state_dict()}, tmp_path / "state.pt")
    stored = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed = _make(name, stored["parameters"])
    resumed.load_state_dict(stored["optimizer"])
    _train(resumed, stored["parameters"], range(13, 30))
    assert _same(through, stored["parameters"])


def test_loading_copies(tmp_path):
    parameters = _tensors(3, 99)
    first, second = _make("momentum", parameters), _make("momentum", parameters)
    _train(first, parameters, range(3))
    second.load_state_dict(first.state_dict())
    before = second.state_dict()["velocity.gain"].clone()
    _train(first, parameters, range(3, 6))
    assert torch.equal(second.state_dict()["velocity.gain"], before)


@pytest.mark.parametrize(("name", "other"), [("momentum", "sgd"), ("adamw", "momentum"), ("sgd", "adam")])
def test_the_state_of_another_optimizer_is_refused(name, other):
    parameters = _tensors(3, 99)
    with pytest.raises(ValueError, match="state has the shapes"):
        _make(name, parameters).load_state_dict(_make(other, parameters).state_dict())


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_the_state_of_one_point_is_not_spread_over_a_pack(name):
    state = _make(name, _tensors(1, 99)).state_dict()
    with pytest.raises(ValueError, match="state has the shapes"):
        _make(name, _tensors(3, 99)).load_state_dict(state)


@pytest.mark.parametrize("name", SPECS)
def test_gradients_are_only_read(name):
    parameters = _tensors(3, 99)
    gradients = [torch.ones(()).expand(p.shape) for p in parameters.values()]  # as autograd gives for a sum
    optimizer = _make(name, parameters)
    optimizer.step(parameters, gradients, torch.full((3,), 0.1), torch.full((3,), 0.1))
    assert all(bool((g == 1).all()) for g in gradients)


@pytest.mark.parametrize("name", SPECS)
def test_leaves_that_require_gradients_are_updated_in_place(name):
    parameters = {k: p.requires_grad_() for k, p in _tensors(2, 99).items()}
    before = {k: p.detach().clone() for k, p in parameters.items()}
    _train(_make(name, parameters), parameters, range(1, 3), slice(0, 2))
    assert not any(torch.equal(before[k], p) for k, p in parameters.items())
    assert all(p.is_leaf and p.requires_grad for p in parameters.values())


def test_decay_of_something_that_is_no_parameter_is_refused():
    with pytest.raises(ValueError, match=r"weight decay is to act on \['1.weight'\], but the parameters are"):
        make_optimizer(Sgd(name="sgd"), _tensors(1, 0), mu=0.0, decayed=("0.weight", "1.weight"))


def test_the_smallest_decays_of_the_paper_are_felt():
    """ηλ = 2.5e-8 of Figure 2 is less than float32 keeps of 1 - ηλ; with the gradient it adds up."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(1, 4000, generator=generator)
    ends = {}
    for decay in (0.0, 1e-5):
        parameters = {"w": start.clone()}
        optimizer = make_optimizer(Sgd(name="sgd"), parameters, mu=0.0, decayed=["w"])
        noise = torch.Generator().manual_seed(1)
        for _ in range(2000):
            gradient = torch.randn(1, 4000, generator=noise)
            optimizer.step(parameters, [gradient], torch.tensor([0.0025]), torch.tensor([decay]))
        ends[decay] = parameters["w"].double()
    shrunk = ((ends[0.0] - ends[1e-5]) * start).sum() / start.square().sum()
    assert float(shrunk) == pytest.approx(2000 * 2.5e-8, rel=0.1)
