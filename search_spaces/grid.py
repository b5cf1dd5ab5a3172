"""The grid: what the YAML file may say, typed. Unknown keys are errors; every value has its range.

``load_grid`` turns text into a ``Grid``; everything downstream takes the ``Grid`` and never sees YAML.
"""

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

# The longest budget, in epochs. The paper's longest is 4e8 (λ = 0, η = 0.0025); 1e10 steps of the smallest network take
# a month, so that a longer budget is a typo.
MAX_EPOCHS = 1e10
# Measurements of one point: a gigabyte of rows in memory is near ten times as many.
MAX_MEASUREMENTS = 1_000_000

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Epochs = Annotated[float, Field(gt=0, le=MAX_EPOCHS)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
AxisValue = float | int | str
Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="at most 100 letters, digits, '.', '_' and '-', the first a letter or digit, since it becomes the "
        "name of a folder",
    ),
]


class Section(BaseModel):
    """Base of every part of a grid: frozen, strict types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class FullyConnected(Section):
    """Fully connected ReLU network: ``depth`` hidden layers of ``width`` units."""

    name: Literal["fc"]
    width: Annotated[int, Field(ge=1, le=1_000_000)] = 64
    """Units of each hidden layer (paper: 2048)."""
    depth: Annotated[int, Field(ge=0, le=1000)] = 3
    """Hidden layers (paper: 3)."""
    bias: bool = True
    """Whether the layers have biases."""


class Digits(Section):
    """scikit-learn's 1,797 handwritten digits of 8×8 pixels; they come inside that package."""

    name: Literal["digits"]
    train: Count = 1000
    """Training images, the first ones of a fixed permutation; all others are the test set."""


class Softmax(Section):
    """Cross-entropy of the softmax, Σ y log p, times a scale."""

    name: Literal["softmax"]
    scale: Literal["mean", "paper"] = "mean"
    """``mean``: 1/B. ``paper``: 1/(2kB) with k classes (SM A), so the same η is 2k times weaker."""


class Init(Section):
    """LeCun initialization: W ~ N(0, σ_w²/fan_in), b ~ N(0, σ_b²) (SM A)."""

    sigma_w: Positive = math.sqrt(2)
    """Standard deviation of weights times √fan_in (paper: √2 for FC and CNN)."""
    sigma_b: NonNegative = 0.0
    """Standard deviation of biases."""


class Trainable(Section):
    """What is trained."""

    model: FullyConnected
    data: Digits
    loss: Softmax = Softmax(name="softmax")
    init: Init = Init()
    batch: Literal["full"] | Count = "full"
    """Samples of a step; ``full`` is the whole training set, and then an epoch is one step."""


class Sgd(Section):
    """v ← μv + g + λθ, θ ← θ - ηv; λ is torch's ``weight_decay``."""

    name: Literal["sgd"]
    mu: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Momentum μ."""


class BudgetException(Section):
    """A budget of its own for the points at one (η, λ)."""

    eta: Positive
    lam: NonNegative
    epochs: Epochs


class Budget(Section):
    """How long a point trains, in epochs: the budget rule T(η, λ)."""

    rule: Literal["inverse_eta_lam", "inverse_lam", "fixed"]
    """T = constant/(ηλ), T = constant/λ, or T = constant."""
    constant: Positive
    max: Epochs | None = None
    """Longest budget: T is cut to it."""
    zero_lam: Epochs | None = None
    """Budget of points with λ = 0, for which 1/λ has no value; without it they get ``max``."""
    exceptions: Annotated[tuple[BudgetException, ...], Field(strict=False, max_length=1000)] = ()
    """Points with a budget of their own; neither the rule nor ``max`` applies to them."""


class Steps(Section):
    """Every so many optimizer steps."""

    steps: Count


class Measure(Section):
    """When accuracy and loss are measured; the last step always is."""

    every: Literal["epoch"] | Steps | None = None
    """``epoch``, or ``{steps: k}``."""
    log: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """So many measurements a decade of steps: t* needs relative precision only."""

    @model_validator(mode="after")
    def _one_of(self) -> "Measure":
        if (self.every is None) == (self.log is None):
            raise ValueError("give exactly one of 'every' (epoch or {steps: k}) and 'log' (measurements a decade)")
        return self


class Analysis(Section):
    """How the results are judged; changing it never touches the measurements."""

    tolerance: Annotated[float, Field(gt=0, lt=0.5)] = 0.005
    """t* is the first measurement within this of the maximum test accuracy (paper: 0.5 %)."""
    budgets: Annotated[tuple[Epochs, ...], Field(strict=False, max_length=1000)] = ()
    """Budgets T in epochs at which λ_pred = c/T is compared with the tuned λ."""


class Resources(Section):
    """What one pack gets."""

    cpus_per_pack: Annotated[float, Field(gt=0, le=1024)] = 1.0
    """CPU cores."""
    gpus_per_pack: Annotated[float, Field(ge=0, le=64)] = 0.0
    """GPUs; 0.25 lets four packs share one."""
    pack: Literal["auto"] | Annotated[int, Field(ge=1, le=4096)] = "auto"
    """Points of a pack at most; ``auto`` lets the planner balance the workers."""


class Grid(Section):
    """A whole grid file."""

    name: Name
    trainable: Trainable
    optimizer: Sgd = Sgd(name="sgd")
    axes: dict[str, tuple[AxisValue, ...]]
    """Axis name to its values, expanded: eta, lam, and as wanted mu, seed, sigma_w or a key of ``trainable``."""
    budget: Budget
    measure: Measure = Measure(every="epoch")
    analysis: Analysis = Analysis()
    resources: Resources = Resources()
