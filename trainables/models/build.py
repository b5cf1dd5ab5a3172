"""The module of a grid's ``trainable.model``."""

import torch
from torch import nn

from search_spaces.errors import InputError
from search_spaces.sections.model import Cnn, FullyConnected, Model, ResNet50, WideResNet
from trainables.models.cnn import cnn
from trainables.models.fully_connected import fully_connected
from trainables.models.resnet50 import resnet50
from trainables.models.wide_resnet import wide_resnet


def build_model(spec: Model, sample_shape: tuple[int, ...], outputs: int) -> nn.Module:
    """Return the module on the ``meta`` device: its shape without its weights.

    Args:
        spec: the grid's ``trainable.model``.
        sample_shape: shape of one input sample; (channels, height, width) for images.
        outputs: numbers that the last layer gives for a sample.

    Raises:
        InputError: a convolutional network is asked for samples that are not images, or for images too small for it.
    """
    with torch.device("meta"):
        match spec:
            case FullyConnected():
                return fully_connected(spec, sample_shape, outputs)
            case Cnn():
                return cnn(spec, _image(spec, sample_shape), outputs)
            case WideResNet():
                return wide_resnet(spec, _image(spec, sample_shape)[0], outputs)
            case ResNet50():
                return resnet50(spec, _image(spec, sample_shape)[0], outputs)


def _image(spec: Cnn | WideResNet | ResNet50, sample_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return ``sample_shape`` as (channels, height, width)."""
    if len(sample_shape) != 3:
        raise InputError(
            f"trainable.model.name: {spec.name} is not allowed: it learns images (channels, height, width), and these "
            f"samples have the shape {sample_shape}; use fc."
        )
    channels, height, width = sample_shape
    return channels, height, width
