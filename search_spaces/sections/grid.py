"""The grid: the whole content of a YAML file, typed. Unknown keys are errors, and every value has its range.

``load_grid`` turns text into a ``Grid``. All other code takes the ``Grid`` and never sees YAML.
"""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from search_spaces.sections.metric import Metric
from search_spaces.sections.optimizer import L2, Constant, Optimizer, Schedule, Sgd
from search_spaces.sections.section import AxisValue, Count, Epochs, Name, NonNegative, Positive, Section
from search_spaces.sections.trainable import AnyTrainable

# Measurements of one point. A gigabyte of memory holds about ten times as many rows.
MAX_MEASUREMENTS = 1_000_000


class BudgetException(Section):
    """A separate budget for the points at one (η, λ)."""

    eta: Positive
    """η of the points, a value of the axis."""
    lam: NonNegative
    """λ of the points, a value of the axis."""
    epochs: Epochs
    """Budget T of the points, in epochs."""


class OverEta(Section):
    """A budget inversely proportional to η."""

    over_eta: Positive
    """T = over_eta/η, in epochs."""


class Budget(Section):
    """The budget rule T(η, λ): the number of epochs that a point trains."""

    rule: Literal["inverse_eta_lam", "inverse_lam", "fixed", "predicted"]
    """``inverse_eta_lam``: T = constant/(ηλ). ``inverse_lam``: T = constant/λ. ``fixed``: T = constant. ``predicted``:
    until the point has peaked, and at most ``max``; it needs ``stop: peaked``."""
    constant: Positive | None = None
    """Constant of the rule (paper, Figure 2: 2/(ηλ) for fc, 0.1/(ηλ) for wrn). The rule ``predicted`` has none."""
    max: Epochs | None = None
    """Longest budget. A longer T is cut to it."""
    zero_lam: Epochs | OverEta | None = None
    """Budget of points with λ = 0, where 1/λ has no value; ``{over_eta: c}`` is c/η. Without this key they get
    ``max``."""
    leave_out: Epochs | None = None
    """Leave out points of λ > 0 whose budget by rule and ``max`` is longer than this."""
    exceptions: Annotated[tuple[BudgetException, ...], Field(strict=False, max_length=1000)] = ()
    """Points with a separate budget; neither the rule nor ``max`` nor ``leave_out`` applies to them."""

    @model_validator(mode="after")
    def _check_rule(self) -> "Budget":
        if self.rule == "predicted" and (self.max is None or self.constant is not None):
            raise ValueError("the rule predicted takes 'max', the longest budget in epochs, and no 'constant'")
        if self.rule != "predicted" and self.constant is None:
            raise ValueError(f"the rule {self.rule} takes a 'constant'")
        return self


class Steps(Section):
    """A fixed number of optimizer steps between measurements."""

    steps: Count
    """Steps from one measurement to the next."""


class Measure(Section):
    """The steps at which accuracy and loss are measured, by one of ``every`` and ``log``. The last step always is.

    Without either, it is every epoch.
    """

    every: Literal["epoch"] | Steps | None = None
    """``epoch``: after each epoch. ``{steps: k}``: after every k steps."""
    log: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Number of measurements in each decade of steps; t* needs relative precision only."""
    train: Count | Literal["all"] = "all"
    """Number of training samples, the first ones, on which ``train_acc`` and ``train_loss`` are measured."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: object) -> object:
        return {"every": "epoch", **data} if isinstance(data, dict) and not {"every", "log"} & data.keys() else data

    @model_validator(mode="after")
    def _check_one_of(self) -> "Measure":
        if (self.every is None) == (self.log is None):
            raise ValueError("give exactly one of 'every' (epoch or {steps: k}) and 'log' (measurements a decade)")
        return self


class Analysis(Section):
    """Settings of the analysis. A change never touches the measurements."""

    tolerance: Annotated[float, Field(gt=0, lt=0.5)] = 0.005
    """Distance from the maximum test accuracy; t* is the first measurement within it (paper: 0.5 %). Of another
    ``metric`` it is a share of the way from the first measurement to the best."""
    budgets: Annotated[tuple[Epochs, ...], Field(strict=False, max_length=1000)] = ()
    """Budgets T in epochs at which λ_pred = c/T is compared with the tuned λ."""


_LABEL_PATTERN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,252}[A-Za-z0-9])?")


