"""Points: every (η, λ, budget, seed, …) of a grid, with an id that is the hash of the point's content."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from search_spaces.axes import NAMED_AXES
from search_spaces.laws.budget import budget_epochs, kept_cells
from search_spaces.recipe import Variant, recipe_of, value_at
from search_spaces.sections.grid import Grid
from search_spaces.sections.section import MAX_EPOCHS, MAX_VALUE, AxisValue

MAX_POINTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One training run of a grid.

    Attributes:
        id: hash of everything that decides the point's rows; the same on every machine.
        eta: learning rate η > 0.
        lam: L2 coefficient λ ≥ 0, as the grid writes it.
        mu: momentum μ, in [0, 1).
        seed: seed of the initialization and of everything drawn in training.
        sigma_w: initialization scale σ_w > 0.
        budget: budget T in epochs.
        variant: values of the axes that are keys of sections, in axis order.
    """

    id: str
    eta: Annotated[float, Field(ge=1 / MAX_VALUE, le=MAX_VALUE)]
    lam: Annotated[float, Field(ge=0, le=MAX_VALUE)]
    mu: Annotated[float, Field(ge=0, lt=1)]
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)]
    sigma_w: Annotated[float, Field(ge=1 / MAX_VALUE, le=MAX_VALUE)]
    budget: Annotated[float, Field(gt=0, le=MAX_EPOCHS)]
    variant: Variant = ()

    def axes(self) -> dict[str, AxisValue]:
        """Return the coordinates of the point: the values of the table's axis columns."""
        named = {name: getattr(self, name) for name in NAMED_AXES}
        return named | dict(self.variant)


_POINT_ADAPTER = TypeAdapter(Point)
_FIELD_NAMES = tuple(field.name for field in fields(Point))


def count_points(grid: Grid) -> int:
    """Return the number of combinations of the axes, without making points.

    ``budget.leave_out`` may leave some of them out.
    """
    count = 1
    for values in grid.axes.values():
        count *= len(values)
    return count


def make_points(grid: Grid) -> tuple[Point, ...]:
    """Return all points of ``grid`` but those left out, in the order of its axes, the last axis fastest."""
    recipe = recipe_of(grid)
    defaults: dict[str, AxisValue] = {"mu": recipe.mu, "seed": 0, "sigma_w": recipe.sigma_w}
    hasher = _PointHasher(grid)
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
        id_ = hasher.hash(coordinates, variant)
        points.append(
            Point(id=id_, eta=eta, lam=lam, mu=mu, seed=seed, sigma_w=sigma_w, budget=budget, variant=variant)
        )
    return tuple(points)


def variants(points: Iterable[Point]) -> tuple[Variant, ...]:
    """Return the distinct variants of the trainable among ``points``, in order of appearance."""
    return tuple(dict.fromkeys(point.variant for point in points))


def _budgets(grid: Grid) -> dict[tuple[float, float], float]:
    """Return the epochs of every (η, λ) that the grid does not leave out."""
    budgets = {cell: budget_epochs(grid.budget, *cell) for cell in kept_cells(grid)}
    return {cell: epochs for cell, epochs in budgets.items() if epochs is not None}


_CANONICAL_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


class _PointHasher:
    """Hash of a point's content: its coordinates, and the recipe that its variant shares."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._recipes: dict[Variant, dict[str, Any]] = {}

    def hash(self, coordinates: Mapping[str, float], variant: Variant) -> str:
        """Return the id of the point with these coordinates."""
        if variant not in self._recipes:
            self._recipes[variant] = recipe_of(self._grid, variant).content()
        text = _CANONICAL_JSON.encode({**self._recipes[variant], **coordinates})
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def ids_in(grid: Grid, points: Iterable[Point]) -> Iterator[str]:
    """Yield the id that each of ``points`` has by its content in ``grid``; empty where ``grid`` cannot hold it."""
    hasher = _PointHasher(grid)
    for point in points:
        coordinates = {name: getattr(point, name) for name in (*NAMED_AXES, "budget")}
        try:
            yield hasher.hash(coordinates, point.variant)
        except (KeyError, TypeError, ValueError):  # from recipe_of, or from a number that JSON does not have
            yield ""


def point_to_json(point: Point) -> dict[str, object]:
    """Return the point as JSON values."""
    return {name: getattr(point, name) for name in _FIELD_NAMES}  # asdict would copy each value, in 35 µs a point


def point_from_json(data: Mapping[str, Any]) -> Point:
    """Return the point that ``point_to_json`` gave ``data`` for.

    Raises:
        ValueError: ``data`` does not hold the values of a point.
    """
    return _POINT_ADAPTER.validate_python(data)


def further_axes(points: Iterable[Point]) -> dict[str, bool]:
    """Return the axes of ``points`` besides η, λ, μ and seed, each with whether its column holds text.

    These are the keys of sections that vary, and ``sigma_w`` if it has several values. A column of numbers holds
    every number that a later grid may add; one word makes it text.
    """
    is_text: dict[str, bool] = {}
    scales = set()
    for point in points:
        scales.add(point.sigma_w)
        for name, value in point.variant:
            is_text[name] = is_text.get(name, False) or isinstance(value, str | bool)
    return ({"sigma_w": False} if len(scales) > 1 else {}) | is_text


def default_axis_values(grid: Grid, points: Iterable[Point]) -> dict[str, AxisValue]:
    """Return, for each further axis of ``points``, the value of the points that do not have that axis.

    Such points were trained before it became an axis, or after it ceased to be one. Their value is that of the key in
    ``grid``, as text for a column of text.
    """
    is_text = further_axes(points)
    values = {name: recipe_of(grid).sigma_w if name == "sigma_w" else value_at(grid, name) for name in is_text}
    return {name: axis_text(value) if is_text[name] else value for name, value in values.items()}


def axis_text(value: AxisValue) -> str:
    """Return a value as text, for an axis whose column holds text.

    >>> axis_text("mean"), axis_text(True), axis_text(0.5)
    ('mean', 'true', '0.5')
    """
    return str(value).lower() if isinstance(value, bool) else str(value)
