"""The section ``data`` of a grid: the data sets that sweeper has."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from search_spaces.sections.section import Count, Fraction, Section, Width

SampleCount = Count | Literal["all"]
Labels = Literal["classes", "parity"]
Normalize = Literal["global", "channel"]
Validation = Count | None


class Digits(Section):
    """scikit-learn's 1,797 handwritten digits of 8×8 pixels; they come inside that package."""

    name: Literal["digits"]
    train: Count = 1000
    """Training images, the first ones of a fixed permutation; all others are the test set."""
    validation: Validation = None
    """Measure ``test_acc`` and ``test_loss`` on so many images that follow the training images in that permutation, and
    on none of the others. At least 297 others remain, at the cost of the training set."""
    labels: Labels = "classes"
    """``classes``: the ten digits. ``parity``: even or odd, two classes."""


class TorchvisionImages(Section):
    """MNIST, FashionMNIST or CIFAR-10 as torchvision stores them."""

    name: Literal["mnist", "fashion_mnist", "cifar10"]
    root: str = "data"
    """Folder that torchvision's data set is given as ``root``."""
    download: bool = False
    """Whether torchvision may download a set that is not there."""
    train: SampleCount = "all"
    """Training images, the first ones of the set's own order."""
    test: SampleCount = "all"
    """Test images, the first ones of the set's own order."""
    validation: Validation = None
    """Hold out so many of the training images, those that follow the first ``train`` (or the last ones, where too few
    follow), and measure ``test_acc`` and ``test_loss`` on them; the test set is then not looked at."""
    labels: Labels = "classes"
    """``classes``: the ten of the set. ``parity``: even or odd class number, two classes (Figure 5c)."""
    normalize: Normalize = "global"
    """By one mean and deviation of all training pixels (``global``, paper) or of each colour (``channel``)."""


class ImageFolder(Section):
    """Images in ``root/train/CLASS/*`` and ``root/test/CLASS/*`` (or ``val`` for ``test``)."""

    name: Literal["image_folder"]
    root: str
    """Folder that holds ``train`` and ``test``."""
    size: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Side in pixels: the shorter side is scaled to 8/7 of it, then the centre is cut out. Without it all images must
    have one size already."""
    stream: bool = False
    """Decode images from the disk whenever they are needed (ImageNet), not keep all in memory; needs ``size``."""
    train: SampleCount = "all"
    """Training images, the first ones of a fixed permutation."""
    test: SampleCount = "all"
    """Test images, the first ones of a fixed permutation."""
    validation: Validation = None
    """Hold out so many of the training images, those that follow the first ``train`` (or the last ones, where too few
    follow), and measure ``test_acc`` and ``test_loss`` on them; the test set is then not looked at."""
    normalize: Normalize = "global"
    """By one mean and deviation of all training pixels (``global``, paper) or of each colour (``channel``)."""

    @model_validator(mode="after")
    def _check_size(self) -> "ImageFolder":
        if self.stream and self.size is None:
            raise ValueError("stream: true needs 'size', the side in pixels to which images are cut")
        return self


class Teacher(Section):
    """Gaussian inputs, labelled by a random fully connected ReLU network, the teacher."""

    name: Literal["teacher"]
    train: Count = 1000
    """Training samples."""
    test: Count = 1000
    """Test samples."""
    inputs: Width = 20
    """Numbers of a sample, each from N(0, 1)."""
    classes: Annotated[int, Field(ge=2, le=10_000)] = 2
    """Outputs of the teacher; the largest is the label."""
    width: Width = 16
    """Units of the teacher's hidden layers."""
    depth: Annotated[int, Field(ge=0, le=100)] = 1
    """Hidden layers of the teacher."""
    noise: Fraction = 0.0
    """Share of the training labels that are replaced by random ones."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of inputs, teacher and noise; one data set for all points."""


Data = Annotated[Digits | TorchvisionImages | ImageFolder | Teacher, Field(discriminator="name")]
