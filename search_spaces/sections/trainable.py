"""The section ``trainable`` of a grid: a network and its data, the theory of infinite width, or the user's own code."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from search_spaces.sections.data import Data, ImageFolder
from search_spaces.sections.loss import Loss, Softmax
from search_spaces.sections.model import Model
from search_spaces.sections.section import AxisValue, Count, FunctionName, NonNegative, Positive, Section


class Init(Section):
    """LeCun initialization: W ~ N(0, σ_w²/fan_in), b ~ N(0, σ_b²) (SM A)."""

    sigma_w: Positive | None = None
    """Scale σ_w of the weights; without it √2 for ``fc`` and ``cnn``, 1 for all others (paper). The axis ``sigma_w``
    varies it."""
    sigma_b: NonNegative = 0.0
    """Standard deviation σ_b of the biases."""


class Augment(Section):
    """Random changes of each training image, drawn anew each time it is used."""

    flip: bool = False
    """Mirror each image left to right with probability ½."""
    crop: Annotated[int, Field(ge=0, le=1000)] = 0
    """Number of black pixels to pad each side by, before the original size is cut out at random (paper: 4)."""
    resized_crop: bool = False
    """Cut out a random 8 to 100 % of the area, with sides of 3:4 to 4:3, and scale it to the original size, as for
    ImageNet."""
    mixup: NonNegative = 0.0
    """Parameter α of mixup: each image and its label are mixed with another's, in a proportion drawn from Beta(α, α)
    (paper: 1). 0 turns it off."""

    @property
    def active(self) -> bool:
        """True if images are changed at all."""
        return self != Augment()


class Numerics(Section):
    """The arithmetic of training; ``float32`` everywhere unless the grid says otherwise."""

    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """``tf32``: matrix products of a GPU with 10 bits of mantissa. ``bfloat16``: autocast; weights stay float32."""
    compile: bool = False
    """Let ``torch.compile`` fuse the forward and backward pass of points that train alone, which takes a minute or more
    at the start of each worker. Packs of several points are not compiled."""


Batch = Literal["full"] | Count


class Trainable(Section):
    """A model, data and loss that sweeper has."""

    model: Model
    """The network."""
    data: Data
    """The training set, and the test set that the network is judged by."""
    loss: Loss = Softmax(name="softmax")
    """The loss that training minimizes, without the L2 term."""
    init: Init = Init()
    augment: Augment = Augment()
    numerics: Numerics = Numerics()
    batch: Batch = "full"
    """Number of samples of a step. Samples at the end of an epoch that fill no batch are left out. ``full``: the whole
    training set, so that an epoch is one step."""
    micro_batch: Count | None = None
    """Number of samples of a forward and backward pass, a divisor of ``batch``; without it the whole batch. A step
    uses the mean of its micro-batches' gradients, so that it needs the memory of one micro-batch. Batch norm uses the
    statistics of each micro-batch, and its running averages move once a step, by their mean. Nothing else depends on
    this key."""

    @property
    def title(self) -> str:
        """The object of training, in words."""
        data = self.data
        images = f"images in {PurePath(data.root).name}" if isinstance(data, ImageFolder) else data.name
        return f"{self.model.name} on {images}"


class EmpiricalKernel(Section):
    """The kernel of a network at its initialization, drawn from the seed: Θ₀(x, x′) = Σ_μ ∂f(x)/∂θ_μ ∂f(x′)/∂θ_μ."""

    name: Literal["empirical"]
    model: Model
    """The network; f starts from its outputs."""
    precision: Literal["float32", "float64"] = "float64"
    """Precision of the derivatives. Eigenvalues of the kernel are always computed in ``float64``."""
    centered: bool = False
    """Let f start from 0 in place of the network's outputs."""


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

    An epoch is a step, and n steps are the time t = nη. Leave out ``optimizer`` and ``schedule``, which it replaces.
    """

    kernel: Kernel
    """The kernel Θ₀ at the start."""
    data: Data
    """The training set, and the test set that the function is judged by."""
    loss: Loss = Softmax(name="softmax")
    """The loss that training minimizes, without the L2 term."""
    homogeneity: Literal["measured"] | Annotated[float, Field(ge=1, le=10_000)] = "measured"
    """Degree k of homogeneity, f(αθ) = αᵏf(θ): the number of layers of a fully connected network, 1 for the linear
    model. ``measured``: the degree of the kernel's network, as measured."""
    init: Init = Init()

    @property
    def title(self) -> str:
        """The object of training, in words."""
        made = f"of {self.kernel.model.name}" if isinstance(self.kernel, EmpiricalKernel) else self.kernel.name
        return f"infinite width, kernel {made}, on {self.data.name}"

    @model_validator(mode="after")
    def _check_biases(self) -> "KernelTrainable":
        if isinstance(self.kernel, ReluKernel) and self.init.sigma_b > 0:
            raise ValueError("init.sigma_b has no effect: the kernel 'relu' is that of networks without biases")
        return self


class _OwnCode(Section):
    """Base class of the user's own code; hashable although ``arguments`` is a dict."""

    arguments: dict[str, AxisValue] = Field(default={})
    """Keyword arguments of the function; ``arguments.KEY`` can be an axis."""

    def __hash__(self) -> int:
        return hash(self.model_dump_json())


class OwnTrainable(_OwnCode):
    """A model, data and loss of your own: ``function`` returns them as a ``sweeper.Task``."""

    function: FunctionName
    init: Init | None = None
    """Initialization. Without this key the model keeps its own, drawn from the point's seed."""
    augment: Augment = Augment()
    numerics: Numerics = Numerics()
    batch: Batch = "full"
    """Number of samples of a step. Samples at the end of an epoch that fill no batch are left out. ``full``: the whole
    training set, so that an epoch is one step."""
    micro_batch: Count | None = None
    """Number of samples of a forward and backward pass, a divisor of ``batch``; without it the whole batch. A step
    uses the mean of its micro-batches' gradients, so that it needs the memory of one micro-batch. Batch norm uses the
    statistics of each micro-batch, and its running averages move once a step, by their mean. Nothing else depends on
    this key."""

    @property
    def title(self) -> str:
        """The object of training, in words."""
        return self.function


class OwnLoop(_OwnCode):
    """A training loop of your own: ``loop`` takes a point and a device, and yields ``trainables.own_loop.Measured``.

    Leave out ``optimizer``, ``schedule``, ``l2`` and ``measure``, since the loop decides these itself.
    """

    loop: FunctionName

    @property
    def title(self) -> str:
        """The object of training, in words."""
        return self.loop


def _kind_of_trainable(value: object) -> str:
    """Return which of the four kinds a ``trainable`` is; the tags hold a space, so that no key can be one."""
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
    Discriminator(_kind_of_trainable),
]


def judged_by(trainable: AnyTrainable) -> Literal["test", "validation"]:
    """Return the samples that ``test_acc`` and ``test_loss`` are measured on."""
    data = trainable.data if isinstance(trainable, Trainable | KernelTrainable) else None
    return "validation" if getattr(data, "validation", None) else "test"
