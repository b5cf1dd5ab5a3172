import doctest

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

import trainables.step.l2
from search_spaces.sections.optimizer import L2
from trainables.step.l2 import decayed_parameters, describe_l2, weight_decay_of


class Zoo(nn.Module):
    """One of each kind of layer; nothing of it is run."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 8)
        self.bag = nn.EmbeddingBag(20, 8)
        self.attention = nn.MultiheadAttention(8, 2)
        self.conv = nn.Conv2d(3, 4, 3)
        self.batch_norm = nn.BatchNorm2d(4)
        self.instance_norm = nn.InstanceNorm2d(4, affine=True)
        self.group_norm = nn.GroupNorm(2, 4)
        self.layer_norm = nn.LayerNorm((4, 6, 6))  # scale and shift have three dimensions
        self.rms_norm = nn.RMSNorm((2, 4))
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.recurrent = nn.GRU(4, 3)
        self.scale = nn.Parameter(torch.ones(()))
        self.head = nn.Linear(8, 3)


def test_matrices_are_what_has_two_dimensions_outside_norms_and_embeddings():
    assert decayed_parameters(Zoo(), L2(parameters="matrices")) == (
        "attention.in_proj_weight",
        "attention.out_proj.weight",
        "conv.weight",
        "recurrent.weight_ih_l0",
        "recurrent.weight_hh_l0",
        "head.weight",
    )


def test_all_are_all_that_are_trained():
    module = Zoo()
    trained = [name for name, _ in module.named_parameters() if not name.startswith("frozen")]
    assert decayed_parameters(module, L2()) == tuple(trained)


def test_a_matrix_tied_to_an_embedding_counts_as_one():
    module = nn.ModuleDict({"head": nn.Linear(8, 50, bias=False), "words": nn.Embedding(50, 8)})
    module["words"].weight = module["head"].weight
    assert decayed_parameters(module, L2(parameters="matrices")) == ()
    assert decayed_parameters(module, L2()) == ("head.weight",)


@pytest.mark.parametrize(("convention", "expected"), [("half", 0.5), ("square", 1.0), ("per_sample", 0.5 / 64)])
def test_weight_decay_gives_the_gradient_of_the_penalty(convention, expected):
    lam, train, theta = 0.5, 64, torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64, requires_grad=True)
    factor = {"half": lam / 2, "square": lam, "per_sample": lam / (2 * train)}[convention]
    (gradient,) = torch.autograd.grad(factor * theta.square().sum(), theta)
    w = weight_decay_of(L2(convention=convention), lam, train)
    assert w == expected
    torch.testing.assert_close(w * theta.detach(), gradient)


def test_the_rule_in_one_line():
    with torch.device("meta"):
        module = resnet18()
    square = L2(convention="square", parameters="matrices")
    assert describe_l2(module, L2(), 50_000) == (
        "½λ‖θ‖² (weight_decay = λ) on all 62 parameter tensors, 11,689,512 numbers"
    )
    assert describe_l2(module, square, 50_000) == (
        "λ‖θ‖² (weight_decay = 2λ) on 21 of 62 parameter tensors, 11,678,912 of 11,689,512 numbers; "
        "not on biases, norms and embeddings"
    )
    assert describe_l2(module, L2(convention="per_sample"), 50_000) == (
        "λ/(2N)‖θ‖² (weight_decay = λ/N, N = 50,000 training samples) on all 62 parameter tensors, 11,689,512 numbers"
    )


def test_matrices_alone_are_all_that_there_is():
    module = nn.Linear(3, 2, bias=False)
    assert describe_l2(module, L2(parameters="matrices"), 10).endswith("on all 1 parameter tensors, 6 numbers")


def test_the_examples_in_docstrings_are_true():
    assert doctest.testmod(trainables.step.l2).failed == 0
