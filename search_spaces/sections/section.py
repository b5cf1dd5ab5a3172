"""The base class of sections, and the types of their values."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# The longest budget, in epochs. The paper's longest is 4e8 (λ = 0, η = 0.0025). A longer budget than this is a typing
# error: 1e10 steps of the smallest network take a month.
MAX_EPOCHS = 1e10
# Limits of numbers in files, whoever wrote them.
MAX_STEPS = 2**53  # of a point: the integers that a float64 holds
MAX_TIME = 1e30  # of epochs and decay times; squares and sums of them are numbers too
MAX_VALUE = 1e100  # of η, λ and σ_w; products of them are numbers too

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Epochs = Annotated[float, Field(gt=0, le=MAX_EPOCHS)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Width = Annotated[int, Field(ge=1, le=1_000_000)]
AxisValue = bool | Annotated[float, Field(allow_inf_nan=False)] | int | str
Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="at most 100 letters, digits, '.', '_' and '-', the first a letter or digit, since it becomes the "
        "name of a folder",
    ),
]
FunctionName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="a Python function as module:function, as in my_networks:small",
    ),
]


class Section(BaseModel):
    """Base class of every section of a grid: frozen, with strict types and no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)
