import dataclasses
import doctest
import itertools
import math
import warnings
from functools import partial

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import nn

import trainables.auto_l2
from trainables.auto_l2 import AutoL2, AutoL2State, observe

INF, NAN = math.inf, math.nan
ON_A_BUSY_MACHINE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Algorithm 1 by hand, measured every 5 steps:
# step, loss, error | λ, min_step, best loss, best error after it
TRACE = [
    (5, 1.00, 0.50, 0.1, 0, INF, INF),  # nothing came before
    (10, 0.80, 0.40, 0.1, 0, 1.00, 0.50),  # the previous measurement joins the bests, not this one
    (15, 1.20, 0.45, 0.1, 0, 0.80, 0.40),  # one loss above the best ...
    (20, 0.70, 0.40, 0.1, 0, 0.80, 0.40),  # ... was a fluctuation; an error equal to the best is not above it
    (25, 0.90, 0.35, 0.1, 0, 0.70, 0.40),
    (30, 0.75, 0.35, 0.01, 40, 0.70, 0.40),  # 0.9, then 0.75 are above 0.7; the error 0.35 of step 25 never joins
    (35, 0.95, 0.50, 0.01, 40, 0.70, 0.35),  # 0.75, then 0.95 too, but not before step 40
    (40, 0.95, 0.30, 0.01, 40, 0.70, 0.35),  # nor at it
    (45, 0.65, 0.45, 0.01, 40, 0.70, 0.30),  # 0.95, then 0.65; in errors 0.30, then 0.45
    (50, 0.60, 0.31, 0.001, 150, 0.70, 0.30),  # errors 0.45, then 0.31 are above 0.30, though the loss is its best
    (55, 0.90, 0.90, 0.001, 150, 0.60, 0.30),
    (150, 0.90, 0.90, 0.001, 150, 0.60, 0.30),
    (155, 0.61, 0.10, 0.0001, 1155, 0.60, 0.30),  # 0.60 of step 50 is still the best: a fall does not reset it
    (1155, 0.90, 0.10, 0.0001, 1155, 0.60, 0.10),
    (1160, 0.60, 0.10, 0.0001, 1155, 0.60, 0.10),  # 0.9, then 0.6: equal to the best is not above it
    (1165, 0.90, 0.50, 0.0001, 1155, 0.60, 0.10),  # 0.6, then 0.9, and 0.1, then 0.5: neither
]


def test_algorithm_1_by_hand():
    state = AutoL2State(lam=0.1)
    for step, loss, error, *expected in TRACE:
        state = observe(state, step, loss, error)
        assert [state.lam, state.min_step, state.best_loss, state.best_error] == expected, step
        assert (state.last_loss, state.last_error) == (loss, error)


@pytest.mark.parametrize(("loss", "error"), [(lambda step: 1 / step, 0.0), (lambda _: 0.0, 0.0)])
def test_staying_at_the_best_is_no_deterioration(loss, error):
    state = AutoL2State(lam=0.1)
    for step in range(1, 100):
        state = observe(state, step, loss(step), error)
    assert state.lam == 0.1


@pytest.mark.parametrize("start", [0.1, 0.3, 0.05, 1.0, 0.007, 1e-5])
def test_lam_stays_a_number_as_people_write_it(start):
    state, expected = AutoL2State(lam=start), start
    digit, exponent = f"{start:e}".split("e")
    for fall in range(1, 9):
        state = _fall(state)
        expected = float(f"{digit}e{int(exponent) - fall}")
        assert state.lam == expected


def test_the_refractory_period_is_a_whole_number_of_steps_for_powers_of_ten():
    state = AutoL2State(lam=0.1)
    for fall in range(1, 9):
        before = max(state.min_step, 0)
        state = _fall(state)
        assert state.min_step == before + 1 + 10**fall


def _fall(state):
    """``state`` after losses that make it fall at the first step that may."""
    bad = dataclasses.replace(state, best_loss=1.0, last_loss=2.0)
    return observe(bad, int(state.min_step) + 1, 2.0, 0.0)


NUMBERS = st.one_of(st.floats(0, 10), st.sampled_from([0.0, 1.0, INF, NAN]))
MEASUREMENTS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=30)


