"""The sections ``optimizer``, ``schedule`` and ``l2`` of a grid: the rules by which weights move."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from search_spaces.sections.section import Fraction, Positive, Section

Beta = Annotated[float, Field(ge=0, lt=1)]


class Sgd(Section):
    """Stochastic gradient descent: v ← μv + g + λθ, θ ← θ - ηv; λ is torch's ``weight_decay``."""

    name: Literal["sgd"]
    mu: Fraction = 0.0
    """Momentum μ; the axis ``mu`` varies it."""
    nesterov: bool = False
    """Nesterov's momentum: θ ← θ - η(g + λθ + μv)."""


class AdamW(Section):
    """Adam with decoupled weight decay: θ ← (1 - ηλ)θ - η m̂/(√v̂ + ε)."""

    name: Literal["adamw"]
    beta1: Beta = 0.9
    """Decay of the mean of gradients."""
    beta2: Beta = 0.999
    """Decay of the mean of squared gradients."""
    epsilon: Positive = 1e-8
    """ε of the denominator."""


class Adam(Section):
    """Adam with λθ added to the gradient. It is not L2 regularization, since √v̂ divides each weight's decay too."""

    name: Literal["adam"]
    coupled: bool = False
    """Must be ``true``, as a confirmation that this is intended."""
    beta1: Beta = 0.9
    """Decay of the mean of gradients."""
    beta2: Beta = 0.999
    """Decay of the mean of squared gradients."""
    epsilon: Positive = 1e-8
    """ε of the denominator."""

    @model_validator(mode="after")
    def _check_coupled(self) -> "Adam":
        if not self.coupled:
            raise ValueError(
                "Adam divides λθ by the size of each weight's gradients, so this is not L2 regularization; "
                "use 'name: adamw', or write 'coupled: true' if that is what you study"
            )
        return self


Optimizer = Annotated[Sgd | AdamW | Adam, Field(discriminator="name")]


class Constant(Section):
    """A constant η."""

    name: Literal["constant"]
    warmup: Fraction = 0.0
    """Share of the budget in which η rises linearly from 0."""


class Piecewise(Section):
    """A piecewise constant η, multiplied by ``factor`` at given shares of the budget."""

    name: Literal["piecewise"]
    at: Annotated[tuple[Fraction, ...], Field(strict=False, min_length=1, max_length=100)] = (0.3, 0.6, 0.9)
    """Shares of the budget T, ascending (paper: 0.3, 0.6, 0.9)."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Factor by which η is multiplied (paper: 0.2)."""
    warmup: Fraction = 0.0
    """Share of the budget in which η rises linearly from 0; it ends before the first decay."""

    @model_validator(mode="after")
    def _check_shares(self) -> "Piecewise":
        if list(self.at) != sorted(set(self.at)):
            raise ValueError(f"at {list(self.at)} is not allowed: give ascending shares of the budget, each once")
        if self.warmup > self.at[0]:
            raise ValueError(f"warmup {self.warmup} ends after the first decay at {self.at[0]}; make it shorter")
        return self


class Cosine(Section):
    """An η that falls to 0 along half a period of the cosine."""

    name: Literal["cosine"]
    warmup: Fraction = 0.0
    """Share of the budget in which η rises linearly from 0, before it falls."""


Schedule = Annotated[Constant | Piecewise | Cosine, Field(discriminator="name")]


class AutoL2(Section):
    """The dynamical L2 schedule of the paper (Algorithm 1): λ falls to a tenth when training no longer improves."""

    every: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    """Steps between two evaluations of loss and error (paper: 10 in Figure 1c, 5 in SM E)."""
    signal: Literal["batch", "train"] = "batch"
    """Samples of these evaluations. ``batch``: one training mini-batch, as in the code published with the paper.
    ``train``: the whole training set."""


class L2(Section):
    """The meaning of λ: its term, the parameters that it acts on, and whether it falls while a point trains."""

    convention: Literal["half", "square", "per_sample"] = "half"
    """Term of the loss that holds λ. ``half``: ½λ‖θ‖², torch's ``weight_decay`` = λ (paper). ``square``: λ‖θ‖²,
    ``weight_decay`` = 2λ (the code published with the paper). ``per_sample``: λ/(2N)‖θ‖², ``weight_decay`` = λ/N with N
    training samples."""
    parameters: Literal["all", "matrices"] = "all"
    """Parameters that decay. ``all``: every parameter (paper). ``matrices``: all but biases, norms and embeddings."""
    auto: AutoL2 | None = None
    """Let λ fall along the run. The axis ``lam`` is then its first value (paper: 0.1) and may not hold 0. Algorithm 1
    uses λ as the grid writes it, in the grid's convention, as the code published with the paper does."""
