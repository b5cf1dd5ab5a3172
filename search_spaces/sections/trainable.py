"""The section ``trainable`` of a grid: which network learns what from which data."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from search_spaces.sections.data import Data
from search_spaces.sections.loss import Loss, Softmax
from search_spaces.sections.model import Model
from search_spaces.sections.section import AxisValue, Count, FunctionName, NonNegative, Positive, Section


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
    def _check_biases(self) -> "KernelTrainable":
        if isinstance(self.kernel, ReluKernel) and self.init.sigma_b > 0:
            raise ValueError("init.sigma_b has no effect: the kernel 'relu' is that of networks without biases")
        return self


class _OwnCode(Section):
    """Code of one's own; hashable although ``arguments`` is a dict."""

    arguments: dict[str, AxisValue] = Field(default={})
    """Keyword arguments of the function; ``arguments.KEY`` can be an axis."""

    def __hash__(self) -> int:
        return hash(self.model_dump_json())


class OwnTrainable(_OwnCode):
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


class OwnLoop(_OwnCode):
    """A training loop of one's own: ``loop`` takes a point and a device, and yields ``trainables.own_loop.Measured``.

    It decides itself what ``optimizer``, ``schedule``, ``l2`` and ``measure`` say: leave these sections out.
    """

    loop: FunctionName

    @property
    def title(self) -> str:
        """What is trained, in words."""
        return self.loop


def _kind_of_trainable(value: object) -> str:
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
    Discriminator(_kind_of_trainable),
]


def judged_by(trainable: AnyTrainable) -> Literal["test", "validation"]:
    """Which samples ``test_acc`` and ``test_loss`` are of."""
    data = trainable.data if isinstance(trainable, Trainable | KernelTrainable) else None
    return "validation" if getattr(data, "validation", None) else "test"
