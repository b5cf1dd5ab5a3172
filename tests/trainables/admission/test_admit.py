"""Losses of users, our own models, and what is said of a task before it trains."""

import numpy as np
import pytest
import torch
from models_support import (
    IMAGES,
    VECTORS,
    Hooked,
    Net,
    Tied,
    check_loads,
    plain_loop,
    point,
    recipe,
    rows_of,
)
from torch import nn
from torch.nn import functional

from search_spaces.errors import InputError
from search_spaces.sections.model import Cnn, FullyConnected, ResNet50, WideResNet
from sweeper.weights import _copy_in
from trainables.admission import admission_of
from trainables.admission.admit import admit
from trainables.data import Dataset
from trainables.models import build_model, initial_parameters
from trainables.pack.training import PackTraining
from trainables.profile import profile
from trainables.registered import registered
from trainables.task import Task


def entropy(outputs, labels):
    return functional.cross_entropy(outputs, labels, reduction="none")


def guarded(outputs, labels):
    losses = entropy(outputs, labels)
    if torch.isnan(losses).any():
        raise ValueError("nan")
    return losses


def hardest(outputs, labels):
    losses = entropy(outputs, labels)
    return losses * 2 if losses.max() > 0.5 else losses


def by_class(outputs, labels):
    losses = torch.zeros(len(labels))
    for label in labels.unique():
        losses[labels == label] = entropy(outputs[labels == label], labels[labels == label])
    return losses


class Weighted(nn.Module):
    """A loss with a buffer, which is no parameter."""

    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.tensor([1.0, 3.0]))

    def forward(self, outputs, labels):
        return functional.cross_entropy(outputs, labels, self.weight, reduction="none")


class Centers(Weighted):
    def __init__(self):
        super().__init__()
        self.centers = nn.Parameter(torch.zeros(2, 2))

    def forward(self, outputs, labels):
        return entropy(outputs, labels) + 0.1 * (outputs - self.centers[labels]).square().sum(1)


