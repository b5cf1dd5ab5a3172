"""Losses of numbers, and of a label for each position, against torch's own."""

import pytest
import torch
from torch.nn import functional

from search_spaces.sections.loss import MeanSquaredError, Softmax
from trainables.step.losses import OwnLoss, make_loss
from trainables.step.targets import PerPosition, SquaredDistance

P, B, L, C = 3, 7, 5, 4


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("scale", "factor"), {"mean": 1 / B, "per_output": 1 / (B * C), "sum": 1.0}.items())
@pytest.mark.parametrize("shared", [True, False])
def test_half_the_squared_distance(scale, factor, shared):
    loss, outputs = SquaredDistance(C, scale), draw(P, B, C).requires_grad_()
    targets = draw(*(B, C) if shared else (P, B, C), seed=1)
    objective = loss.objective(outputs, targets)
    (gradient,) = torch.autograd.grad(objective.sum(), [outputs])
    correct, sums = loss.sums(outputs, targets)
    assert loss.factor(B) == pytest.approx(factor)
    assert correct.isnan().all()
    for p in range(P):
        target = targets if shared else targets[p]
        expected = 0.5 * functional.mse_loss(outputs[p], target, reduction="sum")
        torch.testing.assert_close(sums[p], expected.detach())
        torch.testing.assert_close(objective[p], expected * factor)
        torch.testing.assert_close(gradient[p], (outputs[p] - target).detach() * factor)


@pytest.mark.parametrize("shared", [True, False])
def test_the_loss_of_positions_is_their_mean(shared):
    loss, outputs = PerPosition(make_loss(Softmax(name="softmax"), C), L), draw(P, B, L, C).requires_grad_()
    labels = torch.randint(C, (B, L) if shared else (P, B, L), generator=torch.Generator().manual_seed(1))
    objective, (correct, sums) = loss.objective(outputs, labels), loss.sums(outputs, labels)
    assert loss.outputs == C
    for p in range(P):
        own = labels if shared else labels[p]
        expected = functional.cross_entropy(outputs[p].flatten(0, 1), own.flatten())
        torch.testing.assert_close(objective[p], expected)
        torch.testing.assert_close(sums[p] * loss.factor(B), expected.detach())
        torch.testing.assert_close(correct[p] / B, (outputs[p].argmax(-1) == own).float().mean())


@pytest.mark.parametrize("spec", [Softmax(name="softmax", scale="paper"), MeanSquaredError(name="mse", scale="sum")])
def test_what_is_measured_is_what_is_trained_in_every_scale(spec):
    loss, outputs = PerPosition(make_loss(spec, C), L), draw(P, B, L, C)
    labels = torch.randint(C, (B, L), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(loss.objective(outputs, labels), loss.sums(outputs, labels).loss * loss.factor(B))


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_a_loss_of_ones_own_of_numbers_and_of_positions(together, shared):
    outputs, targets = draw(P, B, C), draw(*(B, C) if shared else (P, B, C), seed=1)
    loss = OwnLoss(lambda f, y: (f - y).abs().sum(1), together, "numbers")
    torch.testing.assert_close(loss.objective(outputs, targets), (outputs - targets).abs().sum(-1).mean(-1))
    assert loss.sums(outputs, targets).correct.isnan().all()

    outputs = draw(P, B, L, C)
    labels = torch.randint(C, (B, L) if shared else (P, B, L), generator=torch.Generator().manual_seed(1))
    loss = OwnLoss(
        lambda f, y: functional.cross_entropy(f.flatten(0, 1), y.flatten(), reduction="none").view(y.shape).mean(1),
        together,
        "positions",
    )
    expected = PerPosition(make_loss(Softmax(name="softmax"), C), L)
    torch.testing.assert_close(loss.objective(outputs, labels), expected.objective(outputs, labels))
    for ours, wanted in zip(loss.sums(outputs, labels), expected.sums(outputs, labels), strict=True):
        torch.testing.assert_close(ours, wanted)
