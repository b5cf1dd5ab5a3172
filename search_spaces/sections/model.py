"""The section ``model`` of a grid: the networks that sweeper has."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from search_spaces.sections.section import Section, Width

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
    def _check_biases(self) -> "FullyConnected":
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
    def _check_depth(self) -> "WideResNet":
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