@ON_A_BUSY_MACHINE
@given(measurements=MEASUREMENTS, every=st.integers(1, 50))
def test_lam_only_falls_by_tenths_with_its_time_between(measurements, every):
    state, falls = AutoL2State(lam=0.1), [(0, 0.1)]
    for i, (loss, error) in enumerate(measurements, start=1):
        before, state = state, observe(state, i * every, loss, error)
        assert state.lam in {before.lam, float(f"{before.lam / 10:.6e}")}
        if state.lam < before.lam:
            falls.append((i * every, state.lam))
    for (step, lam), (later, _) in itertools.pairwise(falls[1:]):
        assert later > step + 0.1 / lam - 1e-6


@ON_A_BUSY_MACHINE
@given(measurements=MEASUREMENTS)
def test_bests_only_improve_and_are_never_nan(measurements):
    state = AutoL2State(lam=0.1)
    for i, (loss, error) in enumerate(measurements, start=1):
        before, state = state, observe(state, i, loss, error)
        assert state.best_loss <= before.best_loss
        assert state.best_error <= before.best_error


FALLING = st.lists(st.floats(0, 10), max_size=30).map(lambda values: sorted(values, reverse=True))


@ON_A_BUSY_MACHINE
@given(losses=FALLING, errors=FALLING)
def test_training_that_does_not_deteriorate_keeps_lam(losses, errors):
    state = AutoL2State(lam=0.1)
    for step, (loss, error) in enumerate(zip(losses, errors, strict=False), start=1):
        state = observe(state, step, loss, error)
    assert state.lam == 0.1


def test_a_nan_is_no_evidence():
    state = AutoL2State(lam=0.1)
    for step, loss in enumerate([1.0, 0.5, NAN, NAN, NAN, 2.0, NAN, 2.0], start=1):
        state = observe(state, step, loss, NAN)
    assert (state.lam, state.best_loss, state.best_error) == (0.1, 0.5, INF)
    assert observe(state, 9, 2.0, NAN).lam == 0.01


@pytest.mark.parametrize("lam", [0.0, -0.1, INF, NAN])
def test_a_start_from_which_lam_cannot_fall_is_refused(lam):
    with pytest.raises(ValueError, match="is not allowed: AutoL2 starts at a positive number"):
        AutoL2State(lam=lam)


def _parameters(count=1):
    return [nn.Parameter(torch.zeros(2)) for _ in range(count)]


def _feed(auto, measurements):
    lams = []
    for loss, error in measurements:
        auto.step(loss, error)
        lams.append(auto.lam)
    return lams


@ON_A_BUSY_MACHINE
@given(measurements=MEASUREMENTS, every=st.integers(1, 4), tensors=st.booleans())
def test_the_drop_in_is_the_state_machine(measurements, every, tensors):
    optimizer = torch.optim.SGD(_parameters(), lr=0.1)
    auto, state = AutoL2(optimizer, every=every), AutoL2State(lam=0.1)
    assert optimizer.param_groups[0]["weight_decay"] == 0.1
    for i, (loss, error) in enumerate(measurements, start=1):
        auto.step(*(torch.tensor(v, dtype=torch.float64) if tensors else v for v in (loss, error)))
        if i % every == 0:
            state = observe(state, i, loss, error)
        assert auto.lam == optimizer.param_groups[0]["weight_decay"] == state.lam


@ON_A_BUSY_MACHINE
@given(measurements=MEASUREMENTS, cut=st.integers(0, 30), every=st.integers(1, 4))
def test_resumed_equals_uninterrupted(measurements, cut, every):
    through = _feed(AutoL2(torch.optim.SGD(_parameters(), lr=0.1), every=every), measurements)
    first = AutoL2(torch.optim.SGD(_parameters(), lr=0.1), every=every)
    before = _feed(first, measurements[:cut])
    resumed = AutoL2(torch.optim.SGD(_parameters(), lr=0.1), lam=7.0, every=every)
    resumed.load_state_dict(first.state_dict())
    assert resumed.optimizer.param_groups[0]["weight_decay"] == first.lam
    assert before + _feed(resumed, measurements[cut:]) == through


