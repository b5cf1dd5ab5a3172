"""The section ``model`` of a grid: the networks that sweeper has."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from search_spaces.sections.section import Section, Width

BatchNorm = Literal["batch", "running"]
"""``batch``: normalize every batch by its own statistics, in tests too (paper, SM A). ``running``: torch's usual
batch norm, which uses averages over the training batches in tests."""


class FullyConnected(Section):
    """A fully connected ReLU network: ``depth`` hidden layers of ``width`` units."""

    name: Literal["fc"]
    width: Width = 64
    """Units of each hidden layer (paper: 2048)."""
    depth: Annotated[int, Field(ge=0, le=1000)] = 3
    """Hidden layers (paper: 3)."""
    bias: bool = True
    """Give each layer a bias."""
    parametrization: Literal["standard", "ntk"] = "standard"
    """``standard``: weights W ~ N(0, σ_w²/fan_in). ``ntk``: weights W ~ N(0, 1) that act as σ_w/√fan_in · W (section
    4), the parametrization of the theory. It trains with an η that does not depend on the width, and must have no
    biases."""

    @model_validator(mode="after")
    def _check_biases(self) -> "FullyConnected":
        if self.parametrization == "ntk" and self.bias:
            raise ValueError(
                "parametrization: ntk needs 'bias: false': the theory is of homogeneous networks, which have none"
            )
        return self


class Cnn(Section):
    """The network of Figure 3: two blocks of two 3×3 convolutions and a max-pool, then two dense layers.

    As SM A prints it, it has no activation after the fourth convolution and none between the dense layers.
    """

    name: Literal["cnn"]
    channels: Width = 300
    """Filters of each convolution (paper: 300)."""
    dense: Width = 500
    """Units of the hidden dense layer (paper: 500)."""
    pool: Annotated[int, Field(ge=1, le=1000)] = 6
    """Side of the max-pools, which move by one pixel (paper: 6); small images need smaller ones."""
    batch_norm: Literal["none"] | BatchNorm = "none"
    """Batch norm before each ReLU: ``none``, or by ``batch`` or ``running`` statistics as in ``wrn``."""


class WideResNet(Section):
    """A wide ResNet; WRN-28-10 without further keys."""

    name: Literal["wrn"]
    depth: Annotated[int, Field(ge=10, le=1000)] = 28
    """Number of layers, 6n + 4 for n blocks in each group."""
    width: Annotated[int, Field(ge=1, le=1000)] = 10
    """Widening factor k: the groups have 16k, 32k and 64k channels."""
    form: Literal["released", "original"] = "released"
    """``released``: the network of the code published with the paper, with a 3×3 convolution as the first shortcut of
    each group, biases, and no norm or ReLU after the last block. ``original``: the network of Zagoruyko & Komodakis
    2016, with 1×1 convolutions as these shortcuts, no biases in convolutions, and a last norm and ReLU."""
    batch_norm: BatchNorm = "batch"
    """``batch``: normalize every batch by its own statistics, in tests too (paper). ``running``: torch's running
    averages in tests."""

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
    """``running``: torch's running averages in tests. ``batch``: normalize every batch by its own statistics, in tests
    too."""


Model = Annotated[FullyConnected | Cnn | WideResNet | ResNet50, Field(discriminator="name")]
