"""``plan.json``: the points that a sweep holds, and the packs that its latest run trains."""

import itertools
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from results.store.files import read_limited, write_text
from results.store.sweep_dir import SweepDir
from search_spaces.cost import Cost
from search_spaces.errors import InputError, one_line
from search_spaces.plan import Pack, Plan
from search_spaces.points import Point, point_from_json, point_to_json
from search_spaces.reading.load import load_grid
from search_spaces.sections.grid import Grid, Resources
from search_spaces.sections.section import AxisValue
from search_spaces.yaml_text import MAX_CHARACTERS, printable

MAX_PLAN_BYTES = 2 * 10**9  # of plan.json; a million points of five axes and packs of one are 0.6 GB
MAX_COST, MAX_WORKERS = 1e300, 2**53  # of a pack, in FLOP and steps; of a plan
_COST = TypeAdapter(Cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """The content of ``plan.json``.

    Attributes:
        created: when the sweep was first run, ISO 8601.
        points: every point the sweep has ever planned, by id.
        packs: every pack that it has planned and may have begun, those of the latest run first, in launch order.
        workers: number of packs that the latest run trains at the same time.
        device: torch device of the latest run.
        resources: CPUs and GPUs of a pack in the latest run.
        begun: ids of the packs at which an attempt had been made when the plan was written.
        samples: number of training and of test samples in the latest run; None in a plan of an older version.
    """

    created: str
    points: dict[str, Point]
    packs: tuple[Pack, ...]
    workers: int
    device: str
    resources: Resources
    begun: frozenset[str]
    samples: tuple[int, int] | None = None

    @property
    def pack_points(self) -> dict[str, list[str]]:
        """Map each pack id to the ids of its points."""
        return {pack.id: [p.id for p in pack.points] for pack in self.packs}


def write_plan(
    directory: SweepDir,
    grid: Grid,
    points: Sequence[Point],
    plan: Plan,
    *,
    earlier: PlanFile | None,
    begun: Collection[str],
    samples: tuple[int, int] | None = None,
) -> PlanFile:
    """Write the plan of a run; points and packs of earlier runs and the creation time are kept.

    Args:
        directory: the sweep.
        grid: the grid of the run, for its resources and its device.
        points: all points of the grid.
        plan: the packs of this run.
        earlier: the plan of the run before; None if there is none that can be read.
        begun: ids of the packs that some attempt was made at.
        samples: number of training and of test samples; None if unknown.

    Returns:
        The content of the file.
    """
    known = (earlier.points if earlier else {}) | {p.id: p for p in points}
    packs, taken = {p.id for p in plan.packs}, {q.id for p in plan.packs for q in p.points}
    before = [p for p in (earlier.packs if earlier else ()) if p.id in begun and p.id not in packs]
    file = PlanFile(
        created=earlier.created if earlier else datetime.now(UTC).isoformat(timespec="seconds"),
        points={p.id: p for p in points} | known,
        packs=(*plan.packs, *(p for p in before if taken.isdisjoint(q.id for q in p.points))),
        workers=plan.workers or (earlier.workers if earlier else 0),  # a plan of nothing has none
        device=grid.device,
        resources=grid.resources,
        begun=frozenset(begun),
        samples=samples,
    )
    write_text(directory.plan, json.dumps(_to_json(file)))
    return file


def read_plan(directory: SweepDir) -> PlanFile:
    """Read the plan of the latest run.

    Raises:
        InputError: no sweep lies there, or its plan cannot be read.
    """
    if not directory.plan.is_file():
        raise InputError(f"{directory.root}: no sweep here (no plan.json). Give the folder that 'sweeper run' made.")
    try:
        return _from_json(json.loads(read_limited(directory.plan, MAX_PLAN_BYTES)))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(
            f"{directory.plan}: damaged ({printable(str(error))}). Run the same 'sweeper run' again: it writes the "
            "plan anew and trains what is missing."
        ) from None


def read_grid(directory: SweepDir) -> Grid:
    """Read the grid of the latest run, as resolved.

    Raises:
        InputError: it is missing, or cannot be read.
    """
    if not directory.grid.is_file():
        raise InputError(f"{directory.root}: no grid.yaml here, the grid of this sweep is lost.")
    content = read_limited(directory.grid, 4 * MAX_CHARACTERS)  # of UTF-8, which has at most 4 bytes a character
    try:
        return load_grid(content.decode(), str(directory.grid))
    except UnicodeDecodeError:
        raise InputError(f"{directory.grid}: not a text file (UTF-8); a grid is YAML.") from None


def _checked_id(id_: str) -> str:
    """Refuse an id that would lead out of the folder, since ids become names of files."""
    if not re.fullmatch(r"[0-9a-z]{1,64}", id_):
        raise ValueError(f"{one_line(id_, 60)!r} is no id")
    return id_


def _pack(data: Mapping[str, Any], points: Mapping[str, Point]) -> Pack:
    """Return a pack of the plan.

    Raises:
        ValueError: it has no points, or its cost is no number.
    """
    if not data["points"]:
        raise ValueError(f"pack {_checked_id(data['id'])} has no points")
    cost = _COST.validate_python(data["cost"])
    if wrong := [name for name, value in _cost_to_json(cost).items() if not 0 <= value <= MAX_COST]:
        raise ValueError(f"{wrong[0]} of pack {_checked_id(data['id'])} is no cost")
    return Pack(id=_checked_id(data["id"]), points=tuple(points[i] for i in data["points"]), cost=cost)


def _fits(value: AxisValue) -> bool:
    """Return whether a table can hold the name or the value of an axis."""
    if isinstance(value, str):
        return value.encode(errors="ignore").decode() == value  # without half characters
    return not isinstance(value, int) or abs(value) < 2**63


def _workers(value: object) -> int:
    """Return a number of workers.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, int) or not 0 <= value <= MAX_WORKERS:
        raise ValueError(f"workers is {one_line(str(value), 60)}")
    return value


def _samples(value: object) -> tuple[int, int] | None:
    """Return numbers of training and test samples.

    Raises:
        ValueError: it is no pair of numbers.
    """
    if value is None:
        return None
    if not (isinstance(value, list) and len(value) == 2 and all(isinstance(n, int) and 0 <= n < 2**63 for n in value)):
        raise ValueError(f"samples is {one_line(str(value), 60)}")
    return value[0], value[1]


def _to_json(file: PlanFile) -> dict[str, object]:
    packs = [{"id": p.id, "points": [q.id for q in p.points], "cost": _cost_to_json(p.cost)} for p in file.packs]
    return {
        "created": file.created,
        "workers": file.workers,
        "device": file.device,
        "resources": file.resources.model_dump(mode="json"),
        "begun": sorted(file.begun),
        "samples": file.samples,
        "packs": packs,
        "points": [point_to_json(p) for p in file.points.values()],
    }


def _cost_to_json(cost: Cost) -> dict[str, float]:
    return {name: getattr(cost, name) for name in cost.__dataclass_fields__}


def _from_json(data: dict[str, Any]) -> PlanFile:
    points = {_checked_id(p.id): p for p in map(point_from_json, data["points"])}
    if wrong := [p.id for p in points.values() if not all(map(_fits, itertools.chain.from_iterable(p.variant)))]:
        raise ValueError(f"point {wrong[0]} has a value that no table holds")
    packs = tuple(_pack(pack, points) for pack in data["packs"])
    return PlanFile(
        created=one_line(str(data["created"]), 60),
        points=points,
        packs=packs,
        workers=_workers(data["workers"]),
        device=one_line(str(data["device"]), 60),
        resources=Resources.model_validate(data["resources"]),
        begun=frozenset(data.get("begun", (pack.id for pack in packs))),  # of an older version: all may have
        samples=_samples(data.get("samples")),
    )
