import numpy as np
import torch

from trainables.data.crops import resized_crop
from trainables.data.samples import InMemory


def samples():
    x = torch.arange(5 * 3 * 4 * 4, dtype=torch.uint8).reshape(5, 3, 4, 4)
    return InMemory(x, torch.arange(5))


def test_at_gives_the_raw_samples_asked_for():
    data = samples()
    data.prefetch(torch.tensor([3, 0]))
    x = data.at(torch.tensor([3, 0, 3]))
    assert x.dtype == torch.uint8
    assert torch.equal(x, data.x[[3, 0, 3]])


def test_draws_cut_random_boxes_out_of_the_samples_asked_for():
    data, draws = samples(), np.random.default_rng(0).random((2, 10, 4), dtype=np.float32)
    assert torch.equal(data.at(torch.tensor([4, 1]), draws), resized_crop(data.x[[4, 1]], draws))


def test_length_and_shape():
    assert len(samples()) == 5
    assert samples().shape == (3, 4, 4)
