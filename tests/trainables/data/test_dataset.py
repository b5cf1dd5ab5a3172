import numpy as np
import pandas as pd
import pytest
import torch

from trainables.data import Dataset


def tensors(**changes):
    torch.manual_seed(0)
    values = {
        "x_train": torch.randn(6, 3, 4, 4) * 5 + 2,
        "y_train": torch.tensor([0, 1, 2, 0, 1, 2]),
        "x_test": torch.randn(2, 3, 4, 4),
        "y_test": torch.tensor([2, 0]),
        "classes": 3,
    }
    return values | changes


def test_training_samples_have_mean_0_and_deviation_1_once_normalized():
    data = Dataset.from_tensors(**tensors())
    x = data.normalize(data.train.at(torch.arange(6)))
    assert x.mean().abs() < 1e-6
    assert abs(float(x.std()) - 1) < 1e-6
    test = data.normalize(data.test.at(torch.arange(2)))
    assert float(test.mean()) < -0.2  # by the training set's numbers, not its own


def test_normalize_takes_any_leading_axes():
    data = Dataset.from_tensors(**tensors(), normalize="channel")
    raw = data.train.at(torch.arange(6))
    assert torch.equal(data.normalize(raw.reshape(2, 3, 3, 4, 4)), data.normalize(raw).reshape(2, 3, 3, 4, 4))


def test_bytes_are_normalized_in_float32():
    x = torch.randint(0, 256, (6, 3, 4, 4), dtype=torch.uint8)
    data = Dataset.from_tensors(**tensors(x_train=x, x_test=x[:2]))
    assert data.train.at(torch.arange(2)).dtype == torch.uint8
    torch.testing.assert_close(data.normalize(x), (x.float() - x.float().mean()) / x.float().std())


def test_arrays_and_other_integer_labels_are_taken():
    values = tensors(y_train=torch.tensor([0, 1, 2, 0, 1, 2], dtype=torch.int32))
    data = Dataset.from_tensors(**values | {"x_train": values["x_train"].numpy(), "y_test": np.array([2, 0], np.uint8)})
    assert data.train.labels.dtype == data.test.labels.dtype == torch.int64
    assert data.train.shape == data.test.shape == (3, 4, 4)


@pytest.mark.parametrize("kind", [np.uint16, np.uint32, np.uint64, np.int8, ">i4"])
def test_labels_of_every_integer_type_are_taken(kind):
    data = Dataset.from_tensors(**tensors(y_train=np.array([0, 1, 2, 0, 1, 2], kind)[::-1]))
    assert data.train.labels.tolist() == [2, 1, 0, 2, 1, 0]
    with pytest.raises(ValueError, match="y_train must be from 0 to 2, but has labels from 0 to 9"):
        Dataset.from_tensors(**tensors(y_train=np.array([0, 1, 2, 0, 1, 9], kind)))


def test_objects_of_pandas_are_taken_whatever_their_index(recwarn):
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    frame = pd.DataFrame(x, index=[5, 9, 3, 1, 7, 2])
    labels = pd.Series([0, 1, 0, 1, 0, 1], index=frame.index, dtype="uint8")
    data = Dataset.from_tensors(frame[:4], labels[:4], frame[4:], labels.astype("category")[4:], classes=2)
    np.testing.assert_array_equal(data.train.x, x[:4])
    assert (data.train.labels.tolist(), data.test.labels.tolist()) == ([0, 1, 0, 1], [0, 1])
    assert not recwarn.list


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pd.Series(["a", "b"] * 3), "y_train is a Series that torch cannot read"),
        (pd.DataFrame({"a": range(6)}), r"y_train must have shape \(6,\)"),
        ([[0], [1, 2]], "y_train is a list that torch cannot read"),
        (pd.Series([0.0, 1.0] * 3), "y_train must be integers"),
    ],
)
def test_objects_without_numbers_are_named_with_the_remedy(values, said):
    with pytest.raises(ValueError, match=said):
        Dataset.from_tensors(**tensors(y_train=values))


def test_a_frame_of_float64_is_named_with_the_remedy():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(6, 3)))
    with pytest.raises(ValueError, match=r'got torch.float64: convert it, as by .* or x_train.astype\("float32"\)'):
        Dataset.from_tensors(frame, [0, 1] * 3, frame, [0, 1] * 3, classes=2)


