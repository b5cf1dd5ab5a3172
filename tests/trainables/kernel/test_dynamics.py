"""Theorem 1 on all samples together against scipy's solvers."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from trainables.kernel.dynamics import InitialState, Modes, _gradient, make_flow, modes_of
from trainables.step.losses import CrossEntropy, SignSquaredError, SquaredError

N, T = 12, 5
LOSSES = {
    "sign": SignSquaredError("sum"),
    "sign-mean": SignSquaredError("mean"),
    "one-hot": SquaredError(3, "sum"),
    "softmax": CrossEntropy(3, "mean"),
}


def _start(outputs, shared, rank=400):
    """A random kernel of (N + T) samples; if ``shared`` one for all outputs, else coupled ones."""
    torch.manual_seed(outputs)
    unit = 1 if shared else outputs
    features = torch.randn((N + T) * unit, rank, dtype=torch.float64) / math.sqrt(rank)
    kernel = 20 * features @ features.T
    f = torch.randn(N + T, outputs, dtype=torch.float64)
    labels = torch.randint(2 if outputs == 1 else outputs, (N,))
    split = N * unit
    return InitialState(kernel[:split, :split], kernel[split:, :split], f[:N], f[N:], labels)


def _reference(start, loss, lam, k, times, method="DOP853", rtol=1e-10):
    """Equation (1) for training and test outputs as it stands, by scipy."""
    size = start.f_train.numel()
    both = torch.cat([start.train, start.test]).numpy()

    def slope(t, flat):
        f = torch.from_numpy(flat[:size]).reshape(start.f_train.shape)
        gradient = start.rows(_gradient(loss, f, start.labels)).numpy()
        return -math.exp(-2 * (k - 1) * lam * t) * (both @ gradient).ravel() - k * lam * flat

    begin = torch.cat([start.f_train, start.f_test]).numpy().ravel()
    return solve_ivp(slope, (0, times[-1]), begin, method=method, t_eval=times, rtol=rtol, atol=rtol / 10).y.T


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "coupled"])
@pytest.mark.parametrize(("lam", "k"), [(0.0, 2.0), (0.02, 1.4), (0.3, 4.0)])
@pytest.mark.parametrize("name", LOSSES)
def test_training_and_test_outputs_follow_equation_1(name, lam, k, shared):
    loss = LOSSES[name]
    start, times = _start(loss.outputs, shared), np.geomspace(0.01, 8, 10)
    flow = make_flow(start, loss, modes_of(start, loss), lam, k)
    ours = np.array([torch.cat(flow.at(t)).numpy().ravel() for t in times])
    exact = _reference(start, loss, lam, k, times)
    np.testing.assert_allclose(ours, exact, rtol=0, atol=5e-5 if isinstance(loss, CrossEntropy) else 1e-8)


def test_a_kernel_with_strong_and_null_modes():
    """γ/λ from 0 to 1e5 in one kernel of low rank, by an implicit solver."""
    start = _start(1, shared=True, rank=3)
    scale = torch.logspace(-1, 1, N, dtype=torch.float64)
    train = scale.unsqueeze(1) * start.train * scale
    start = InitialState(train, start.test * scale, start.f_train, start.f_test, start.labels)
    loss, times = LOSSES["sign"], np.geomspace(1e-4, 300, 10)
    flow = make_flow(start, loss, modes_of(start, loss), 0.01, 2.0)
    ours = np.array([torch.cat(flow.at(t)).numpy().ravel() for t in times])
    np.testing.assert_allclose(ours, _reference(start, loss, 0.01, 2.0, times, "Radau", 1e-8), rtol=0, atol=1e-6)


def test_test_samples_that_are_training_samples_have_their_outputs():
    """(S10), the functional form."""
    start = _start(1, shared=True)
    start = InitialState(start.train, start.train, start.f_train, start.f_train, start.labels)
    flow = Modes(start, LOSSES["sign"]).flow(0.05, 2.0)
    for t in (0.0, 0.1, 3.0, 40.0):
        torch.testing.assert_close(*flow.at(t), rtol=1e-9, atol=1e-9)


def test_the_functional_form_with_matrix_exponentials():
    """(S10) as printed, for k = 2."""
    start, lam, t = _start(1, shared=True), 0.5, 0.8
    loss = LOSSES["sign"]
    theta, y = start.train, 2.0 * start.labels.double().unsqueeze(1) - 1

    def decayed(u):
        return math.exp(-2 * lam * u) * theta

    def exponential(u):
        return torch.matrix_exp((decayed(t) - decayed(u)) / (2 * lam))

    nodes, weights = np.polynomial.legendre.leggauss(60)
    integral = sum(w * t / 2 * exponential(t * (1 + u) / 2) @ theta @ y for u, w in zip(nodes, weights, strict=True))
    expected = math.exp(-2 * lam * t) * (exponential(0.0) @ start.f_train + integral)
    torch.testing.assert_close(Modes(start, loss).flow(lam, 2.0).at(t)[0], expected, rtol=1e-9, atol=1e-9)


def test_softmax_over_a_long_time_is_stiff_and_stays_cheap():
    start = _start(3, shared=True)
    loss = LOSSES["softmax"]
    flow = make_flow(start, loss, None, 1e-5, 2.0)
    train, _ = flow.at(1e5)
    ordinary = 1e5 * float(start.train.abs().sum(1).max()) * loss.factor(N) / 2 / 3
    assert flow.integrator.evaluations < ordinary / 4
    exact = _reference(start, loss, 1e-5, 2.0, np.array([1e5]), "LSODA", 1e-8)[0]
    np.testing.assert_allclose(train.numpy().ravel(), exact[: train.numel()], rtol=0, atol=1e-3)
