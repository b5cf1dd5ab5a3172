"""The section ``data`` of a grid: the data sets that sweeper has."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from search_spaces.sections.section import Count, Fraction, Section, Width

SampleCount = Count | Literal["all"]
Labels = Literal["classes", "parity"]
Normalize = Literal["global", "channel"]
Validation = Count | None


class Digits(Section):
    """The 1,797 handwritten digits of 8×8 pixels that come with scikit-learn."""

    name: Literal["digits"]
    train: Count = 1000
    """Number of training images, the first ones of a fixed permutation; all others are the test set."""
    validation: Validation = None
    """Number of images on which ``test_acc`` and ``test_loss`` are measured in place of the test set. They follow the
    training images in that permutation. At least 297 other images remain, at the cost of the training set."""
    labels: Labels = "classes"
    """``classes``: the ten digits. ``parity``: even or odd, two classes."""


class TorchvisionImages(Section):
    """MNIST, FashionMNIST or CIFAR-10 as torchvision stores them."""

    name: Literal["mnist", "fashion_mnist", "cifar10"]
    root: str = "data"
    """Folder that torchvision's data set is given as ``root``."""
    download: bool = False
    """Let torchvision download a data set that is not there."""
    train: SampleCount = "all"
    """Number of training images, the first ones in the order of the data set."""
    test: SampleCount = "all"
    """Number of test images, the first ones in the order of the data set."""
    validation: Validation = None
    """Number of training images to hold out, those that follow the first ``train`` (or the last ones, where too few
    follow). ``test_acc`` and ``test_loss`` are measured on them, and the test set is not used."""
    labels: Labels = "classes"
    """``classes``: the ten classes of the data set. ``parity``: even or odd class number, two classes (Figure 5c)."""
    normalize: Normalize = "global"
    """Mean and standard deviation to normalize by: of all training pixels (``global``, paper) or of each color
    (``channel``)."""


class ImageFolder(Section):
    """Images in ``root/train/CLASS`` and ``root/test/CLASS`` (or ``val`` for ``test``), and in folders below these."""

    name: Literal["image_folder"]
    root: str
    """Folder that holds ``train`` and ``test``."""
    size: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Side of the images in pixels. The shorter side is scaled to 8/7 of it, then the center is cut out. Without this
    key all images must have one size already."""
    stream: bool = False
    """Decode images from the disk whenever they are needed (ImageNet), and keep none in memory; needs ``size``."""
    train: SampleCount = "all"
    """Number of training images, the first ones of a fixed permutation."""
    test: SampleCount = "all"
    """Number of test images, the first ones of a fixed permutation."""
    validation: Validation = None
    """Number of training images to hold out, those that follow the first ``train`` (or the last ones, where too few
    follow). ``test_acc`` and ``test_loss`` are measured on them, and the test set is not used."""
    normalize: Normalize = "global"
    """Mean and standard deviation to normalize by: of all training pixels (``global``, paper) or of each color
    (``channel``)."""

    @model_validator(mode="after")
    def _check_size(self) -> "ImageFolder":
        if self.stream and self.size is None:
            raise ValueError("stream: true needs 'size', the side in pixels to which images are cut")
        return self


class Teacher(Section):
    """Gaussian inputs, labeled by a random fully connected ReLU network, the teacher."""

    name: Literal["teacher"]
    train: Count = 1000
    """Number of training samples."""
    test: Count = 1000
    """Number of test samples."""
    inputs: Width = 20
    """Dimension of a sample, each component from N(0, 1)."""
    classes: Annotated[int, Field(ge=2, le=10_000)] = 2
    """Number of the teacher's outputs; the largest output is the label."""
    width: Width = 16
    """Units of the teacher's hidden layers."""
    depth: Annotated[int, Field(ge=0, le=100)] = 1
    """Number of the teacher's hidden layers."""
    noise: Fraction = 0.0
    """Share of the training labels that are replaced by random ones."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of inputs, teacher and noise. All points share one data set."""


Data = Annotated[Digits | TorchvisionImages | ImageFolder | Teacher, Field(discriminator="name")]
