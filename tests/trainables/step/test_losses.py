import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from search_spaces.errors import InputError
from search_spaces.sections.loss import MeanSquaredError, Softmax
from trainables.step.losses import OwnLoss, make_loss

P, B, K = 3, 17, 5
SOFTMAX = {"mean": 1 / B, "paper": 1 / (2 * K * B), "code": 1 / (K * B)}
SQUARES = {"mean": 1 / B, "per_output": 1 / (K * B), "sum": 1.0}


def _outputs(points=P, samples=B, classes=K, seed=0, size=3.0):
    draws = torch.Generator().manual_seed(seed)
    return (torch.randn(points, samples, classes, generator=draws) * size).requires_grad_()


def _targets(kind, classes=K, samples=B, points=P):
    """kind: "hard" or "soft", then "shared" or "each"."""
    draws = torch.Generator().manual_seed(1)
    shape = (samples,) if "shared" in kind else (points, samples)
    if "hard" in kind:
        return torch.randint(classes, shape, generator=draws)
    return torch.randn(*shape, classes, generator=draws).softmax(-1)


def _of_point(targets, kind, point):
    return targets if "shared" in kind else targets[point]


KINDS = pytest.mark.parametrize("kind", ["hard shared", "hard each", "soft shared", "soft each"])


def _check_against(loss, outputs, targets, kind, factor, reference):
    """objective, its gradient and the loss of sums equal those of ``reference``, a sum over one point's samples."""
    objective = loss.objective(outputs, targets)
    (gradient,) = torch.autograd.grad(objective.sum(), [outputs])
    _, loss_sum = loss.sums(outputs, targets)
    assert loss.factor(outputs.shape[1]) == pytest.approx(factor)
    for p in range(len(outputs)):
        expected = reference(outputs[p], _of_point(targets, kind, p))
        (expected_gradient,) = torch.autograd.grad(expected, [outputs])
        torch.testing.assert_close(objective[p], expected * factor)
        torch.testing.assert_close(gradient[p], expected_gradient[p] * factor)
        torch.testing.assert_close(loss_sum[p], expected.detach())


@KINDS
@pytest.mark.parametrize("scale", SOFTMAX)
def test_softmax_equals_torch_cross_entropy(scale, kind):
    loss = make_loss(Softmax(name="softmax", scale=scale), K)
    assert loss.outputs == K

    def reference(outputs, targets):
        return nn.functional.cross_entropy(outputs, targets, reduction="sum")

    _check_against(loss, _outputs(), _targets(kind), kind, SOFTMAX[scale], reference)


@KINDS
@pytest.mark.parametrize("scale", SQUARES)
def test_one_hot_mse_equals_half_of_torch_mse_loss(scale, kind):
    loss = make_loss(MeanSquaredError(name="mse", scale=scale), K)
    assert loss.outputs == K

    def reference(outputs, targets):
        goal = nn.functional.one_hot(targets, K).float() if "hard" in kind else targets
        return nn.functional.mse_loss(outputs, goal, reduction="sum") / 2

    _check_against(loss, _outputs(), _targets(kind), kind, SQUARES[scale], reference)


@KINDS
@pytest.mark.parametrize("scale", SQUARES)
def test_sign_mse_equals_half_of_torch_mse_loss_with_one_output(scale, kind):
    loss = make_loss(MeanSquaredError(name="mse", targets="sign", scale=scale), 2)
    assert loss.outputs == 1

    def reference(outputs, targets):
        goal = targets * 2.0 - 1 if "hard" in kind else targets[:, 1] - targets[:, 0]
        return nn.functional.mse_loss(outputs.squeeze(1), goal, reduction="sum") / 2

    factor = 1.0 if scale == "sum" else 1 / B
    _check_against(loss, _outputs(classes=1), _targets(kind, classes=2), kind, factor, reference)


def test_the_per_output_scale_of_mse_is_half_of_torch_mean_over_samples_and_outputs():
    outputs, labels = _outputs(), _targets("hard each")
    objective = make_loss(MeanSquaredError(name="mse", scale="per_output"), K).objective(outputs, labels)
    for p in range(P):
        goal = nn.functional.one_hot(labels[p], K).float()
        torch.testing.assert_close(objective[p], nn.functional.mse_loss(outputs[p], goal) / 2)


def test_sign_targets_need_two_classes():
    with pytest.raises(InputError) as error:
        make_loss(MeanSquaredError(name="mse", targets="sign"), 10)
    assert str(error.value) == (
        "trainable.loss.targets: sign needs two classes, but the data has 10; use one_hot, or data with labels: parity."
    )


SPECS = [Softmax(name="softmax"), MeanSquaredError(name="mse"), MeanSquaredError(name="mse", targets="sign")]
EACH_SPEC = pytest.mark.parametrize("spec", SPECS, ids=["softmax", "one_hot", "sign"])


@EACH_SPEC
def test_an_all_zero_network_is_right_about_class_zero_only(spec):
    loss = make_loss(spec, 2)
    correct, _ = loss.sums(torch.zeros(2, 6, loss.outputs), torch.tensor([0, 1, 1, 0, 1, 1]))
    assert correct.tolist() == [2, 2]


def test_the_class_predicted_is_the_first_of_the_largest_outputs():
    outputs = torch.tensor([[[0.0, 2.0, 2.0], [1.0, 1.0, 0.0], [-1.0, -2.0, 3.0], [5.0, 5.0, 5.0]]])
    for spec in SPECS[:2]:
        loss = make_loss(spec, 3)
        right = [loss.sums(outputs, torch.full((4,), label))[0].item() for label in range(3)]
        assert right == [2, 1, 1]


