import numpy as np
import pytest
import torch

from trainables.data import moments
from trainables.data.moments import channel_sums, mean_and_std


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(moments, "CHUNK_NUMBERS", 100)


def images(dtype):
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (23, 3, 5, 4)) * np.array([1, 0.5, 0.1])[:, None, None]).to(dtype)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_global_is_one_mean_and_deviation_of_all_numbers(dtype):
    x = images(dtype)
    mean, std = mean_and_std(channel_sums(x), "global", 3)
    assert mean.shape == std.shape == ()
    torch.testing.assert_close(mean, x.double().mean().float())
    torch.testing.assert_close(std, x.double().std().float())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_channel_is_one_of_each_channel(dtype):
    x = images(dtype)
    mean, std = mean_and_std(channel_sums(x), "channel", 3)
    assert mean.shape == std.shape == (3, 1, 1)
    torch.testing.assert_close(mean.flatten(), x.double().mean((0, 2, 3)).float())
    torch.testing.assert_close(std.flatten(), x.double().transpose(0, 1).flatten(1).std(1).float())


def test_sums_of_bytes_are_exact():
    x = images(torch.uint8)
    long = x.transpose(0, 1).flatten(1).long()
    expected = torch.stack([torch.full((3,), 23 * 20), long.sum(1), long.square().sum(1)])
    np.testing.assert_array_equal(channel_sums(x), expected.numpy())


def test_each_number_of_a_vector_is_a_channel():
    x = torch.randn(50, 7) * torch.arange(1, 8) + torch.arange(7)
    mean, std = mean_and_std(channel_sums(x), "channel", 1)
    torch.testing.assert_close(mean, x.mean(0))
    torch.testing.assert_close(std, x.std(0))


def test_deviation_is_right_far_from_zero():
    x = torch.randn(1000, 4) + 10_000
    _, std = mean_and_std(channel_sums(x), "global", 1)
    torch.testing.assert_close(std, x.double().std().float())


def test_numbers_that_do_not_vary_are_refused():
    x = images(torch.uint8)
    x[:, 1] = 7
    with pytest.raises(ValueError, match=r"channel 1 of the training samples do not vary \(all are 7\)"):
        mean_and_std(channel_sums(x), "channel", 3)
    with pytest.raises(ValueError, match="all training samples do not vary"):
        mean_and_std(channel_sums(torch.zeros(4, 2)), "global", 1)
