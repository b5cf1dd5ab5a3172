import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from search_spaces.errors import InputError
from search_spaces.trainable import Digits
from trainables.data import _read_digits, load_data


def test_the_file_read_is_what_scikit_learn_loads():
    images, labels = load_digits(return_X_y=True)
    ours, our_labels = _read_digits()
    np.testing.assert_array_equal(ours, images)
    np.testing.assert_array_equal(our_labels, labels)


def test_training_and_test_set_are_a_fixed_split_of_all_images():
    small, large = (load_data(Digits(name="digits", train=n)) for n in (512, 1000))
    assert [len(t) for t in (small.y_train, small.y_test)] == [512, 1285]
    assert torch.equal(small.y_train, large.y_train[:512])
    assert torch.equal(torch.cat([small.y_train, small.y_test]), torch.cat([large.y_train, large.y_test]))
    assert torch.bincount(small.y_train).min() > 30  # every digit is there


def test_images_are_normalized_by_one_mean_and_deviation_of_the_training_set():
    data = load_data(Digits(name="digits", train=512))
    assert data.x_train.shape == (512, 1, 8, 8)
    assert data.x_train.mean().abs() < 1e-6
    assert abs(float(data.x_train.std()) - 1) < 1e-6
    assert data.x_test.mean() != 0


def test_more_training_samples_than_images_are_refused():
    message = r"trainable.data.train: 1501 is not allowed: digits has 1797 images, of which at most 1500 can be"
    with pytest.raises(InputError, match=message):
        load_data(Digits(name="digits", train=1501))
