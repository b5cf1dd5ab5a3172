"""Random crops of ImageNet training, from given random numbers.

Axis letters: n images, C channels, H and W pixels.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from trainables.data.transfer import on_device

# Defaults of torchvision's RandomResizedCrop: share of the area, width over height, and tries before it gives up.
AREA_RANGE = (0.08, 1.0)
ASPECT_RATIO_RANGE = (3 / 4, 4 / 3)
MAX_TRIES = 10


def crop_boxes(sizes: NDArray[np.int64], draws: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the boxes that torchvision's RandomResizedCrop cuts out if its random numbers are ``draws``.

    A try is a box of a uniform share of the area and a log-uniform aspect ratio; the first that fits is placed at
    random. If none of the ten fits, the box is the largest central one of an allowed ratio.

    Args:
        sizes: height and width of each image in pixels, (n, 2).
        draws: uniform numbers in [0, 1), (n, 10, 4): area, ratio, top and left of each try.

    Returns:
        Top, left, height and width in pixels, (n, 4).
    """
    area_u, ratio_u, top_u, left_u = np.moveaxis(draws.astype(np.float64), 2, 0)  # each (n, 10)
    full_height, full_width = sizes[:, :1], sizes[:, 1:]
    area = full_height * full_width * (AREA_RANGE[0] + area_u * (AREA_RANGE[1] - AREA_RANGE[0]))
    low, high = np.log(ASPECT_RATIO_RANGE)
    ratio = np.exp(low + ratio_u * (high - low))
    width, height = (np.rint(np.sqrt(a)).astype(np.int64) for a in (area * ratio, area / ratio))
    fits = (width > 0) & (width <= full_width) & (height > 0) & (height <= full_height)
    top, left = (
        np.floor(u * (whole - part + 1)).astype(np.int64)
        for u, whole, part in ((top_u, full_height, height), (left_u, full_width, width))
    )
    tries = np.stack([top, left, height, width], axis=2)
    boxes: NDArray[np.int64] = tries[np.arange(len(draws)), fits.argmax(1)]
    for i in np.flatnonzero(~fits.any(1)):
        boxes[i] = _central_box(*sizes[i].tolist())
    return boxes


def _central_box(height: int, width: int) -> tuple[int, int, int, int]:
    """Return top, left, height and width of the largest central box of an allowed aspect ratio."""
    box_height, box_width = height, width
    if width / height < ASPECT_RATIO_RANGE[0]:
        box_height = round(width / ASPECT_RATIO_RANGE[0])
    elif width / height > ASPECT_RATIO_RANGE[1]:
        box_width = round(height * ASPECT_RATIO_RANGE[1])
    return (height - box_height) // 2, (width - box_width) // 2, box_height, box_width


def resized_crop(images: Tensor, draws: NDArray[np.float32]) -> Tensor:
    """Cut a random box out of each image and scale it to the size of the whole, bilinearly.

    This equals torchvision's ``resized_crop`` up to rounding. ``grid_sample`` has no antialiasing, but no box is larger
    than the image, so that antialiasing would change nothing.

    Args:
        images: (n, C, H, W), uint8 or float32, on any device.
        draws: uniform numbers in [0, 1), (n, 10, 4), as for ``crop_boxes``.

    Returns:
        The crops, of the shape and type of ``images``.
    """
    n, _, full_height, full_width = images.shape
    boxes = crop_boxes(np.tile([[full_height, full_width]], (n, 1)), draws)
    top, left, height, width = on_device(boxes.astype(np.float32), images.device).T
    rows = _coordinates(top, height, full_height)[:, :, None].expand(n, full_height, full_width)
    columns = _coordinates(left, width, full_width)[:, None, :].expand(n, full_height, full_width)
    scaled = grid_sample(images.float(), torch.stack([columns, rows], dim=3), align_corners=False)
    return scaled.round().to(torch.uint8) if images.dtype == torch.uint8 else scaled


def _coordinates(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Return the position of each of ``size`` new pixels in the image, in the units of ``grid_sample``, (n, size).

    Positions stay between the centers of the box's first and last pixel, because pixels outside the box must not
    contribute.
    """
    centers = (torch.arange(size, device=start.device) + 0.5) * (length / size)[:, None] - 0.5
    pixel = start[:, None] + torch.minimum(centers.clamp(min=0), (length - 1)[:, None])
    return (2 * pixel + 1) / size - 1
