"""The section ``trainable`` of a grid: which network learns what from which data."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from search_spaces.sections.section import (
    AxisValue,
    Count,
    Fraction,
    FunctionName,
    NonNegative,
    Positive,
    Section,
    Width,
)

BatchNorm = Literal["batch", "running"]
"""``batch``: normalize every batch, in tests too, by its own statistics (paper, SM A). ``running``: torch's usual
batch norm, which tests with averages over the training batches."""


class FullyConnected(Section):
    """Fully connected ReLU network: ``depth`` hidden layers of ``width`` units."""

    name: Literal["fc"]
    width: Width = 64
    """Units of each hidden layer (paper: 2048)."""
    depth: Annotated[int, Field(ge=0, le=1000)] = 3
    """Hidden layers (paper: 3)."""
    bias: bool = True
    """Whether the layers have biases."""
    parametrization: Literal["standard", "ntk"] = "standard"
    """``standard``: weights W ~ N(0, σ_w²/fan_in). ``ntk``: weights W ~ N(0, 1) that act as σ_w/√fan_in · W (section
    4), the parametrization of the theory: it trains with an η that does not depend on the width; needs no biases."""

    @model_validator(mode="after")
    def _homogeneous(self) -> "FullyConnected":
        if self.parametrization == "ntk" and self.bias:
            raise ValueError(
                "parametrization: ntk needs 'bias: false': the theory is of homogeneous networks, which have none"
            )
        return self


class Cnn(Section):
    """The network of Figure 3: two blocks of two 3×3 convolutions and a max-pool, two dense layers.

    As SM A prints it: no activation after the fourth convolution, none between the dense layers.
    """

    name: Literal["cnn"]
    channels: Width = 300
    """Filters of each convolution (paper: 300)."""
    dense: Width = 500
    """Units of the hidden dense layer (paper: 500)."""
    pool: Annotated[int, Field(ge=1, le=1000)] = 6
    """Side of the max-pools, which move by one pixel (paper: 6); small images need a smaller one."""
    batch_norm: Literal["none"] | BatchNorm = "none"
    """Batch norm before each ReLU: ``none``, or by ``batch`` or ``running`` statistics as in ``wrn``."""


class WideResNet(Section):
    """Wide ResNet; without further keys WRN-28-10."""

    name: Literal["wrn"]
    depth: Annotated[int, Field(ge=10, le=1000)] = 28
    """Layers, 6n + 4 for n blocks a group."""
    width: Annotated[int, Field(ge=1, le=1000)] = 10
    """Widening factor: 16, 32 and 64 times so many channels."""
    form: Literal["released", "original"] = "released"
    """``released``: the code published with the paper: a 3×3 convolution as the first shortcut of each group, biases,
    no norm or ReLU after the last block. ``original``: Zagoruyko & Komodakis 2016: 1×1 convolutions there, no biases
    in convolutions, a last norm and ReLU."""
    batch_norm: BatchNorm = "batch"
    """``batch``: every batch, in tests too, by its own statistics (paper). ``running``: torch's running averages."""

    @model_validator(mode="after")
    def _depth(self) -> "WideResNet":
        if self.depth % 6 != 4:
            raise ValueError(
                f"depth {self.depth} is not allowed: a wide ResNet has 6n + 4 layers: 10, 16, 22, 28, 34, 40 …"
            )
        return self


class ResNet50(Section):
    """torchvision's ResNet-50 (Figure S8)."""

    name: Literal["resnet50"]
    batch_norm: BatchNorm = "running"
    """``running``: torch's running averages. ``batch``: every batch, in tests too, by its own statistics."""


Model = Annotated[FullyConnected | Cnn | WideResNet | ResNet50, Field(discriminator="name")]

Some = Count | Literal["all"]
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
    train: Some = "all"
    """Training images, the first ones of the set's own order."""
    test: Some = "all"
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
    train: Some = "all"
    """Training images, the first ones of a fixed permutation."""
    test: Some = "all"
    """Test images, the first ones of a fixed permutation."""
    validation: Validation = None
    """Hold out so many of the training images, those that follow the first ``train`` (or the last ones, where too few
    follow), and measure ``test_acc`` and ``test_loss`` on them; the test set is then not looked at."""
    normalize: Normalize = "global"
    """By one mean and deviation of all training pixels (``global``, paper) or of each colour (``channel``)."""

    @model_validator(mode="after")
    def _sized(self) -> "ImageFolder":
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


