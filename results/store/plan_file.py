"""``plan.json``: the points that a sweep holds, and the packs that its latest run trains."""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from results.store.files import read_limited, write_text
from results.store.sweep_dir import SweepDir
from search_spaces.cost import Cost
from search_spaces.errors import InputError
from search_spaces.plan import Pack, Plan
from search_spaces.points import Point, point_from_json, point_to_json
from search_spaces.reading.load import load_grid
from search_spaces.sections.grid import Grid, Resources
from search_spaces.yaml_text import MAX_CHARACTERS, printable

MAX_PLAN_BYTES = 2 * 10**9  # of plan.json; a million points of five axes and packs of one are 0.6 GB
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
    """

    created: str
    points: dict[str, Point]
    packs: tuple[Pack, ...]
    workers: int
    device: str
    resources: Resources
    begun: frozenset[str]

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
) -> PlanFile:
    """Write the plan of a run; points and packs of earlier runs and the creation time are kept.

    Args:
        directory: the sweep.
        grid: the grid of the run, for its resources and its device.
        points: all points of the grid.
        plan: the packs of this run.
        earlier: the plan of the run before; None if there is none that can be read.
        begun: ids of the packs that some attempt was made at.

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
        raise ValueError(f"{id_!r} is no id")
    return id_


def _to_json(file: PlanFile) -> dict[str, object]:
    packs = [{"id": p.id, "points": [q.id for q in p.points], "cost": _cost_to_json(p.cost)} for p in file.packs]
    return {
        "created": file.created,
        "workers": file.workers,
        "device": file.device,
        "resources": file.resources.model_dump(mode="json"),
        "begun": sorted(file.begun),
        "packs": packs,
        "points": [point_to_json(p) for p in file.points.values()],
    }


def _cost_to_json(cost: Cost) -> dict[str, float]:
    return {name: getattr(cost, name) for name in cost.__dataclass_fields__}


def _from_json(data: dict[str, Any]) -> PlanFile:
    points = {_checked_id(p.id): p for p in map(point_from_json, data["points"])}
    packs = tuple(
        Pack(
            id=_checked_id(p["id"]),
            points=tuple(points[i] for i in p["points"]),
            cost=_COST.validate_python(p["cost"]),
        )
        for p in data["packs"]
    )
    return PlanFile(
        created=str(data["created"]),
        points=points,
        packs=packs,
        workers=int(data["workers"]),
        device=str(data["device"]),
        resources=Resources.model_validate(data["resources"]),
        begun=frozenset(data.get("begun", (pack.id for pack in packs))),  # of an older version: all may have
    )