class Resources(Section):
    """Resources of one pack. A pack is a group of points that train as one program."""

    cpus_per_pack: Annotated[float, Field(gt=0, le=1024)] = 1.0
    """CPU cores."""
    gpus_per_pack: Annotated[float, Field(ge=0, le=64)] = 0.0
    """GPUs; 0.25 lets four packs share one, 0 trains on the CPU."""
    pack: Literal["auto"] | Annotated[int, Field(ge=1, le=4096)] = "auto"
    """Points of a pack at most; ``auto`` lets the planner balance the workers."""
    labels: dict[str, str] = Field(default={}, max_length=16)
    """Labels that a machine of the Ray cluster must have to train a pack, as ``{ray.io/accelerator-type: H100}``. Ray
    itself gives this label to machines with that GPU."""
    processes_per_pack: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that train one point together, on one machine or several. They share the micro-batches of each step
    (``trainable.micro_batch``) and the CPUs and GPUs of the pack, one GPU each. Numbers change only by the order of
    summation."""

    @model_validator(mode="after")
    def _check_labels(self) -> "Resources":
        if wrong := [text for pair in self.labels.items() for text in pair if not _LABEL_PATTERN.fullmatch(text)]:
            raise ValueError(f"labels: {wrong[0]!r} is no label of Ray, which has letters, digits and . _ / - inside")
        return self

    @model_validator(mode="after")
    def _check_processes(self) -> "Resources":
        if self.processes_per_pack == 1:
            return self
        if self.pack not in {"auto", 1}:
            raise ValueError(
                f"pack: {self.pack} and processes_per_pack: {self.processes_per_pack} do not go together: several "
                "processes train one point; leave 'pack' out"
            )
        if self.gpus_per_pack not in {0, self.processes_per_pack}:
            raise ValueError(
                f"gpus_per_pack: {self.gpus_per_pack:g} is not allowed with processes_per_pack: "
                f"{self.processes_per_pack}: each process has a GPU of its own, so give {self.processes_per_pack}, or "
                "0 for the CPU"
            )
        return self


class Recovery(Section):
    """Settings for failures of machines, disks and workers. A change never touches the measurements."""

    retries: Annotated[int, Field(ge=0, le=1000)] = 3
    """Number of further attempts at a pack whose worker died or hung. Errors of a point's own code are not tried
    again."""
    commit_seconds: NonNegative = 10.0
    """Time between commits of a worker, which is the most that a crash repeats. It grows to 2 % of the time that the
    pack has taken, but not beyond ten minutes, and to fifty times the time that writing takes."""
    hang_seconds: Positive = 1800.0
    """Time without a sign of life after which a worker is killed. Packs give a sign every few seconds, those of theory
    when all their kernels are made, and a training loop of your own with every measurement."""
    storage_seconds: NonNegative = 600.0
    """Time that a worker waits for storage that refuses writes, such as a full disk, before it gives up."""
    checkpoint_bytes: NonNegative = 20e9
    """Bytes that all checkpoints of the sweep may take together. Checkpoints that do not fit are left out, and a crash
    then repeats more."""


class Grid(Section):
    """A grid: what is trained, what varies, for how long, when it is measured, and how the results are judged."""

    name: Name
    trainable: AnyTrainable
    """The object of training: a model, data and loss that sweeper has, the theory of infinite width, or a function or a
    training loop of your own."""
    optimizer: Optimizer = Sgd(name="sgd")
    """The rule by which a step moves the weights."""
    schedule: Schedule = Constant(name="constant")
    """The change of η along the budget of a point."""
    l2: L2 = L2()
    axes: dict[str, tuple[AxisValue, ...]]
    """Axis name to its expanded values: eta and lam, and optionally mu, seed, sigma_w, or a key of ``trainable`` (as
    ``model.width``) or of another section (as ``optimizer.nesterov``)."""
    budget: Budget
    stop: Literal["budget", "peaked"] = "budget"
    """The end of a point: its ``budget``, or before that as soon as it is certain that its test accuracy, or another
    ``metric``, has ``peaked``. This is at 2.5 times the decay time of t*, and at decay time 1 at the earliest. On
    recorded curves the part that is cut off was at most 0.5 % better, but up to 7 % where accuracy flickers (small
    batches, large steps). Points of λ = 0 train their whole budget."""
    metric: Metric = Metric()
    measure: Measure = Measure(every="epoch")
    analysis: Analysis = Analysis()
    resources: Resources = Resources()
    recovery: Recovery = Recovery()
    keep_weights: bool = False
    """Keep the weights of every point that was trained to its end, in ``weights/POINT-DIGEST.pt``: parameters and
    buffers by name, for ``model.load_state_dict``. A training loop of your own, and theory, have none. Points that have
    already ended are not trained again for it."""

    @property
    def device(self) -> str:
        """The torch device that the packs of this grid train on."""
        return "cuda" if self.resources.gpus_per_pack > 0 else "cpu"
