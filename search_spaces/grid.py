"""The grid: what the YAML file may say, typed. Unknown keys are errors; every value has its range.

``load_grid`` turns text into a ``Grid``; everything downstream takes the ``Grid`` and never sees YAML.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from search_spaces.optimizer import L2, Constant, Optimizer, Schedule, Sgd
from search_spaces.section import AxisValue, Count, Epochs, Name, NonNegative, Positive, Section
from search_spaces.trainable import AnyTrainable

# Measurements of one point: a gigabyte of rows in memory is near ten times as many.
MAX_MEASUREMENTS = 1_000_000


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
    train: Count | Literal["all"] = "all"
    """Training samples that ``train_acc`` and ``train_loss`` are measured on, the first ones."""

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
    trainable: AnyTrainable
    optimizer: Optimizer = Sgd(name="sgd")
    schedule: Schedule = Constant(name="constant")
    l2: L2 = L2()
    axes: dict[str, tuple[AxisValue, ...]]
    """Axis name to its values, expanded: eta, lam, and as wanted mu, seed, sigma_w, or a key of ``trainable`` (as
    ``model.width``) or of another section (as ``optimizer.nesterov``)."""
    budget: Budget
    measure: Measure = Measure(every="epoch")
    analysis: Analysis = Analysis()
    resources: Resources = Resources()