class Softmax(Section):
    """Cross-entropy of the softmax, -Σ y log p, times a scale."""

    name: Literal["softmax"]
    scale: Literal["mean", "paper", "code"] = "mean"
    """``mean``: 1/B. ``paper``: 1/(2kB) with k classes (SM A), so the same η is 2k times weaker. ``code``: 1/(kB), as
    in the code published with the paper."""


class MeanSquaredError(Section):
    """Half the squared distance to the target, ½‖f - y‖², times a scale."""

    name: Literal["mse"]
    targets: Literal["one_hot", "sign"] = "one_hot"
    """``one_hot``: k outputs. ``sign``: one output, -1 or +1, for two classes."""
    scale: Literal["mean", "per_output", "sum"] = "mean"
    """``mean``: 1/B. ``per_output``: 1/(kB), the mean over outputs too. ``sum``: 1, the loss of the theory (section
    4)."""


Loss = Annotated[Softmax | MeanSquaredError, Field(discriminator="name")]


class Init(Section):
    """LeCun initialization: W ~ N(0, σ_w²/fan_in), b ~ N(0, σ_b²) (SM A)."""

    sigma_w: Positive | None = None
    """σ_w; without it √2 for ``fc`` and ``cnn``, 1 for all others (paper). The axis ``sigma_w`` varies it."""
    sigma_b: NonNegative = 0.0
    """σ_b."""


class Augment(Section):
    """What is done to each training image, each time it is seen."""

    flip: bool = False
    """Mirror each image left to right with probability ½."""
    crop: Annotated[int, Field(ge=0, le=1000)] = 0
    """Pad by so many black pixels on each side, then cut out the original size at random (paper: 4)."""
    resized_crop: bool = False
    """Cut out a random 8 to 100 % of the area, 3:4 to 4:3, and scale it to the original size, as for ImageNet."""
    mixup: NonNegative = 0.0
    """α: mix each image and its label with another's, in a proportion drawn from Beta(α, α) (paper: 1); 0: not."""

    @property
    def active(self) -> bool:
        """Whether anything is done."""
        return self != Augment()


class Numerics(Section):
    """How numbers are computed; ``float32`` everywhere unless the grid says otherwise."""

    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """``tf32``: a GPU's matrix products with 10 bits of mantissa. ``bfloat16``: autocast; weights stay float32."""
    compile: bool = False
    """Let ``torch.compile`` fuse the forward and backward pass; takes a minute or more at the start of each worker."""


Batch = Literal["full"] | Count


class Trainable(Section):
    """A model, data and loss that sweeper has."""

    model: Model
    """The network."""
    data: Data
    """What it learns, and the test set that it is judged by."""
    loss: Loss = Softmax(name="softmax")
    """What it minimizes, without the L2 term."""
    init: Init = Init()
    augment: Augment = Augment()
    numerics: Numerics = Numerics()
    batch: Batch = "full"
    """Samples of a step; those at the end of an epoch that fill none are left out. ``full``: the whole training set, so
    that an epoch is one step."""
    micro_batch: Count | None = None
    """Samples of a forward and backward pass, which divide ``batch``; without it the whole batch. A step takes the mean
    of its micro-batches' gradients, so that its memory is that of one of them. Batch norm takes the statistics of each
    micro-batch, and its running averages move once a step, by their mean; nothing else depends on it."""

    @property
    def title(self) -> str:
        """What is trained, in words."""
        return f"{self.model.name} on {self.data.name}"


class EmpiricalKernel(Section):
    """Θ₀(x, x′) = Σ_μ ∂f(x)/∂θ_μ ∂f(x′)/∂θ_μ of a network at its initialization, drawn from the point's seed."""

    name: Literal["empirical"]
    model: Model
    """The network; f starts from its outputs."""
    precision: Literal["float32", "float64"] = "float64"
    """Of the derivatives; their eigenvalues are always taken in ``float64``."""
    centered: bool = False
    """Whether f starts from 0 in place of the network's outputs."""


