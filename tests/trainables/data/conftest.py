"""Real image files to load."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def random_image():
    """A smooth random image, (height, width, 3) uint8."""

    def make(seed, height=24, width=32):
        rng = np.random.default_rng(seed)
        small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))

    return make


@pytest.fixture
def write_folder(tmp_path, random_image):
    """Writes an image folder of classes a, b, c with so many images each; returns its root."""

    def write(train=4, test=2, extension="png", height=24, width=32, test_name="test", root=tmp_path / "set"):
        seed = 0
        for part, images in (("train", train), (test_name, test)):
            for name in "abc":
                folder = root / part / name
                folder.mkdir(parents=True)
                for i in range(images):
                    Image.fromarray(random_image(seed, height, width)).save(folder / f"{i}.{extension}")
                    seed += 1
        return root

    return write