class Moving(nn.Module):
    """Weighs its losses by a moving average that it keeps in a buffer of its own."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.ones(()))

    def forward(self, outputs, labels):
        losses = entropy(outputs, labels)
        self.mean.mul_(0.9).add_(0.1 * losses.detach().mean())
        return losses / self.mean


class Annealed:
    """An object that counts its calls, and changes with them."""

    def __init__(self):
        self.calls = 0

    def __call__(self, outputs, labels):
        self.calls += 1
        return entropy(outputs, labels) * (2.0 if self.calls > 300 else 1.0)


class Counted(Annealed):
    def __call__(self, outputs, labels):
        self.calls += 1
        return entropy(outputs, labels)


def around(centers):
    return lambda outputs, labels: entropy(outputs, labels) + (outputs - centers.weight[labels]).square().sum(1)


LOSSES = {
    "together": (entropy, True),
    "a buffer": (Weighted(), True),
    "raises by value": (guarded, False),
    "branches by value": (hardest, False),
    "selects by mask": (by_class, False),
    "counts its calls": (Counted(), None),
}
REFUSED = {
    "a parameter": (Centers(), "the loss Centers has centers, a parameter of its own"),
    "a parameter in a method": (Centers().forward, "the loss has loss.centers, a parameter of its own"),
    "a parameter around it": (around(nn.Embedding(2, 2)), "the loss has loss:centers.weight, a parameter of its own"),
    "noise": (
        lambda o, y: entropy(o + torch.randn_like(o), y),
        "its loss or its backward pass draws random numbers, from torch",
    ),
    "noise of numpy": (lambda o, y: entropy(o, y) * np.random.rand(), "from numpy.random"),
    "a moving average": (Moving(), "its attribute loss.mean changes in a pass"),
    "annealing": (Annealed(), "its attribute loss.calls changes in a pass"),
    "a mean": (functional.cross_entropy, "a loss of one's own must return one number a sample"),
    "an error": (lambda o, _: o.nothing, "the loss, tried on 4 samples of shape (6,), raised AttributeError"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_train_as_in_torch(name):
    loss, together = LOSSES[name]
    task = Task(Net, VECTORS, loss)
    with registered(lambda: task) as function:
        settings = recipe(function)
        admission = admission_of(settings.trainable, task)
        for pack in ([point(0)], [point(0), point(1)]):
            measurements = list(PackTraining(pack, settings).measurements())
            for member, p in enumerate(pack):
                expected, _ = plain_loop(task, p.seed, p.lam, lambda o, y: loss(o, y).mean())
                np.testing.assert_allclose(rows_of(measurements, member), expected, rtol=1e-5)
    assert together is None or admission.loss_together == together
    assert admission.together or together is None


@pytest.mark.parametrize("name", REFUSED)
def test_losses_whose_numbers_would_be_wrong_are_refused(name):
    loss, said = REFUSED[name]
    with registered(lambda: Task(Net, VECTORS, loss)) as function, pytest.raises(InputError) as caught:
        profile(recipe(function))
    assert said in str(caught.value)


def test_the_highest_class_is_tried_although_the_samples_lack_it():
    data = Dataset.from_tensors(
        torch.randn(10, 6), torch.arange(10) // 4, torch.randn(4, 6), torch.arange(4) // 2, classes=3
    )
    with registered(lambda: Task(Net, data, entropy)) as function, pytest.raises(InputError) as caught:  # two outputs
        profile(recipe(function))
    assert "do not fit together; the loss of the highest class, tried on 4 samples" in str(caught.value)
    assert "raised IndexError: Target 2 is out of bounds." in str(caught.value)


def test_soft_labels_are_tried_with_mixup():
    def hard_only(outputs, labels):
        return entropy(outputs, labels.argmax(1) if labels.ndim > 1 else labels)

    task = Task(Net, VECTORS, hard_only)
    assert admit(task, mixup=True).loss_together


SPECS = {
    "fc": (FullyConnected(name="fc", width=8), True),
    "fc ntk": (FullyConnected(name="fc", width=8, bias=False, parametrization="ntk"), True),
    **{
        f"cnn {k}": (Cnn(name="cnn", channels=4, dense=8, pool=2, batch_norm=k), k != "running")
        for k in ("none", "batch", "running")
    },
    **{
        f"wrn {f} {k}": (WideResNet(name="wrn", depth=10, width=1, form=f, batch_norm=k), k != "running")
        for f in ("released", "original")
        for k in ("batch", "running")
    },
    "resnet50": (ResNet50(name="resnet50"), False),
}


@pytest.mark.parametrize(
    "name", [*[n for n in SPECS if n != "resnet50"], pytest.param("resnet50", marks=pytest.mark.slow)]
)
def test_our_own_models_are_trusted_rightly(name):
    """They are not tried before they train; here they are."""
    spec, modes_agree = SPECS[name]

    def make():
        module = build_model(spec, IMAGES.train.shape, 2)
        values = initial_parameters(module, seed=int(torch.randint(99, ())), sigma_w=1.0, sigma_b=0.1)
        module = module.to_empty(device="cpu")
        with torch.no_grad():
            for key, p in module.named_parameters():
                p.copy_(values[key])
            for part in module.modules():
                if isinstance(part, nn.BatchNorm2d) and part.track_running_stats:
                    part.reset_running_stats()
            for key, b in module.named_buffers():
                if key.endswith("sigma_w"):
                    b.fill_(1.0)
        return module

    admission = admit(Task(make, IMAGES))
    assert admission.together, admission.alone_because
    assert admission.modes_agree == modes_agree
    assert admission.notes == ()


def test_a_person_is_told_that_seeds_share_their_start():
    def fixed():
        torch.manual_seed(3)
        return Net()

    with registered(lambda: Task(fixed, VECTORS)) as name:
        (note,) = profile(recipe(name)).notes
        assert note.startswith("Every seed starts from the same weights")
        assert profile(recipe(name, init={"sigma_w": 1.0})).notes == ()


def test_the_plan_says_why_points_train_alone():
    with registered(lambda: Task(lambda: Hooked("parameter"), VECTORS)) as name:
        cost = profile(recipe(name))
    assert cost.pack_limit == 1
    assert cost.notes[-1].endswith("each in a module of its own: a hook on the parameter a.weight.")


def test_uninitialized_weights_are_none_where_the_grid_initializes():
    def empty():
        net = Net()
        net.a.weight = nn.Parameter(torch.from_numpy(np.random.default_rng().normal(size=(8, 6)).astype(np.float32)))
        return net

    assert admit(Task(empty, VECTORS), initialized=True).together


@pytest.mark.parametrize("old", [{"c.weight"}, {"c.weight", "d.weight"}], ids=["one name", "all names"])
def test_earlier_files_of_shared_weights_load(old):
    """Earlier files have a shared weight under its first name, and buffers that are not persistent."""
    task = Task(Tied, VECTORS)
    rows, module = plain_loop(task, 0, 0.01)
    state = {k: t for k, t in module.state_dict().items() if k not in {"c.weight", "d.weight"} or k in old}
    check_loads(task, point(0), module.state_dict(), module, rows)
    fresh = Tied()
    _copy_in(fresh, state, "file")
    assert fresh.c.weight is fresh.d.weight
    assert torch.equal(fresh.d.weight, module.d.weight)
    with pytest.raises(InputError, match=r"these are the weights of another model: b\.bias does not fit"):
        _copy_in(fresh, {k: t for k, t in state.items() if k != "b.bias"}, "file")
    with pytest.raises(InputError, match="another model: nothing does not fit"):
        _copy_in(fresh, state | {"nothing": torch.ones(1)}, "file")
