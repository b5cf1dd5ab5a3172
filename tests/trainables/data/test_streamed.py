from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from search_spaces.errors import InputError
from trainables.data import streamed
from trainables.data.decode import decode_all, random_resized_crop, read_rgb
from trainables.data.streamed import MAX_PENDING_REQUESTS, Streamed


@pytest.fixture
def samples(tmp_path, random_image):
    paths = [tmp_path / f"{i}.png" for i in range(20)]
    for i, path in enumerate(paths):
        Image.fromarray(random_image(i, 40 + i, 50)).save(path)
    return Streamed([str(p) for p in paths], torch.arange(20) % 3, 16)


@pytest.fixture
def started(monkeypatch):
    """The batches that decoding was started for, by their first image."""
    log = []
    real = streamed.decode_center_crops

    def decode_center_crops(paths, size, **options):
        log.append(int(paths[0].rsplit("/", 1)[1].removesuffix(".png")))
        return real(paths, size, **options)

    monkeypatch.setattr(streamed, "decode_center_crops", decode_center_crops)
    return log


def test_centres_are_those_that_are_kept_in_memory(samples):
    index = torch.tensor([3, 19, 3, 0])
    images = samples.at(index)
    assert images.dtype == torch.uint8
    np.testing.assert_array_equal(images, decode_all([samples._paths[i] for i in index], 16))


def test_draws_cut_a_random_box_out_of_the_whole_image(samples):
    index, draws = torch.tensor([5, 2]), np.random.default_rng(0).random((2, 10, 4), dtype=np.float32)
    images = samples.at(index, draws).permute(0, 2, 3, 1)
    for image, i, own in zip(images, index, draws, strict=True):
        np.testing.assert_array_equal(image, np.asarray(random_resized_crop(read_rgb(samples._paths[i]), 16, own)))


def test_what_was_expected_is_decoded_once(samples, started):
    plain = samples.at(torch.tensor([4, 5]))
    samples.prefetch(torch.tensor([4, 5]))
    samples.prefetch(torch.tensor([4, 5]))
    assert started == [4, 4]
    assert torch.equal(samples.at(torch.tensor([4, 5])), plain)
    assert started == [4, 4]


def test_other_draws_are_another_request(samples):
    index, draws = torch.tensor([1]), np.random.default_rng(0).random((2, 1, 10, 4), dtype=np.float32)
    samples.prefetch(index, draws[0])
    assert torch.equal(samples.at(index, draws[1]), Streamed(samples._paths, samples.labels, 16).at(index, draws[1]))
    assert not torch.equal(samples.at(index, draws[0]), samples.at(index, draws[1]))


def test_only_a_few_requests_wait_and_the_oldest_is_forgotten(samples, started):
    for i in range(MAX_PENDING_REQUESTS + 1):
        samples.prefetch(torch.tensor([i]))
    for i in range(MAX_PENDING_REQUESTS + 1):
        samples.at(torch.tensor([i]))
    assert started == [*range(MAX_PENDING_REQUESTS + 1), 0]


def test_a_damaged_file_is_an_error_whenever_it_is_asked_for(samples):
    with Path(samples._paths[7]).open("r+b") as file:
        file.truncate(100)
    samples.prefetch(torch.tensor([6, 7]))
    for _ in range(2):
        with pytest.raises(InputError, match=r"7.png cannot be decoded"):
            samples.at(torch.tensor([6, 7]))
    assert len(samples.at(torch.tensor([6, 8]))) == 2


def test_shape_length_and_device(samples):
    assert samples.shape == (3, 16, 16)
    assert len(samples) == 20
    moved = samples.to(torch.device("meta"))
    assert moved.labels.device.type == moved.at(torch.tensor([0])).device.type == "meta"
