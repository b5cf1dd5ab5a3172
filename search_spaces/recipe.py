"""The recipe of a point: the sections of the grid that decide how it trains, besides its coordinates."""

import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

from search_spaces.errors import InputError
from search_spaces.sections.data import TorchvisionImages
from search_spaces.sections.grid import Grid, Measure
from search_spaces.sections.metric import Metric
from search_spaces.sections.optimizer import L2, Constant, Optimizer, Schedule, Sgd
from search_spaces.sections.section import AxisValue, Section
from search_spaces.sections.trainable import (
    AnyTrainable,
    EmpiricalKernel,
    KernelTrainable,
    OwnLoop,
    ReluKernel,
    Trainable,
)
from search_spaces.yaml_text import printable

Variant = tuple[tuple[str, AxisValue], ...]
"""Values of the axes that are keys of sections, (key, value) in axis order."""

SECTIONS = ("trainable", "optimizer", "schedule", "l2", "stop", "metric", "measure")
SECTIONS_OF_AXES = ("optimizer", "schedule", "l2")  # whose keys can be axes under their full name


class Recipe(Section):
    """The sections of a grid that decide the rows of its points.

    Attributes:
        trainable: the network, data and loss, the theory, or the user's own code.
        optimizer: how a step moves the weights.
        schedule: how η changes along the budget.
        l2: what λ means.
        stop: when a point ends.
        metric: the quantity by which a point is judged.
        measure: when accuracy and loss are measured.
    """

    trainable: AnyTrainable
    optimizer: Optimizer = Sgd(name="sgd")
    schedule: Schedule = Constant(name="constant")
    l2: L2 = L2()
    stop: Literal["budget", "peaked"] = "budget"
    metric: Metric = Metric()
    measure: Measure = Measure(every="epoch")

    @property
    def mu(self) -> float:
        """Momentum μ of points without an axis of that name; 0 for optimizers that have none."""
        return self.optimizer.mu if isinstance(self.optimizer, Sgd) else 0.0

    @property
    def sigma_w(self) -> float:
        """Initialization scale of points without an axis of that name: the grid's, else the paper's (SM A).

        It is 1, a factor of the weight matrices, for a user's model that keeps its own initialization.
        """
        init = None if isinstance(self.trainable, OwnLoop) else self.trainable.init
        if init is not None and init.sigma_w is not None:
            return init.sigma_w
        return math.sqrt(2) if self._network in {"fc", "cnn", "relu"} else 1.0

    @property
    def _network(self) -> str:
        """Name of the built-in model or kernel; empty for a model of the user."""
        match self.trainable:
            case Trainable(model=model) | KernelTrainable(kernel=EmpiricalKernel(model=model)):
                return model.name
            case KernelTrainable(kernel=ReluKernel(name=name)):
                return name
            case _:
                return ""

    def content(self) -> dict[str, Any]:
        """Return the part of the content from which the ids of points are made; defaults are left out.

        A new option with a default therefore keeps the ids of what was trained before it. The coordinates μ and σ_w
        are left out too, as are the folder of torchvision's images and a metric that stops no point: they decide
        no row.
        """
        dump = self.model_dump(exclude_defaults=True, exclude={"optimizer": {"mu"}})
        dump["trainable"] = without_data_location(dump["trainable"])
        if self.stop == "budget":  # then the metric judges rows and changes none
            dump.pop("metric", None)
        init = dump["trainable"].get("init")
        if init is not None:
            init.pop("sigma_w", None)
            if not init and isinstance(self.trainable, Trainable | KernelTrainable):
                del dump["trainable"]["init"]
        return {"optimizer": {"name": "sgd"}, "measure": {}} | dump


def without_data_location(trainable: dict[str, Any]) -> dict[str, Any]:
    """Return the section without the place of torchvision's images, which decides nothing about them."""
    data = trainable.get("data", {})
    if data.get("name") not in get_args(TorchvisionImages.model_fields["name"].annotation):
        return trainable
    return trainable | {"data": {k: v for k, v in data.items() if k not in {"root", "download"}}}


def section_path(key: str) -> tuple[str, ...]:
    """Return the key path of the axis ``key``: a key of ``trainable``, or of another section under its full name.

    >>> section_path("model.width"), section_path("optimizer.nesterov")
    (('trainable', 'model', 'width'), ('optimizer', 'nesterov'))
    """
    parts = tuple(key.split("."))
    return parts if parts[0] in SECTIONS_OF_AXES else ("trainable", *parts)


def recipe_of(grid: Grid, variant: Variant = ()) -> Recipe:
    """Return the grid's recipe with the keys of ``variant`` set.

    Raises:
        KeyError: a section does not have the key.
        TypeError: a key lies below one that holds no section.
        pydantic.ValidationError: a key does not allow the value.
    """
    data = grid.model_dump(include=set(SECTIONS))
    for key, value in variant:
        *parents, last = section_path(key)
        section: Any = data
        for parent in parents:
            section = section[parent]
        if last not in section:
            raise KeyError(key)
        section[last] = value
    return Recipe.model_validate(data)


def value_at(grid: Grid, key: str) -> AxisValue:
    """Return the grid's own value of the axis ``key``: that of points which do not have it as an axis.

    Raises:
        InputError: there is no such key, or it holds a section.
    """
    current: Any = grid
    for part in section_path(key):
        keys = current if isinstance(current, Mapping) else dict(current) if isinstance(current, Section) else {}
        current = keys.get(part, keys)
    if isinstance(current, Mapping | Section):
        raise InputError(
            f"{printable(key)}: the points of this sweep have such an axis, but its grid.yaml has no such key. One of "
            "its files was altered; 'sweeper verify SWEEP_DIR --repair' drops what is."
        )
    value: AxisValue = current
    return value
