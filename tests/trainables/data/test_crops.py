import numpy as np
import pytest
import torch
from scipy.stats import kstest
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from trainables.data.crops import crop_boxes, resized_crop


def torchvision_box(seed, height, width):
    torch.manual_seed(seed)
    box = v2.RandomResizedCrop(8).make_params([torch.zeros(3, height, width)])
    return [box[k] for k in ("top", "left", "height", "width")]


def same_uniforms(seed):
    """The numbers that torchvision draws from that seed until a box fits."""
    torch.manual_seed(seed)
    draws = torch.zeros(10, 4)
    draws[:, :2] = torch.cat([torch.rand(1) for _ in range(20)]).reshape(10, 2)
    return draws.numpy()


@pytest.mark.parametrize(("height", "width"), [(32, 32), (30, 90), (7, 5), (3, 100), (100, 3), (1, 1)])
def test_boxes_are_as_large_as_those_of_torchvision_from_the_same_random_numbers(height, width):
    seeds = range(100)
    theirs = np.array([torchvision_box(s, height, width) for s in seeds])
    ours = crop_boxes(np.tile([[height, width]], (100, 1)), np.stack([same_uniforms(s) for s in seeds]))
    np.testing.assert_array_equal(ours[:, 2:], theirs[:, 2:])


@pytest.mark.parametrize(("height", "width"), [(2, 100), (100, 2)])
def test_where_no_box_fits_the_largest_central_one_is_taken(height, width):
    draws = np.full((1, 10, 4), 0.99, np.float32)
    torchvision_fails = [s for s in range(100) if torchvision_box(s, height, width)[2:] in ([2, 3], [3, 2])]
    box = crop_boxes(np.array([[height, width]]), draws)[0]
    assert box.tolist() == torchvision_box(torchvision_fails[0], height, width)


def test_boxes_lie_in_the_image_and_reach_all_its_edges():
    draws = np.random.default_rng(0).random((20_000, 10, 4), dtype=np.float32)
    top, left, height, width = crop_boxes(np.tile([[20, 30]], (20_000, 1)), draws).T
    assert min(top.min(), left.min()) == 0
    assert (top + height).max() == 20
    assert (left + width).max() == 30


def test_places_are_distributed_as_those_of_torchvision():
    draws = np.random.default_rng(1).random((2000, 10, 4), dtype=np.float32)
    ours = crop_boxes(np.tile([[64, 48]], (2000, 1)), draws)
    theirs = np.array([torchvision_box(s, 64, 48) for s in range(800)])
    for column in range(4):
        assert kstest(ours[:, column], theirs[:, column]).pvalue > 1e-3


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_each_box_is_scaled_as_torchvision_scales_it(random_image, dtype):
    images = torch.stack([torch.from_numpy(random_image(i, 24, 32).copy()).permute(2, 0, 1) for i in range(50)])
    images = images.to(dtype)
    draws = np.random.default_rng(0).random((50, 10, 4), dtype=np.float32)
    ours = resized_crop(images, draws)
    boxes = crop_boxes(np.tile([[24, 32]], (50, 1)), draws).tolist()
    theirs = torch.stack([functional.resized_crop(i, *b, [24, 32]) for i, b in zip(images, boxes, strict=True)])
    assert ours.dtype == dtype
    assert (ours.float() - theirs.float()).abs().max() <= (1 if dtype == torch.uint8 else 1e-2)


def test_mean_image_agrees_with_that_of_torchvision(random_image):
    image = torch.from_numpy(random_image(0, 16, 16).copy()).permute(2, 0, 1).float()
    draws = np.random.default_rng(0).random((1500, 10, 4), dtype=np.float32)
    ours = resized_crop(image.expand(1500, -1, -1, -1), draws)
    torch.manual_seed(0)
    theirs = torch.stack([v2.RandomResizedCrop(16)(image) for _ in range(1500)])
    error = ((ours.var(0) + theirs.var(0)) / 1500).sqrt()
    assert ((ours.mean(0) - theirs.mean(0)).abs() / error).max() < 5
