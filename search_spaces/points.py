"""Points: every (η, λ, budget, seed, …) of a grid, each with an id that is the hash of its content."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from search_spaces.axes import NAMED_AXES
from search_spaces.budget import budget_epochs
from search_spaces.grid import Grid
from search_spaces.section import AxisValue
from search_spaces.trainable import Trainable

MAX_POINTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One training run of a grid.

    Attributes:
        id: hash of everything that decides the point's rows; the same on every machine.
        budget: T in epochs.
        variant: the values of axes that are keys of ``trainable``, (key, value) in axis order.
    """

    id: str
    eta: float
    lam: float
    mu: float
    seed: int
    sigma_w: float
    budget: float
    variant: tuple[tuple[str, AxisValue], ...] = ()

    def axes(self) -> dict[str, AxisValue]:
        """Coordinates of the point: what the table's axis columns hold."""
        plain = {name: getattr(self, name) for name in NAMED_AXES}
        return plain | dict(self.variant)


def count_points(grid: Grid) -> int:
    """Number of points of the grid, without making them."""
    count = 1
    for values in grid.axes.values():
        count *= len(values)
    return count


def make_points(grid: Grid) -> tuple[Point, ...]:
    """All points of ``grid``, in the order of its axes, the last axis fastest."""
    defaults: dict[str, AxisValue] = {"mu": grid.optimizer.mu, "seed": 0, "sigma_w": grid.trainable.init.sigma_w}
    content = _Content(grid)
    budgets: dict[tuple[float, float], float] = {}
    points = []
    for values in itertools.product(*grid.axes.values()):
        chosen = defaults | dict(zip(grid.axes, values, strict=True))
        variant = tuple((k, v) for k, v in chosen.items() if k not in NAMED_AXES)
        eta, lam, mu, sigma_w = (float(chosen[name]) for name in ("eta", "lam", "mu", "sigma_w"))
        seed = int(chosen["seed"])
        if (eta, lam) not in budgets:
            epochs = budget_epochs(grid.budget, eta, lam)
            assert epochs is not None, "load_grid refuses grids where a point has no budget"
            budgets[eta, lam] = epochs
        budget = budgets[eta, lam]
        coordinates = {"eta": eta, "lam": lam, "mu": mu, "seed": seed, "sigma_w": sigma_w, "budget": budget}
        id_ = content.hash(coordinates, variant)
        points.append(
            Point(id=id_, eta=eta, lam=lam, mu=mu, seed=seed, sigma_w=sigma_w, budget=budget, variant=variant)
        )
    return tuple(points)


def trainable_of(grid: Grid, variant: tuple[tuple[str, AxisValue], ...]) -> Trainable:
    """The grid's ``trainable`` with the keys of ``variant`` set.

    Raises:
        KeyError: a key that ``trainable`` does not have.
        pydantic.ValidationError: a value that its key does not allow.
    """
    data = grid.trainable.model_dump()
    for key, value in variant:
        *parents, last = key.split(".")
        section = data
        for parent in parents:
            section = section[parent]
        if last not in section:
            raise KeyError(key)
        section[last] = value
    return Trainable.model_validate(data)


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


class _Content:
    """Canonical content of a point: what else than its coordinates decides its rows."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._shared: dict[tuple[tuple[str, AxisValue], ...], dict[str, object]] = {}

    def hash(self, coordinates: Mapping[str, float], variant: tuple[tuple[str, AxisValue], ...]) -> str:
        if variant not in self._shared:
            # Defaults are left out, so that a new option with a default keeps the ids of what was trained before it.
            trainable = trainable_of(self._grid, variant).model_dump(exclude_defaults=True)
            init = trainable.pop("init", {})
            init.pop("sigma_w", None)  # a coordinate of its own
            trainable |= {"init": init} if init else {}
            optimizer = self._grid.optimizer.model_dump(exclude_defaults=True, exclude={"mu"})
            measure = self._grid.measure.model_dump(exclude_defaults=True)
            self._shared[variant] = {"trainable": trainable, "optimizer": optimizer, "measure": measure}
        text = _CANONICAL.encode({**self._shared[variant], **coordinates})
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def point_to_json(point: Point) -> dict[str, object]:
    """The point as JSON values."""
    return asdict(point)


def point_from_json(data: Mapping[str, Any]) -> Point:
    """The inverse of ``point_to_json``."""
    return Point(**{**data, "variant": tuple((key, value) for key, value in data["variant"])})


def further_axes(points: Iterable[Point]) -> dict[str, bool]:
    """Axes of ``points`` besides η, λ, μ and seed, each with whether its column holds text.

    These are the keys of ``trainable`` that vary, and ``sigma_w`` if it has several values. A column of numbers holds
    every number that a later grid may add; one word makes it text.
    """
    text: dict[str, bool] = {}
    scales = set()
    for point in points:
        scales.add(point.sigma_w)
        for name, value in point.variant:
            text[name] = text.get(name, False) or isinstance(value, str)
    return ({"sigma_w": False} if len(scales) > 1 else {}) | text