def test_a_positive_output_means_class_one_under_sign_targets():
    loss = make_loss(SPECS[2], 2)
    outputs = torch.tensor([0.5, -0.5, 0.0, 0.0, 7.0, -7.0]).view(1, 6, 1)
    assert loss.sums(outputs, torch.tensor([1, 0, 0, 1, 0, 1]))[0].tolist() == [3]


@EACH_SPEC
def test_sums_take_a_soft_label_for_its_largest_entry(spec):
    loss = make_loss(spec, 2)
    outputs, soft = _outputs(classes=loss.outputs), _targets("soft each", classes=2)
    correct, _ = loss.sums(outputs, soft)
    assert correct.tolist() == loss.sums(outputs, (soft[..., 1] > soft[..., 0]).long())[0].tolist()
    assert not correct.requires_grad


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@EACH_SPEC
def test_the_correct_count_is_nan_where_the_loss_is_not_finite(spec, bad):
    loss = make_loss(spec, 2)
    outputs = _outputs(classes=loss.outputs).detach()
    labels = _targets("hard shared", classes=2)
    before = loss.sums(outputs, labels)
    outputs[1, 4] = bad
    correct, total = loss.sums(outputs, labels)
    assert math.isnan(correct[1])
    assert not math.isfinite(total[1])
    for sound in (0, 2):
        assert (correct[sound], total[sound]) == (before[0][sound], before[1][sound])


def test_large_outputs_have_a_finite_cross_entropy():
    loss = make_loss(SPECS[0], 2)
    outputs = torch.tensor([[[1e30, -1e30], [-1e30, 1e30]]])
    assert loss.sums(outputs, torch.tensor([0, 1]))[1].item() == 0
    assert loss.objective(outputs, torch.tensor([1, 0])).item() == pytest.approx(2e30)


@EACH_SPEC
def test_outputs_in_bfloat16_are_summed_in_float32(spec):
    loss = make_loss(spec, 2)
    outputs, labels = _outputs(1, 4096, loss.outputs).detach().bfloat16(), _targets("hard shared", 2, 4096)
    for narrow, wide in zip(loss.sums(outputs, labels), loss.sums(outputs.float(), labels), strict=True):
        assert narrow.dtype == torch.float32
        torch.testing.assert_close(narrow, wide)
    torch.testing.assert_close(loss.objective(outputs, labels), loss.objective(outputs.float(), labels))


def _own_hinge(outputs, targets):
    """Weston & Watkins' hinge loss, written for one network."""
    right = outputs.gather(1, targets.unsqueeze(1))
    return (1 + outputs - right).clamp(min=0).sum(1) - 1


LOSSES = [
    *(make_loss(Softmax(name="softmax", scale=scale), K) for scale in SOFTMAX),
    *(make_loss(MeanSquaredError(name="mse", scale=scale), K) for scale in SQUARES),
    make_loss(MeanSquaredError(name="mse", targets="sign"), 2),
    OwnLoss(_own_hinge),
]


@settings(max_examples=60, deadline=None)
@given(
    loss=st.sampled_from(LOSSES),
    kind=st.sampled_from(["hard shared", "hard each", "soft shared", "soft each"]),
    points=st.integers(1, 9),
    samples=st.sampled_from([1, 2, 15, 16, 64, 130, 512]),
    seed=st.integers(0, 5),
)
def test_a_point_alone_and_in_a_pack_are_the_same_bit_for_bit(loss, kind, points, samples, seed):
    if isinstance(loss, OwnLoss):
        kind = kind.replace("soft", "hard")
    outputs_count = getattr(loss, "outputs", K)
    classes = 2 if outputs_count == 1 else K
    outputs, targets = _outputs(points, samples, outputs_count, seed), _targets(kind, classes, samples, points)
    objective = loss.objective(outputs, targets)
    (gradient,) = torch.autograd.grad(objective.sum(), [outputs])
    together = (objective.detach(), gradient, *loss.sums(outputs, targets))
    for p in range(points):
        one = outputs[p : p + 1].detach().clone().requires_grad_()
        own_targets = _of_point(targets, kind, slice(p, p + 1))
        objective = loss.objective(one, own_targets)
        (gradient,) = torch.autograd.grad(objective.sum(), [one])
        alone = (objective.detach(), gradient, *loss.sums(one, own_targets))
        assert all(torch.equal(a[p : p + 1], b) for a, b in zip(together, alone, strict=True))


@KINDS
def test_a_loss_of_ones_own_is_the_mean_of_its_samples(kind):
    def own(outputs, targets):
        return nn.functional.cross_entropy(outputs, targets, reduction="none")

    def reference(outputs, targets):
        return own(outputs, targets).sum()

    loss, outputs, targets = OwnLoss(own), _outputs(), _targets(kind)
    _check_against(loss, outputs, targets, kind, 1 / B, reference)
    assert torch.equal(loss.sums(outputs, targets)[0], make_loss(Softmax(name="softmax"), K).sums(outputs, targets)[0])


def test_a_loss_of_ones_own_with_one_output_predicts_by_its_sign():
    def own(outputs, targets):
        return nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.float(), reduction="none")

    outputs = torch.tensor([0.5, -0.5, 0.0, 0.0]).view(1, 4, 1)
    assert OwnLoss(own).sums(outputs, torch.tensor([1, 1, 0, 1]))[0].tolist() == [2]


@pytest.mark.parametrize(("own", "shape"), [(nn.functional.cross_entropy, "()"), (lambda o, _: o.square(), "(17, 5)")])
def test_a_loss_of_ones_own_must_give_one_number_a_sample(own, shape):
    with pytest.raises(InputError) as error:
        OwnLoss(own).objective(_outputs(), _targets("hard shared"))
    assert str(error.value).startswith(
        "a loss of one's own must return one number a sample, of shape (17,) for this batch, but it returned the shape "
        f"{shape}; "
    )