def test_the_state_is_plain_numbers_that_torch_load_trusts(tmp_path):
    auto = AutoL2(torch.optim.SGD(_parameters(), lr=0.1), every=1)
    _feed(auto, [(torch.tensor(1.0), 0.5), (torch.tensor(2.0), 0.5)])
    torch.save(auto.state_dict(), tmp_path / "auto.pt")
    state = torch.load(tmp_path / "auto.pt", weights_only=True)
    assert state == auto.state_dict()
    assert {type(value) for value in state.values()} == {int, float}


@pytest.mark.parametrize("auto_first", [True, False])
def test_weight_decay_is_right_whichever_state_is_loaded_first(auto_first):
    groups = lambda: [{"params": _parameters(), "weight_decay": w} for w in (0.5, 0.0)]  # noqa: E731
    optimizer = torch.optim.SGD(groups(), lr=0.1)
    auto = AutoL2(optimizer, every=1)
    _feed(auto, [(1.0, 0.0), (2.0, 0.0), (2.0, 0.0)])
    saved = [auto.state_dict(), optimizer.state_dict()]

    again = torch.optim.SGD(groups(), lr=0.1)
    resumed = AutoL2(again, every=1)
    for owner, state in list(zip([resumed, again], saved, strict=True))[:: 1 if auto_first else -1]:
        owner.load_state_dict(state)
    assert [group["weight_decay"] for group in again.param_groups] == [0.01, 0.0]
    resumed.state = dataclasses.replace(resumed.state, min_step=0.0)
    _feed(resumed, [(2.0, 0.0)])  # falls again, into the groups that load_state_dict has replaced
    assert [group["weight_decay"] for group in again.param_groups] == [0.001, 0.0]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([{"weight_decay": 0.5}, {"weight_decay": 0.0}], [0.1, 0.0]),
        ([{"weight_decay": 1e-4}, {"weight_decay": 0.3}], [0.1, 0.1]),
        ([{}, {}], [0.1, 0.1]),
        ([{}, {"weight_decay": 0}], [0.1, 0]),
        ([{"lr": 0.3}, {"lr": 0.1, "weight_decay": 0.0}], [0.1, 0.0]),
        ([{"weight_decay": 0.0, "momentum": 0.9}, {"momentum": 0.9}], [0.0, 0.1]),
    ],
)
@pytest.mark.parametrize("make", [torch.optim.SGD, partial(torch.optim.AdamW, weight_decay=0)])
@pytest.mark.parametrize("loaded", [False, True])
def test_groups_given_0_keep_it(groups, expected, make, loaded):
    """Torch's default of 0 is none that was given, also after the optimizer's state was loaded."""
    if make is not torch.optim.SGD:
        groups = [{k: v for k, v in group.items() if k != "momentum"} for group in groups]
    optimizer = make([{"params": _parameters(), **group} for group in groups], lr=0.1)
    if loaded:
        optimizer.load_state_dict(make([{"params": _parameters(), **group} for group in groups], lr=0.1).state_dict())
    AutoL2(optimizer)
    assert [group["weight_decay"] for group in optimizer.param_groups] == expected


def test_groups_that_were_all_given_0_are_refused():
    groups = [{"params": _parameters(), "weight_decay": 0} for _ in range(2)]
    with pytest.raises(ValueError, match="every parameter group was given weight_decay=0"):
        AutoL2(torch.optim.SGD(groups, lr=0.1))


class _Unread(torch.Tensor):
    """A tensor whose value nobody may ask for."""

    def item(self):
        raise AssertionError("read between two looks")


def test_tensors_are_read_only_when_looked_at():
    auto = AutoL2(torch.optim.SGD(_parameters(), lr=0.1), every=3)
    unread = torch.zeros(()).as_subclass(_Unread)
    for _ in range(4):
        auto.step(unread, unread)
        auto.step(unread, unread)
        auto.step(torch.ones((), requires_grad=True), 0.0)
    auto.step(unread, unread)
    auto.step(unread, unread)
    with pytest.raises(AssertionError, match="read between two looks"):
        auto.step(unread, unread)


