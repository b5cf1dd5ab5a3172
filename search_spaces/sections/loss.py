"""The section ``loss`` of a grid: the losses that sweeper has."""

from typing import Annotated, Literal

from pydantic import Field

from search_spaces.sections.section import Section


class Softmax(Section):
    """The cross-entropy of the softmax, -Σ y log p, times a scale."""

    name: Literal["softmax"]
    scale: Literal["mean", "paper", "code"] = "mean"
    """``mean``: 1/B. ``paper``: 1/(2kB) with k classes (SM A), so the same η is 2k times weaker. ``code``: 1/(kB), as
    in the code published with the paper."""


class MeanSquaredError(Section):
    """Half of the squared distance to the target, ½‖f - y‖², times a scale."""

    name: Literal["mse"]
    targets: Literal["one_hot", "sign"] = "one_hot"
    """``one_hot``: k outputs. ``sign``: one output, -1 or +1, for two classes."""
    scale: Literal["mean", "per_output", "sum"] = "mean"
    """``mean``: 1/B. ``per_output``: 1/(kB), the mean over outputs too. ``sum``: 1, the loss of the theory (section
    4)."""


Loss = Annotated[Softmax | MeanSquaredError, Field(discriminator="name")]
