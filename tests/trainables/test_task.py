"""Functions of the user's own that a grid names."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from search_spaces.errors import InputError
from search_spaces.sections.loss import MeanSquaredError, Softmax
from search_spaces.sections.metric import TEST_ACCURACY, Metric
from trainables.data import Dataset
from trainables.step.losses import CrossEntropy, OwnLoss, SquaredError
from trainables.step.targets import PerPosition, SquaredDistance
from trainables.task import Task, check_metric, import_function

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory that is off the import path afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


@pytest.mark.parametrize(
    ("function", "made", "found"),
    [
        ("results:f", "results.py", f"has no function f; it was found at {ROOT}/results/__init__.py."),
        ("results.mine:f", "results/mine.py", "cannot be imported (No module named 'results.mine')"),
        ("results:f", "results/__init__.py", f"has no function f; it was found at {ROOT}/results/__init__.py."),
        ("trainables:f", "trainables.py", f"has no function f; it was found at {ROOT}/trainables/__init__.py."),
        (
            "search_spaces:f",
            "search_spaces.py",
            f"has no function f; it was found at {ROOT}/search_spaces/__init__.py.",
        ),
        ("sweeper:f", "sweeper.py", f"has no function f; it was found at {ROOT}/sweeper/__init__.py."),
        ("random:f", "random.py", "the module random has no function f; it was found at /"),
        ("sys:f", "sys.py", "the module sys has no function f; it was found at Python itself."),
    ],
)
def test_a_function_in_a_file_that_another_module_hides(folder, function, made, found):
    (folder / made).parent.mkdir(exist_ok=True)
    (folder / made).write_text("def f():\n    return 1\n")
    with pytest.raises(InputError) as refused:
        import_function(function, "trainable.function", (), {})
    assert found in str(refused.value)
    other = folder / ("results" if function == "results.mine:f" else made)
    assert str(refused.value).endswith(f" {other} has the same name and is hidden by it; rename that one.")


def test_a_module_without_the_function_is_told_with_its_file(folder):
    (folder / "only_g.py").write_text("def g():\n    return 1\n")
    with pytest.raises(InputError, match=rf"no function f; it was found at {folder}/only_g\.py\.$"):
        import_function("only_g:f", "trainable.function", (), {})


def task_of_targets(y, classes, loss=None):
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    return Task(lambda: nn.Linear(3, 2), Dataset.from_tensors(x[:6], y[:6], x[6:], y[6:], classes=classes), loss)


LABELS, POSITIONS, NUMBERS = torch.arange(8) % 3, torch.arange(32).view(8, 4) % 3, torch.arange(16.0).view(8, 2)


@pytest.mark.parametrize(
    ("task", "loss"),
    [
        (task_of_targets(LABELS, 3), CrossEntropy(3)),
        (task_of_targets(LABELS, 3, MeanSquaredError(name="mse")), SquaredError(3)),
        (task_of_targets(POSITIONS, 3), PerPosition(CrossEntropy(3), 4)),
        (task_of_targets(NUMBERS, None), SquaredDistance(2)),
        (task_of_targets(NUMBERS, None, MeanSquaredError(name="mse", scale="sum")), SquaredDistance(2, "sum")),
        (task_of_targets(NUMBERS, None, torch.dist), OwnLoss(torch.dist, targets="numbers")),
    ],
)
def test_the_loss_follows_from_the_targets(task, loss):
    assert task.objective() == loss


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (Softmax(name="softmax"), "the loss softmax needs classes, but the targets are numbers: leave 'loss' out"),
        (MeanSquaredError(name="mse", targets="sign"), "the loss mse of targets: sign needs classes"),
    ],
)
def test_a_loss_of_classes_is_none_of_numbers(loss, said):
    with pytest.raises(InputError, match=said):
        task_of_targets(NUMBERS, None, loss).objective()


def test_numbers_have_no_accuracy():
    with pytest.raises(InputError, match="the targets of this task are numbers, and only classes have an accuracy"):
        check_metric(TEST_ACCURACY, task_of_targets(NUMBERS, None))
    check_metric(Metric(name="test_loss"), task_of_targets(NUMBERS, None))
    check_metric(TEST_ACCURACY, task_of_targets(POSITIONS, 3))
