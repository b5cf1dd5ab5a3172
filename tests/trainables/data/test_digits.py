import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits as scikit_learn_digits

from search_spaces.errors import InputError
from search_spaces.sections.data import Digits
from trainables.data.digits import load_digits, read_digits


def load(**kwargs):
    return load_digits(Digits(name="digits", **kwargs))


def test_the_file_read_is_what_scikit_learn_loads():
    images, labels = scikit_learn_digits(return_X_y=True)
    ours, our_labels = read_digits()
    np.testing.assert_array_equal(ours, images)
    np.testing.assert_array_equal(our_labels, labels)


def test_training_and_test_set_are_a_fixed_split_of_all_images():
    small, large = load(train=512), load(train=1000)
    assert [len(small.train), len(small.test)] == [512, 1285]
    assert torch.equal(small.train.labels, large.train.labels[:512])
    both = [torch.cat([d.train.labels, d.test.labels]) for d in (small, large)]
    assert torch.equal(*both)
    assert torch.bincount(small.train.labels).min() > 30  # every digit is there


def test_images_are_bytes_normalized_by_one_mean_and_deviation_of_the_training_set():
    data = load(train=512)
    raw = data.train.at(torch.arange(512))
    assert raw.shape == (512, 1, 8, 8)
    assert raw.dtype == torch.uint8
    assert raw.max() == 16
    x = data.normalize(raw)
    assert x.mean().abs() < 1e-6
    assert abs(float(x.std()) - 1) < 1e-6


def test_parity_is_whether_the_digit_is_odd():
    classes, parity = load(), load(labels="parity")
    assert (classes.classes, parity.classes) == (10, 2)
    assert torch.equal(parity.train.labels, classes.train.labels % 2)
    assert torch.equal(parity.test.labels, classes.test.labels % 2)


def test_more_training_samples_than_images_are_refused():
    message = r"trainable.data.train: 1501 is not allowed: digits has 1797 images, of which at most 1500 can be"
    with pytest.raises(InputError, match=message):
        load(train=1501)


def test_validation_images_follow_the_training_images():
    plain, held_out = load(train=512), load(train=512, validation=200)
    assert torch.equal(held_out.train.labels, plain.train.labels)
    assert torch.equal(held_out.test.labels, plain.test.labels[:200])
    assert torch.equal(held_out.mean, plain.mean)


def test_the_training_set_leaves_room_for_validation_and_test_images():
    data = load(train=1500, validation=300)
    assert [len(data.train), len(data.test)] == [1200, 300]


def test_to_hold_out_all_but_the_test_images_is_refused():
    with pytest.raises(InputError, match=r"trainable.data.validation: 1500 .* at most 1499 can be held out"):
        load(train=10, validation=1500)
