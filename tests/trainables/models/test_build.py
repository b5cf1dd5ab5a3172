import re

import pytest
import torch

from search_spaces.errors import InputError
from search_spaces.sections.model import Cnn, FullyConnected, ResNet50, WideResNet
from trainables.models import build_model

SPECS = {
    "fc": FullyConnected(name="fc", width=8),
    "cnn": Cnn(name="cnn", channels=4, dense=8, pool=2),
    "wrn": WideResNet(name="wrn", depth=10, width=1),
    "resnet50": ResNet50(name="resnet50"),
}


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 12)])
@pytest.mark.parametrize("name", SPECS)
def test_every_model_takes_grey_and_coloured_images_and_is_built_without_memory(name, shape):
    module = build_model(SPECS[name], shape, 7)
    assert all(p.is_meta for p in module.parameters())
    assert module(torch.zeros(2, *shape, device="meta")).shape == (2, 7)


@pytest.mark.parametrize("name", ["cnn", "wrn", "resnet50"])
def test_convolutional_networks_refuse_samples_that_are_no_images(name):
    message = f"trainable.model.name: {name} is not allowed: it learns images (channels, height, width), and these "
    with pytest.raises(InputError, match=re.escape(message + "samples have the shape (20,); use fc.")):
        build_model(SPECS[name], (20,), 2)
