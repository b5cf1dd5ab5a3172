import subprocess
import sys

import pytest
import torch
from PIL import Image

from search_spaces.errors import InputError
from search_spaces.sections.data import Digits, ImageFolder, Teacher, TorchvisionImages
from trainables.data import load_data


def test_a_set_is_loaded_once():
    assert load_data(Digits(name="digits", train=300)) is load_data(Digits(name="digits", train=300))


def test_each_kind_of_data_is_loaded(write_folder):
    assert load_data(Digits(name="digits")).train.shape == (1, 8, 8)
    assert load_data(Teacher(name="teacher")).train.shape == (20,)
    assert load_data(ImageFolder(name="image_folder", root=str(write_folder()))).train.shape == (3, 24, 32)
    with pytest.raises(InputError, match="finds no intact mnist"):
        load_data(TorchvisionImages(name="mnist", root="/nowhere"))


def test_images_that_are_all_alike_are_an_error_of_the_input(write_folder):
    root = write_folder()
    for file in (root / "train").glob("*/*"):
        Image.new("RGB", (32, 24)).save(file)
    with pytest.raises(InputError, match=r"trainable.data: image_folder cannot be used: .* do not vary \(all are 0\)"):
        load_data(ImageFolder(name="image_folder", root=str(root)))


def test_every_sample_of_a_set_is_at_hand_in_every_form(write_folder):
    root = str(write_folder(height=40, width=40))
    for spec in (
        Digits(name="digits"),
        Teacher(name="teacher"),
        ImageFolder(name="image_folder", root=root, size=16, stream=True),
    ):
        data = load_data(spec)
        for samples in (data.train, data.test):
            x = data.normalize(samples.at(torch.arange(len(samples))))
            assert x.shape == (len(samples), *samples.shape)
            assert x.dtype == torch.float32
            assert int(samples.labels.max()) < data.classes


def test_data_that_needs_neither_imports_neither_torchvision_nor_scikit_learn():
    code = (
        "import sys; from trainables.data import load_data; from search_spaces.sections.data import Digits;"
        "load_data(Digits(name='digits')); assert not {'torchvision', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
