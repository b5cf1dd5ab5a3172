"""Points: every (η, λ, budget, seed, …) of a grid, each with an id that is the hash of its content."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from pydantic import TypeAdapter

from search_spaces.axes import NAMED_AXES
from search_spaces.laws.budget import budget_epochs, kept_cells
from search_spaces.recipe import Variant, recipe_of, value_at
from search_spaces.sections.grid import Grid
from search_spaces.sections.section import AxisValue

MAX_POINTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One training run of a grid.

    Attributes:
        id: hash of everything that decides the point's rows; the same on every machine.
        budget: T in epochs.
        variant: the values of axes that are keys of sections.
    """

    id: str
    eta: float
    lam: float
    mu: float
    seed: int
    sigma_w: float
    budget: float
    variant: Variant = ()

    def axes(self) -> dict[str, AxisValue]:
        """Coordinates of the point: what the table's axis columns hold."""
        plain = {name: getattr(self, name) for name in NAMED_AXES}
        return plain | dict(self.variant)


_POINT_ADAPTER = TypeAdapter(Point)
_FIELD_NAMES = tuple(field.name for field in fields(Point))


def count_points(grid: Grid) -> int:
    """Number of combinations of the axes, of which ``budget.leave_out`` may leave some out; nothing is made."""
    count = 1
    for values in grid.axes.values():
        count *= len(values)
    return count


def make_points(grid: Grid) -> tuple[Point, ...]:
    """All points of ``grid`` but those left out, in the order of its axes, the last axis fastest."""
    recipe = recipe_of(grid)
    defaults: dict[str, AxisValue] = {"mu": recipe.mu, "seed": 0, "sigma_w": recipe.sigma_w}
    content = _PointHasher(grid)
    budgets = _budgets(grid)
    points = []
    for values in itertools.product(*grid.axes.values()):
        chosen = defaults | dict(zip(grid.axes, values, strict=True))
        variant = tuple((k, v) for k, v in chosen.items() if k not in NAMED_AXES)
        eta, lam, mu, sigma_w = (float(chosen[name]) for name in ("eta", "lam", "mu", "sigma_w"))
        seed = int(chosen["seed"])
        budget = budgets.get((eta, lam))
        if budget is None:
            continue
        coordinates = {"eta": eta, "lam": lam, "mu": mu, "seed": seed, "sigma_w": sigma_w, "budget": budget}
        id_ = content.hash(coordinates, variant)
        points.append(
            Point(id=id_, eta=eta, lam=lam, mu=mu, seed=seed, sigma_w=sigma_w, budget=budget, variant=variant)
        )
    return tuple(points)


def variants(points: Iterable[Point]) -> tuple[Variant, ...]:
    """Return the distinct variants of the trainable among ``points``, in order of appearance."""
    return tuple(dict.fromkeys(point.variant for point in points))


def _budgets(grid: Grid) -> dict[tuple[float, float], float]:
    """Epochs of every (η, λ) that the grid does not leave out."""
    budgets = {cell: budget_epochs(grid.budget, *cell) for cell in kept_cells(grid)}
    return {cell: epochs for cell, epochs in budgets.items() if epochs is not None}


_CANONICAL_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


class _PointHasher:
    """Canonical content of a point: what else than its coordinates decides its rows."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._shared: dict[Variant, dict[str, Any]] = {}

    def hash(self, coordinates: Mapping[str, float], variant: Variant) -> str:
        if variant not in self._shared:
            self._shared[variant] = recipe_of(self._grid, variant).content()
        text = _CANONICAL_JSON.encode({**self._shared[variant], **coordinates})
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def ids_in(grid: Grid, points: Iterable[Point]) -> Iterator[str]:
    """The id that each of ``points`` has by its content in ``grid``; empty where ``grid`` cannot hold the point."""
    content = _PointHasher(grid)
    for point in points:
        coordinates = {name: getattr(point, name) for name in (*NAMED_AXES, "budget")}
        try:
            yield content.hash(coordinates, point.variant)
        except (KeyError, TypeError, ValueError):  # of recipe_of; of a number that JSON does not have
            yield ""


def point_to_json(point: Point) -> dict[str, object]:
    """The point as JSON values."""
    return {name: getattr(point, name) for name in _FIELD_NAMES}  # asdict would copy each value, in 35 µs a point


def point_from_json(data: Mapping[str, Any]) -> Point:
    """The inverse of ``point_to_json``.

    Raises:
        ValueError: these are not the values of a point.
    """
    return _POINT_ADAPTER.validate_python(data)


def further_axes(points: Iterable[Point]) -> dict[str, bool]:
    """Axes of ``points`` besides η, λ, μ and seed, each with whether its column holds text.

    These are the keys of sections that vary, and ``sigma_w`` if it has several values. A column of numbers holds
    every number that a later grid may add; one word makes it text.
    """
    text: dict[str, bool] = {}
    scales = set()
    for point in points:
        scales.add(point.sigma_w)
        for name, value in point.variant:
            text[name] = text.get(name, False) or isinstance(value, str | bool)
    return ({"sigma_w": False} if len(scales) > 1 else {}) | text


def values_elsewhere(grid: Grid, points: Iterable[Point]) -> dict[str, AxisValue]:
    """For each further axis of ``points``: the value of those points of ``grid`` that do not have it as an axis.

    They were trained before it became one, or after it ceased to be. Text for a column of text.
    """
    axes = further_axes(points)
    values = {name: recipe_of(grid).sigma_w if name == "sigma_w" else value_at(grid, name) for name in axes}
    return {name: axis_text(value) if axes[name] else value for name, value in values.items()}


def axis_text(value: AxisValue) -> str:
    """A value of an axis whose column holds text.

    >>> axis_text("mean"), axis_text(True), axis_text(0.5)
    ('mean', 'true', '0.5')
    """
    return str(value).lower() if isinstance(value, bool) else str(value)
