from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from search_spaces.errors import InputError
from trainables.data.crops import crop_boxes
from trainables.data.decode import EXTENSIONS, center_crop, decode_all, random_resized_crop, read_rgb


@pytest.mark.parametrize(("width", "height"), [(500, 375), (375, 500), (64, 64), (40, 33), (20, 300)])
@pytest.mark.parametrize("size", [224, 32])
def test_the_centre_is_cut_as_torchvision_cuts_it(random_image, width, height, size):
    image = Image.fromarray(random_image(0, height, width))
    short = {224: 256, 32: 37}[size]
    theirs = v2.Compose([v2.Resize(short), v2.CenterCrop(size)])(image)
    np.testing.assert_array_equal(np.asarray(center_crop(image, size)), np.asarray(theirs))


def test_a_random_box_is_cut_and_scaled_as_torchvision_does_it(random_image):
    image = Image.fromarray(random_image(0, 90, 120))
    for draws in np.random.default_rng(0).random((20, 10, 4), dtype=np.float32):
        box = crop_boxes(np.array([[90, 120]]), draws[None])[0].tolist()
        theirs = functional.resized_crop(image, *box, [32, 32])
        np.testing.assert_array_equal(np.asarray(random_resized_crop(image, 32, draws)), np.asarray(theirs))


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_formats(tmp_path, random_image, extension):
    path = tmp_path / f"image{extension}"
    Image.fromarray(random_image(0)).save(path)
    assert np.abs(np.asarray(read_rgb(str(path))).astype(int) - random_image(0)).mean() < 10  # JPEG and WebP lose some


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_other_colours_become_rgb(tmp_path, random_image, mode):
    Image.fromarray(random_image(0)).convert(mode).save(tmp_path / "image.png")
    assert np.asarray(read_rgb(str(tmp_path / "image.png"))).shape == (24, 32, 3)


def test_sixteen_bits_are_refused(tmp_path):
    Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100).save(tmp_path / "deep.png")
    with pytest.raises(InputError, match=r"deep.png has more than 8 bits a channel"):
        read_rgb(str(tmp_path / "deep.png"))


@pytest.mark.parametrize("extension", ["png", "jpg"])
@pytest.mark.parametrize("length", [0, 30, 400])
def test_a_damaged_file_is_named(tmp_path, random_image, extension, length):
    path = tmp_path / f"damaged.{extension}"
    Image.fromarray(random_image(0)).save(path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match=rf"the image .*damaged.{extension} cannot be decoded \(.*Replace or delete"):
        read_rgb(str(path))


@pytest.fixture
def files(tmp_path, random_image):
    paths = [tmp_path / f"{i}.png" for i in range(50)]
    for i, path in enumerate(paths):
        Image.fromarray(random_image(i)).save(path)
    return [str(p) for p in paths]


@pytest.mark.parametrize("threads", [1, 3])
def test_all_images_come_in_order_on_any_number_of_threads(files, random_image, threads):
    torch.set_num_threads(threads)  # conftest sets it back
    images = decode_all(files, None)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images.transpose(0, 2, 3, 1), [random_image(i) for i in range(50)])


def test_with_a_size_each_is_cut(files, random_image):
    expected = [np.asarray(center_crop(Image.fromarray(random_image(i)), 16)) for i in range(50)]
    np.testing.assert_array_equal(decode_all(files, 16).transpose(0, 2, 3, 1), expected)


def test_a_damaged_file_among_many_is_named(files):
    with Path(files[37]).open("r+b") as file:
        file.truncate(100)
    with pytest.raises(InputError, match=r"37.png cannot be decoded"):
        decode_all(files, None)


def test_two_sizes_are_named(files, random_image):
    Image.fromarray(random_image(0, 20, 20)).save(files[41])
    message = r"trainable.data.size is missing: .*0.png has 32×24 pixels, .*41.png 20×20. Set trainable.data.size to"
    with pytest.raises(InputError, match=message):
        decode_all(files, None)
