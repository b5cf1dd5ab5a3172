"""ResNet-50 of torchvision (Figure S8)."""

from functools import partial

from torch import nn

from search_spaces.sections.model import ResNet50
from trainables.models.norm import batch_norm


def resnet50(spec: ResNet50, channels: int, outputs: int) -> nn.Module:
    """Return torchvision's module; its first convolution is replaced where images do not have three colors.

    Args:
        spec: the grid's ``trainable.model``.
        channels: channels of an image.
        outputs: numbers that the last layer gives for a sample.
    """
    from torchvision import models  # noqa: PLC0415  importing takes 1.8 s, which no other model should wait for

    module: nn.Module = models.resnet50(num_classes=outputs, norm_layer=partial(batch_norm, spec.batch_norm))
    if channels != 3:
        module.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    return module