class ReluKernel(Section):
    """The kernel of infinitely wide fully connected ReLU networks without biases in NTK parametrization.

    f starts from 0, the mean over initializations; a seed has no effect.
    """

    name: Literal["relu"]
    depth: Annotated[int, Field(ge=0, le=1000)] = 1
    """Hidden layers."""


Kernel = Annotated[EmpiricalKernel | ReluKernel, Field(discriminator="name")]


class KernelTrainable(Section):
    """Infinitely wide networks: gradient flow of the function itself under a kernel that decays (Theorem 1).

    An epoch is a step, and n steps are the time t = nη. It replaces ``optimizer`` and ``schedule``: leave these out.
    """

    kernel: Kernel
    """The kernel Θ₀ at the start."""
    data: Data
    """What it learns, and the test set that it is judged by."""
    loss: Loss = Softmax(name="softmax")
    """What it minimizes, without the L2 term."""
    homogeneity: Literal["measured"] | Annotated[float, Field(ge=1, le=10_000)] = "measured"
    """Degree k of homogeneity, f(αθ) = αᵏf(θ): the number of layers of a fully connected network, 1 for the linear
    model. ``measured``: that of the kernel's network."""
    init: Init = Init()

    @property
    def title(self) -> str:
        """What is trained, in words."""
        made = f"of {self.kernel.model.name}" if isinstance(self.kernel, EmpiricalKernel) else self.kernel.name
        return f"infinite width, kernel {made}, on {self.data.name}"

    @model_validator(mode="after")
    def _no_biases(self) -> "KernelTrainable":
        if isinstance(self.kernel, ReluKernel) and self.init.sigma_b > 0:
            raise ValueError("init.sigma_b has no effect: the kernel 'relu' is that of networks without biases")
        return self


class _Own(Section):
    """Code of one's own; hashable although ``arguments`` is a dict."""

    arguments: dict[str, AxisValue] = Field(default={})
    """Keyword arguments of the function; ``arguments.KEY`` can be an axis."""

    def __hash__(self) -> int:
        return hash(self.model_dump_json())


class OwnTrainable(_Own):
    """A model, data and loss of one's own: ``function`` returns them, in a ``trainables.task.Task``."""

    function: FunctionName
    init: Init | None = None
    """Initialization; without it the model keeps its own, drawn from the point's seed."""
    augment: Augment = Augment()
    numerics: Numerics = Numerics()
    batch: Batch = "full"
    """Samples of a step; those at the end of an epoch that fill none are left out. ``full``: the whole training set, so
    that an epoch is one step."""
    micro_batch: Count | None = None
    """Samples of a forward and backward pass, which divide ``batch``; without it the whole batch. A step takes the mean
    of its micro-batches' gradients, so that its memory is that of one of them. Batch norm takes the statistics of each
    micro-batch, and its running averages move once a step, by their mean; nothing else depends on it."""

    @property
    def title(self) -> str:
        """What is trained, in words."""
        return self.function


class OwnLoop(_Own):
    """A training loop of one's own: ``loop`` takes a point and a device, and yields ``trainables.own_loop.Measured``.

    It decides itself what ``optimizer``, ``schedule``, ``l2`` and ``measure`` say: leave these sections out.
    """

    loop: FunctionName

    @property
    def title(self) -> str:
        """What is trained, in words."""
        return self.loop


def _kind(value: object) -> str:
    """Which of the four a ``trainable`` is; the tags hold a space so that no key can be one."""
    if isinstance(value, OwnLoop) or (isinstance(value, Mapping) and "loop" in value):
        return "own loop"
    if isinstance(value, OwnTrainable) or (isinstance(value, Mapping) and "function" in value):
        return "own function"
    if isinstance(value, KernelTrainable) or (isinstance(value, Mapping) and "kernel" in value):
        return "infinite width"
    return "built in"


AnyTrainable = Annotated[
    Annotated[Trainable, Tag("built in")]
    | Annotated[KernelTrainable, Tag("infinite width")]
    | Annotated[OwnTrainable, Tag("own function")]
    | Annotated[OwnLoop, Tag("own loop")],
    Discriminator(_kind),
]


def judged_by(trainable: AnyTrainable) -> Literal["test", "validation"]:
    """Which samples ``test_acc`` and ``test_loss`` are of."""
    data = trainable.data if isinstance(trainable, Trainable | KernelTrainable) else None
    return "validation" if getattr(data, "validation", None) else "test"
