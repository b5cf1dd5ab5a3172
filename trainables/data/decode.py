"""Decoding of image files to arrays, on all threads of the process.

Axis letters: n images, H and W pixels.

Pillow decodes. Torchvision's decoders need 15 % less time for photographs (0.9 against 1.05 ms for 500×375 pixels) and
half for CIFAR-10's (0.06 against 0.12 ms). But they are deprecated since torchvision 0.29, take 1.5 s to import and
know no BMP. JPEG's fast decoding at half the size (``draft``) would save a third. It is not used, because it changes
pixels by 2 of 255 on average and by 20 at edges.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from search_spaces.errors import InputError
from trainables.data.crops import crop_boxes

EXTENSIONS = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")  # as torchvision's ImageFolder
_FORMATS = ("BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
IMAGES_PER_TASK = 16  # 2 ms of work for the smallest images, against 0.05 ms to submit a task

Crop = Callable[[int, Image.Image], Image.Image]
"""(position in the batch, image) → the image, as large as all others."""


class Decoding:
    """Images that the pool is decoding, uint8 (n, 3, H, W)."""

    def __init__(self, paths: Sequence[str], height: int, width: int, crop: Crop, *, pinned: bool = False) -> None:
        """Submit the images to the pool.

        Args:
            paths: n image files.
            height: height of each image after ``crop``, H pixels.
            width: width of each image after ``crop``, W pixels.
            crop: makes each image as large as all others.
            pinned: whether the images lie in pinned memory, which a GPU copies from while the host goes on.
        """
        self._images = torch.empty((len(paths), 3, height, width), dtype=torch.uint8, pin_memory=pinned)
        images, pool = self._images.numpy(), _pool(torch.get_num_threads(), os.getpid())
        self._tasks: list[Future[None]] = [
            pool.submit(_fill, images, paths, range(i, min(i + IMAGES_PER_TASK, len(paths))), crop)
            for i in range(0, len(paths), IMAGES_PER_TASK)
        ]

    def images(self) -> Tensor:
        """Wait for all images, and return them, uint8 (n, 3, H, W).

        Raises:
            InputError: a file is not an image.
        """
        try:
            for task in self._tasks:
                task.result()
        except BaseException:
            self.cancel()
            raise
        return self._images

    def cancel(self) -> None:
        """Cancel the images that no thread has begun with."""
        for task in self._tasks:
            task.cancel()


@lru_cache(maxsize=1)
def _pool(threads: int, _process: int) -> ThreadPoolExecutor:
    """Return the pool of all data sets of a process; a forked process has none of its parent's threads."""
    return ThreadPoolExecutor(threads, thread_name_prefix="decode")


def _fill(images: NDArray[np.uint8], paths: Sequence[str], positions: range, crop: Crop) -> None:
    for i in positions:
        images[i] = np.asarray(crop(i, read_rgb(paths[i]))).transpose(2, 0, 1)


def read_rgb(path: str) -> Image.Image:
    """Read one image file, converted to RGB.

    Raises:
        InputError: the file cannot be read as an image of 8 bits a channel.
    """
    try:
        with Image.open(path, formats=_FORMATS) as image:
            deep = image.mode.startswith(("I", "F"))  # converting 16 bits to RGB would clip all above 255
            rgb = image if image.mode == "RGB" else image.convert("RGB")
            rgb.load()
    except Exception as error:  # Pillow's readers raise OSError, SyntaxError, ValueError, struct.error and others
        raise InputError(
            f"trainable.data.root: the image {path} cannot be decoded ({error}). Replace or delete that file."
        ) from error
    if deep:
        raise InputError(
            f"trainable.data.root: the image {path} has more than 8 bits a channel. Convert it to 8 bits, or delete it."
        )
    return rgb


def decode_all(paths: Sequence[str], size: int | None) -> NDArray[np.uint8]:
    """Decode all images, each cut by ``center_crop`` if there is a size.

    Args:
        paths: n image files.
        size: side of the square that images are cut to, in pixels; None if they have one size.

    Returns:
        The images, uint8 (n, 3, H, W).

    Raises:
        InputError: a file is not an image, or images have several sizes and ``size`` is None.
    """
    if size is not None:
        return Decoding(paths, size, size, partial(_center_crop_at, size)).images().numpy()
    first = read_rgb(paths[0])

    def same(i: int, image: Image.Image) -> Image.Image:
        check_same_size((paths[0], *first.size), (paths[i], *image.size))
        return image

    return Decoding(paths, first.height, first.width, same).images().numpy()


def check_same_size(a: tuple[str, int, int], b: tuple[str, int, int]) -> None:
    """Refuse two images (path, width, height) of different sizes.

    Raises:
        InputError: the sizes differ.
    """
    if a[1:] != b[1:]:
        raise InputError(
            f"trainable.data.size is missing: images have several sizes: {a[0]} has {a[1]}×{a[2]} pixels, {b[0]} "
            f"{b[1]}×{b[2]}. Set trainable.data.size to a side in pixels, to which all are then scaled and cut."
        )


def decode_center_crops(paths: Sequence[str], size: int, *, pinned: bool = False) -> Decoding:
    """Start to decode images, each cut by ``center_crop``.

    Args:
        paths: n image files.
        size: side of the crops in pixels.
        pinned: whether the images lie in pinned memory.
    """
    return Decoding(paths, size, size, partial(_center_crop_at, size), pinned=pinned)


def decode_random_crops(
    paths: Sequence[str], size: int, draws: NDArray[np.float32], *, pinned: bool = False
) -> Decoding:
    """Start to decode images, each cut by ``random_resized_crop``.

    Args:
        paths: n image files.
        size: side of the crops in pixels.
        draws: uniform numbers in [0, 1), (n, 10, 4), as for ``crop_boxes``.
        pinned: whether the images lie in pinned memory.
    """
    return Decoding(paths, size, size, lambda i, image: random_resized_crop(image, size, draws[i]), pinned=pinned)


def _center_crop_at(size: int, _position: int, image: Image.Image) -> Image.Image:
    return center_crop(image, size)


def center_crop(image: Image.Image, size: int) -> Image.Image:
    """Scale the shorter side to 8/7 of ``size``, then cut out the center: for 224 torchvision's 256 and 224."""
    short = round(size * 8 / 7)
    width, height = ((short * side) // min(image.size) for side in image.size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    scaled = image.resize((width, height), Image.Resampling.BILINEAR)
    return scaled.crop((left, top, left + size, top + size))


def random_resized_crop(image: Image.Image, size: int, draws: NDArray[np.float32]) -> Image.Image:
    """Cut out a box as torchvision's RandomResizedCrop does, and scale it to ``size`` × ``size`` pixels.

    Args:
        image: an image of any size.
        size: side of the crop in pixels.
        draws: uniform numbers in [0, 1), (10, 4), as for ``crop_boxes``.
    """
    sizes = np.array([[image.height, image.width]])
    top, left, height, width = crop_boxes(sizes, draws[None])[0].tolist()
    box = image.crop((left, top, left + width, top + height))
    return box.resize((size, size), Image.Resampling.BILINEAR)
