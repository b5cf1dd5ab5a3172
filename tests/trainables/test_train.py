"""What trains the points of a pack, and what each kind of training keeps."""

import numpy as np
import pytest

from search_spaces.outcome import Outcome
from trainables.pack.training import PackTraining
from trainables.train import Unresumable, start_training, train_pack

LOOP = """
from trainables.own_loop import Measured

def loop(point, device):
    for step in range(1, int(point.budget) + 1):
        yield Measured(step=step, epoch=step, train_acc=0.5, test_acc=0.5, train_loss=1 / step, test_loss=1.0)
"""
KERNEL = {
    "kernel": {"name": "relu", "depth": 1},
    "data": {"name": "digits", "train": 10, "labels": "parity"},
    "loss": {"name": "mse", "targets": "sign", "scale": "sum"},
}


def assert_same(measurements, others):
    for measured, other in zip(measurements, others, strict=True):
        assert (measured.step, measured.members, measured.ends) == (other.step, other.members, other.ends)
        for column, values in measured.values.items():
            np.testing.assert_array_equal(values, other.values[column], err_msg=column)


def test_networks_train_in_a_pack_whose_state_and_weights_are_known(make_point, make_recipe):
    points, recipe = [make_point(budget=3), make_point(lam=0.1, budget=2)], make_recipe()
    training, measurements = start_training(points, recipe), []
    assert isinstance(training, PackTraining)
    for measured in training.measurements():
        measurements.append(measured)
        assert training.state_dict()["step"] == measured.step
        for end in measured.ends:
            assert training.weights(end.member).keys()
    assert_same(measurements, train_pack(points, recipe))


@pytest.mark.parametrize("trainable", [{"loop": "loop_of_ones_own:loop"}, KERNEL], ids=["loop", "kernel"])
def test_a_loop_and_theory_can_only_start_anew(make_point, make_recipe, tmp_path, monkeypatch, trainable):
    (tmp_path / "loop_of_ones_own.py").write_text(LOOP)
    monkeypatch.syspath_prepend(tmp_path)
    points, recipe = [make_point(eta=0.02, budget=3)], make_recipe({"trainable": trainable})
    training = start_training(points, recipe)
    assert isinstance(training, Unresumable)
    first = list(training.measurements())
    assert [end.outcome for measured in first for end in measured.ends] == [Outcome.COMPLETED]
    assert first[-1].step == 3
    assert_same(first, training.measurements())
    assert training.state_dict() is None
    assert training.weights(0) is None
    with pytest.raises(NotImplementedError):
        training.load_state_dict({})