@pytest.mark.parametrize("make", [torch.optim.Adam, torch.optim.RMSprop, torch.optim.NAdam])
def test_coupled_adaptive_optimizers_are_warned_of(make):
    with pytest.warns(UserWarning, match=f"{make.__name__} divides λθ"):
        AutoL2(make(_parameters()))


@pytest.mark.parametrize(
    "make",
    [
        torch.optim.SGD,
        torch.optim.AdamW,
        lambda p: torch.optim.Adam(p, decoupled_weight_decay=True),
        lambda p: torch.optim.NAdam(p, decoupled_weight_decay=True),
    ],
)
def test_others_are_not(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        auto = AutoL2(make(_parameters()), every=1)
        auto.step(torch.ones((), requires_grad=True), torch.ones(()))


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="every 0 is not allowed"):
        AutoL2(torch.optim.SGD(_parameters()), every=0)
    with pytest.raises(ValueError, match=r"lam 0\.0 is not allowed"):
        AutoL2(torch.optim.SGD(_parameters()), lam=0)
    with pytest.raises(ValueError, match="LBFGS has no weight_decay"):
        AutoL2(torch.optim.LBFGS(_parameters()))


def _train_digits(make_auto, steps=1500):
    """A plain loop on 512 digits, full batch; returns the last loss and error, and λ after each step."""
    torch.manual_seed(0)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x[:512] / 16, dtype=torch.float32), torch.tensor(y[:512])
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, weight_decay=0.1)
    auto, lams = make_auto(optimizer), []
    for _ in range(steps):
        outputs = model(x)
        loss, error = nn.functional.cross_entropy(outputs, y), (outputs.argmax(1) != y).float().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if auto:
            auto.step(loss, error)
            lams.append(auto.lam)
    return loss.item(), error.item(), lams


def test_lam_falls_on_digits_and_training_gets_further_than_with_its_start():
    loss, error, lams = _train_digits(AutoL2)
    constant_loss, constant_error, _ = _train_digits(lambda _: None)
    assert len(set(lams)) >= 3
    assert sorted(lams, reverse=True) == lams
    assert error < 0.1 * constant_error
    assert loss < 0.2 * constant_loss


def _loop_of_a_practitioner(*, scaled, accumulated, compiled):
    """λ of each step and the last weights of a loop with a schedule of η, a bias group without decay, and more."""
    torch.manual_seed(0)
    x = torch.randn(64, 8)
    y = (x[:, 0] > 0).long()
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1]},
        {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=0.5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 60)
    scaler = torch.amp.GradScaler("cpu", enabled=scaled)
    auto, lams = AutoL2(optimizer, lam=1.0, every=2), []
    forward = torch.compile(model, backend="eager") if compiled else model
    parts = 4 if accumulated else 1
    for _ in range(60):
        optimizer.zero_grad()
        outputs = [forward(part) for part in x.chunk(parts)]
        losses = [
            nn.functional.cross_entropy(out, labels) / parts
            for out, labels in zip(outputs, y.chunk(parts), strict=True)
        ]
        for part_loss in losses:
            scaler.scale(part_loss).backward()
        scaler.step(optimizer)
        scaler.update()
        schedule.step()
        auto.step(sum(losses), (torch.cat(outputs).argmax(1) != y).float().mean())
        lams.append(optimizer.param_groups[0]["weight_decay"])
        assert optimizer.param_groups[1]["weight_decay"] == 0
    return lams, torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("changed", ["scaled", "accumulated", "compiled"])
def test_scaled_gradients_accumulation_and_compiled_models_change_nothing(changed):
    plain = dict.fromkeys(("scaled", "accumulated", "compiled"), False)
    lams, weights = _loop_of_a_practitioner(**plain)
    assert len(set(lams)) > 1
    other_lams, other_weights = _loop_of_a_practitioner(**plain | {changed: True})
    assert other_lams == lams
    torch.testing.assert_close(other_weights, weights, rtol=1e-3, atol=1e-4)


def test_the_examples_in_docstrings_are_true():
    assert doctest.testmod(trainables.auto_l2).failed == 0