def test_samples_made_in_inference_mode_train():
    with torch.inference_mode():
        data = Dataset.from_tensors(**tensors())
    weight = torch.ones((), requires_grad=True)
    (data.normalize(data.train.x) * weight).square().sum().backward()
    assert not data.train.labels.is_inference()


def test_tokens_stay_as_they_are():
    x = torch.tensor([[3, 0], [1, 2]])
    data = Dataset.from_tensors(x, [0, 1], x + 4, [0, 1], classes=2).to(torch.device("cpu"))
    assert (data.tokens, data.input_dtype) == (8, torch.int64)
    assert data.normalize(data.train.at(torch.tensor([1]))).tolist() == [[1, 2]]


def test_to_moves_everything():
    data = Dataset.from_tensors(**tensors()).to(torch.device("meta"))
    parts = (data.train.labels, data.test.labels, data.mean, data.std, data.train.at(torch.arange(2)))
    assert {p.device.type for p in parts} == {"meta"}


@pytest.mark.parametrize(("shape", "stored"), [((), (1,)), ((1,), (1,)), ((4,), (4,))])
def test_targets_may_be_numbers(shape, stored):
    y = np.arange(8.0 * int(np.prod(shape))).reshape(8, *shape)  # float64, as numpy makes them
    data = Dataset.from_tensors(**tensors(y_train=y[:6], y_test=y[6:], classes=None))
    assert (data.classes, data.targets, data.positions) == (0, "numbers", ())
    assert (data.train.labels.shape, data.train.labels.dtype) == ((6, *stored), torch.float32)
    assert data.test.labels.flatten().tolist() == y[6:].flatten().tolist()


def test_labels_may_stand_at_each_position():
    y = torch.randint(3, (8, 5))
    data = Dataset.from_tensors(**tensors(y_train=y[:6], y_test=y[6:]))
    assert (data.targets, data.positions, data.to(torch.device("cpu")).positions) == ("positions", (5,), (5,))
    assert torch.equal(data.train.labels, y[:6])
    assert Dataset.from_tensors(**tensors()).targets == "labels"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": torch.randn(6)}, r"x_train must have shape \(N, ...\) with at least one sample, but got \(6,\)"),
        ({"x_test": torch.randn(0, 3, 4, 4)}, "x_test must have shape"),
        ({"x_test": torch.randn(2, 3, 5, 5)}, r"samples of shape \(3, 4, 4\), but x_test of shape \(3, 5, 5\)"),
        (
            {"x_train": torch.randn(6, 3, 4, 4).double()},
            "x_train must be uint8 or float32, or int64 for tokens, but got torch.float64",
        ),
        ({"x_train": torch.ones(6, 3, 4, 4).long()}, "x_train is torch.int64, but x_test is torch.float32"),
        ({"x_train": -torch.ones(6, 3, 4, 4).long()}, "x_train has the token -1: tokens are integers from 0 on"),
        ({"x_train": torch.full((6, 3, 4, 4), torch.nan)}, "x_train has numbers that are not finite"),
        ({"x_train": torch.ones(6, 3, 4, 4)}, "do not vary"),
        (
            {"y_train": torch.zeros(5).long()},
            r"y_train must have shape \(6,\), one label a sample, or \(6, L\), one a position with L > 1, but g",
        ),
        ({"y_test": torch.zeros(2, 3).long()}, r"y_train has targets of shape \(\), but y_test of shape \(3,\)"),
        ({"y_test": torch.zeros(2, 3, 4).long()}, r"y_test must have shape \(2,\)"),
        ({"classes": None}, "y_train must be floats where classes is left out, but got torch.int64: give classes for"),
        (
            {"classes": None, "y_train": torch.zeros(6, 1, 1)},
            r"y_train must have shape \(6,\) or \(6, k\), one or k numbers",
        ),
        ({"classes": None, "y_train": torch.full((6,), torch.inf)}, "y_train has numbers that are not finite"),
        ({"y_train": torch.zeros(6)}, "y_train must be integers, but got torch.float32"),
        ({"y_test": torch.tensor([0, 3])}, "y_test must be from 0 to 2, but has labels from 0 to 3"),
        ({"y_test": torch.tensor([-1, 1])}, "labels from -1 to 1"),
        ({"classes": 1}, "classes must be at least 2, but got 1"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Dataset.from_tensors(**tensors(**changes))
