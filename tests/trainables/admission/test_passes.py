"""Passes of tasks whose targets are numbers, or a label for each position, against a plain loop of torch."""

import numpy as np
import pytest
import torch
from models_support import FEATURES, WORDS, Net, plain_loop, point, recipe, rows_of
from torch import nn
from torch.nn import functional

from search_spaces.errors import InputError
from search_spaces.sections.metric import Metric
from trainables.admission import admission_of
from trainables.admission.admit import admit
from trainables.data import Dataset
from trainables.pack.training import PackTraining
from trainables.profile import profile
from trainables.registered import registered
from trainables.task import Task


def absolute(outputs, numbers):
    return (outputs - numbers).abs().mean(1)


def squared(outputs, numbers):
    return 0.5 * (outputs - numbers).square().sum(1).mean()


class Sequences(nn.Module):
    """Outputs of each position, from tokens."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm, self.head = nn.Embedding(WORDS, 8), nn.LayerNorm(8), nn.Linear(8, WORDS)

    def forward(self, x):
        h = self.embed(x)
        return self.head(self.norm(h + h.cumsum(1)))


def per_position(outputs, labels):
    return functional.cross_entropy(outputs.flatten(0, -2), labels.flatten())


def each_position(outputs, labels):
    return (
        functional.cross_entropy(outputs.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape).mean(1)
    )


def make_numbers(count=24):
    x = torch.randn(2 * count, FEATURES, generator=torch.Generator().manual_seed(0))
    y = x[:, :2] * x[:, 2:4]
    return Dataset.from_tensors(x[:count], y[:count], x[count:], y[count:])


def make_text(count=24):
    x = torch.randint(WORDS, (2 * count, 6), generator=torch.Generator().manual_seed(0))
    x, y = x[:, :-1], x[:, 1:]
    return Dataset.from_tensors(x[:count], y[:count], x[count:], y[count:], classes=WORDS)


TARGETS = {
    "numbers": (Task(Net, make_numbers()), squared),
    "numbers, a loss of one's own": (Task(Net, make_numbers(), absolute), lambda o, y: absolute(o, y).mean()),
    "positions": (Task(Sequences, make_text()), per_position),
    "positions, a loss of one's own": (Task(Sequences, make_text(), each_position), per_position),
    "positions, one by one": (Task(lambda: nn.Sequential(Sequences(), nn.Dropout()), make_text()), per_position),
}


@pytest.mark.parametrize("name", TARGETS)
def test_numbers_and_labels_of_positions_train_as_in_torch(name):
    task, loss = TARGETS[name]
    with registered(lambda: task) as function:
        settings = recipe(function, batch="full").model_copy(update={"metric": Metric(name="test_loss")})
        profile(settings)
        assert admission_of(settings.trainable, task).together == ("one by one" not in name)
        for pack in ([point(0)], [point(0), point(1)]):
            measurements = list(PackTraining(pack, settings).measurements())
            for member, p in enumerate(pack):
                expected, module = plain_loop(task, p.seed, p.lam, loss)
                np.testing.assert_allclose(rows_of(measurements, member), expected, rtol=1e-5)
                accuracy = measurements[-1].values["test_acc"][member]
                outputs, labels = module(task.data.normalize(task.data.test.x)), task.data.test.labels
                right = (outputs.argmax(-1) == labels).float().mean().item() if task.data.classes else np.nan
                assert accuracy == pytest.approx(right, nan_ok=True)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (Task(lambda: nn.Linear(FEATURES, 1), make_numbers()), "the model gives outputs of shape (4, 1), not (4, 2)"),
        (
            Task(lambda: nn.Sequential(Sequences(), nn.Flatten()), make_text()),
            f"the model gives outputs of shape (4, {5 * WORDS}), not (4, 5, {WORDS})",
        ),
        (Task(Net, make_numbers(), functional.mse_loss), "a loss of one's own must return one number a sample"),
    ],
)
def test_outputs_and_losses_that_do_not_fit_the_targets_are_refused(task, said):
    with registered(lambda: task) as function, pytest.raises(InputError) as caught:
        profile(recipe(function).model_copy(update={"metric": Metric(name="test_loss")}))
    assert said in str(caught.value)


@pytest.mark.parametrize(("task", "what"), [(Task(Net, make_numbers()), "targets that are numbers")])
def test_targets_that_cannot_be_mixed_are_refused(task, what):
    with pytest.raises(InputError, match=f"mixup is not allowed: {what} cannot be mixed"):
        admit(task, mixup=True)
