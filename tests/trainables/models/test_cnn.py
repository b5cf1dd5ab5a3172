import re

import pytest
import torch
from torch import nn

from search_spaces.errors import InputError
from search_spaces.sections.model import Cnn
from trainables.models import build_model


def test_the_network_of_figure_3_layer_by_layer():
    module = build_model(Cnn(name="cnn"), (3, 32, 32), 10)
    layers = [type(layer).__name__ for layer in module]
    assert layers == [
        *["Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d"],
        *["Conv2d", "ReLU", "Conv2d", "MaxPool2d"],  # SM A: no Act after the fourth convolution
        *["Flatten", "Linear", "Linear"],
    ]
    assert [c.padding for c in module if isinstance(c, nn.Conv2d)] == [(1, 1), (0, 0), (1, 1), (0, 0)]
    # 32 -SAME- 32 -VALID- 30 -pool- 25 -SAME- 25 -VALID- 23 -pool- 18
    expected = (3 * 9 * 300 + 300) + 3 * (300 * 9 * 300 + 300) + (300 * 18 * 18 * 500 + 500) + (500 * 10 + 10)
    assert sum(p.numel() for p in module.parameters()) == expected


@pytest.mark.parametrize("kind", ["batch", "running"])
def test_batch_norm_stands_before_each_relu(kind):
    module = build_model(Cnn(name="cnn", channels=4, dense=8, pool=2, batch_norm=kind), (1, 8, 8), 10)
    layers = [type(layer) for layer in module]
    norms = [i for i, layer in enumerate(layers) if layer is nn.BatchNorm2d]
    assert [i + 1 for i in norms] == [i for i, layer in enumerate(layers) if layer is nn.ReLU]
    assert bool(list(module.buffers())) == (kind == "running")


def test_the_largest_pool_of_small_images_is_named_and_fits():
    message = (
        "trainable.model.pool: 6 is not allowed: images of 8x10 leave nothing after two pools of 6x6 and two "
        "convolutions without padding, which need a side of 2·pool + 3; use 2 at most."
    )
    with pytest.raises(InputError, match=re.escape(message)):
        build_model(Cnn(name="cnn"), (1, 8, 10), 10)
    module = build_model(Cnn(name="cnn", channels=2, dense=3, pool=2), (1, 8, 10), 10)
    assert module(torch.zeros(1, 1, 8, 10, device="meta")).shape == (1, 10)
    with pytest.raises(InputError, match=re.escape("use 2 at most")):
        build_model(Cnn(name="cnn", pool=3), (1, 8, 10), 10)


def test_images_that_no_pool_fits():
    with pytest.raises(InputError, match=re.escape("images of 4x4 leave nothing")) as error:
        build_model(Cnn(name="cnn", pool=1), (1, 4, 4), 10)
    assert str(error.value).endswith("use larger images.")
