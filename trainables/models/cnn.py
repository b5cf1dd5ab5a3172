"""The convolutional network of Figure 3 (SM A: CNN)."""

from torch import nn

from search_spaces.errors import InputError
from search_spaces.sections.model import Cnn
from trainables.models.norm import batch_norm


def cnn(spec: Cnn, image: tuple[int, int, int], outputs: int) -> nn.Sequential:
    """Return two blocks of a SAME and a VALID 3×3 convolution and a max-pool, then two dense layers.

    The max-pools have a stride of 1, stax's default.

    Args:
        spec: the grid's ``trainable.model``.
        image: (channels, height, width) of a sample.
        outputs: numbers that the last layer gives for a sample.

    Raises:
        InputError: the images are smaller than the convolutions and pools need.
    """
    channels, height, width = image
    _check_image_size(spec.pool, height, width)
    # As in SM A, an activation follows the first three convolutions only. There is none between the fourth and the
    # max-pool, and none between Dense(500) and Dense(10).
    block_1 = [
        *_convolution(spec, channels, padding=1), *_activation(spec),
        *_convolution(spec, spec.channels, padding=0), *_activation(spec),
        nn.MaxPool2d(spec.pool, stride=1),
    ]  # fmt: skip
    block_2 = [
        *_convolution(spec, spec.channels, padding=1), *_activation(spec),
        *_convolution(spec, spec.channels, padding=0),
        nn.MaxPool2d(spec.pool, stride=1),
    ]  # fmt: skip
    features = spec.channels * _remaining_side(spec.pool, height) * _remaining_side(spec.pool, width)
    dense = [nn.Flatten(), nn.Linear(features, spec.dense), nn.Linear(spec.dense, outputs)]
    return nn.Sequential(*block_1, *block_2, *dense)


def _convolution(spec: Cnn, channels: int, padding: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, spec.channels, 3, padding=padding)]


def _activation(spec: Cnn) -> list[nn.Module]:
    norms = [] if spec.batch_norm == "none" else [batch_norm(spec.batch_norm, spec.channels)]
    return [*norms, nn.ReLU()]


def _remaining_side(pool: int, side: int) -> int:
    """Return the pixels of ``side`` after both blocks: a VALID convolution takes 2, a pool of stride 1 pool - 1."""
    return side - 2 * 2 - 2 * (pool - 1)


def _check_image_size(pool: int, height: int, width: int) -> None:
    """Refuse images that are smaller than both blocks need."""
    side = min(height, width)
    if _remaining_side(pool, side) < 1:
        largest = (side - 3) // 2
        remedy = f"use {largest} at most" if largest >= 1 else "use larger images"
        raise InputError(
            f"trainable.model.pool: {pool} is not allowed: images of {height}x{width} leave nothing after two pools of "
            f"{pool}x{pool} and two convolutions without padding, which need a side of 2·pool + 3; {remedy}."
        )
